//! `expr_create`, `expr_evaluate` and `expr_delete`: expressions over attributes, in CEL.
//!
//! The argument of `expr_create` is the text of the expression, as in all of Envoy's versions that
//! parse expressions for plugins. What is understood of CEL is in `docs/properties.md`; the rest is
//! refused when the expression is made, as Envoy refuses what it has no function for.
//!
//! Written by hand because an expression is a guest's input: it may not cost more stack, time or
//! memory than it is long.

mod functions;
mod lex;
mod operators;
mod parse;
mod value;

use std::collections::BTreeMap;

use super::Answer;
use crate::host::quota::entry_size;
use crate::host::{Host, Quota, Status};

/// Most bytes of an expression.
const MAX_SOURCE: usize = 32 * 1024;

/// The expressions of a VM, by root context: one plugin does not see those of another.
#[derive(Debug, Default)]
pub(in crate::host) struct Expressions(BTreeMap<u32, OfRoot>);

/// The expressions of a root context, by token. Tokens count from 0.
#[derive(Debug, Default)]
struct OfRoot {
    next: u32,
    all: BTreeMap<u32, (parse::Expression, u64)>,
}

impl Expressions {
    /// A root context has ended, and its expressions with it.
    pub(in crate::host) fn forget(&mut self, root: u32, quota: &mut Quota) {
        for (_, size) in self.0.remove(&root).unwrap_or_default().all.into_values() {
            quota.release(size);
        }
    }
}

/// `expr_create`: a token of four bytes.
///
/// # Errors
/// [`Status::BadArgument`] for what does not parse.
pub(super) fn create(host: &mut Host, source: &[u8]) -> Answer {
    /// What a byte of source becomes at most, about: one node of the tree.
    const NODE: u64 = 64;
    if source.len() > MAX_SOURCE {
        return Err(Status::BadArgument);
    }
    let source = str::from_utf8(source).map_err(|_| Status::BadArgument)?;
    let expression = parse::parse(source).ok_or(Status::BadArgument)?;
    let size = entry_size(source.as_bytes(), &[]).saturating_mul(NODE);
    host.quota.charge("expressions", size)?;
    let root = host.root_of(host.current);
    let OfRoot { next, all } = host.expressions.0.entry(root).or_default();
    let token = *next;
    *next = next.wrapping_add(1);
    if let Some((_, old)) = all.insert(token, (expression, size)) {
        host.quota.release(old);
    }
    Ok(Some(token.to_le_bytes().to_vec()))
}

/// `expr_evaluate`: the value, encoded as a property, for the context of the current callback.
///
/// # Errors
/// [`Status::BadArgument`] for anything but four bytes, [`Status::NotFound`] for an unknown token,
/// [`Status::InternalFailure`] when there is no value, such as for an attribute that is not there.
pub(super) fn evaluate(host: &Host, token: &[u8]) -> Answer {
    let token = read_token(token)?;
    let of_root = host.expressions.0.get(&host.root_of(host.current)).ok_or(Status::NotFound)?;
    let (expression, _) = of_root.all.get(&token).ok_or(Status::NotFound)?;
    let attributes = host.attributes_of(host.current);
    let value = expression.evaluate(&attributes).ok_or(Status::InternalFailure)?;
    value.encode().map(Some)
}

/// `expr_delete`: also `Ok` for a token that is unknown.
pub(super) fn delete(host: &mut Host, token: &[u8]) -> Answer {
    let token = read_token(token)?;
    let root = host.root_of(host.current);
    let of_root = host.expressions.0.get_mut(&root);
    if let Some((_, size)) = of_root.and_then(|of_root| of_root.all.remove(&token)) {
        host.quota.release(size);
    }
    Ok(None)
}

fn read_token(token: &[u8]) -> Result<u32, Status> {
    token.try_into().map(u32::from_le_bytes).map_err(|_| Status::BadArgument)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::host;
    use super::*;
    use crate::host::{Profile, encode_pairs};

    fn with_request() -> Host {
        let mut host = host(Profile::Envoy);
        host.set_property(b"mine", b"abc").unwrap();
        let stream = host.stream().unwrap();
        for (name, value) in [(":path", "/a?b=c"), (":method", "GET"), ("x-n", "7")] {
            stream.request.headers.add(name.as_bytes(), value.as_bytes());
        }
        stream.request.begun = true;
        host
    }

    fn eval(host: &mut Host, source: &str) -> Answer {
        let token = create(host, source.as_bytes())?.unwrap();
        let answer = evaluate(host, &token);
        delete(host, &token).unwrap();
        answer
    }

    #[test]
    fn expressions_see_attributes() {
        let mut host = with_request();
        let truths = [
            "request.path.startsWith('/a') && request.method == 'GET'",
            "request.headers['x-n'] == \"7\" && int(request.headers['x-n']) * 2 == 14",
            "has(request.headers.nothing) || has(request.path)",
            "'x-n' in request.headers && !('y' in request.headers)",
            "mine == b'abc' && size(mine) == 3 && filter_state['wasm.mine'] == mine",
            "request.method in ['PUT', 'GET'] && [1, 2][1] == 2 && {'a': 1u}['a'] == 1",
            "request.query.matches('^b=[a-c]$') && request.path.contains('?') ? true : 1 / 0 == 0",
            "request.nothing == 1 || true",
            "xds.node.id.endsWith('host') && source.port == 50000 && !connection.mtls",
            "-(1 - 3) == 2 && 7 % 4 == 3 && 1.5 + 1.5 == 3.0 && 'a' + 'b' == r'ab' && 0x10 == 16",
            "string(12) + '\\x41\\u0042\\n' == \"12AB\\n\" // and a comment",
            "request.size == 0 && response.flags <= 0 && 'b' > 'a' && null == null && 1 != '1'",
        ];
        for source in truths {
            assert_eq!(eval(&mut host, source), Ok(Some(vec![1])), "{source}");
        }
        assert_eq!(eval(&mut host, "request.url_path"), Ok(Some(b"/a".to_vec())));
        assert_eq!(eval(&mut host, "3"), Ok(Some(vec![3, 0, 0, 0, 0, 0, 0, 0])));
        assert_eq!(
            eval(&mut host, "['a']"),
            Ok(Some(b"\x01\0\0\0\x01\0\0\0\0\0\0\0a\0\0".to_vec()))
        );
    }

    #[test]
    fn what_has_no_value_fails_and_what_is_no_expression_is_refused() {
        let mut host = with_request();
        for source in [
            "nothing",
            "request.nothing",
            "1 / 0",
            "9223372036854775807 + 1",
            "1 < 'a'",
            "1 && true",
            "[1][1]",
            "'a'.matches('(')",
            "-9223372036854775808 / -1",
            "request.nothing && true",
        ] {
            assert_eq!(eval(&mut host, source), Err(Status::InternalFailure), "{source}");
        }
        for source in [
            "",
            "1 +",
            "(1",
            "a b",
            "'a",
            "f(1)",
            "[1, 2].all(x, x > 0)",
            "a.(b)",
            "1u2",
            "'\\q'",
            "{1}",
            "99999999999999999999",
            "has(1)",
            "a ? b",
            "\u{fe}",
        ] {
            assert_eq!(eval(&mut host, source), Err(Status::BadArgument), "{source}");
        }
    }

    /// What Envoy 1.40 answered to the same.
    #[test]
    fn lists_and_maps_are_pairs_of_their_items() {
        let pairs = |pairs: &[(&[u8], &[u8])]| encode_pairs(pairs.iter().copied());
        let int = |number: u64| number.to_le_bytes();
        let mut host = with_request();
        let inner = pairs(&[(&int(1), b""), (b"a", b"")]);
        for (source, answer) in [
            ("[]", pairs(&[])),
            ("{}", pairs(&[])),
            ("[''] + []", pairs(&[(b"", b"")])),
            ("[true, 1, 'a', 1u, b'xy']", {
                let (one, truth) = (int(1), [1]);
                pairs(&[(&truth, b""), (&one, b""), (b"a", b""), (&one, b""), (b"xy", b"")])
            }),
            ("[[1, 'a']]", pairs(&[(&inner, b"")])),
            ("[[], {}]", pairs(&[(&[0; 4], b""), (&[0; 4], b"")])),
            ("{'a': 'b', 1: {'c': 'd'}}", {
                let inner = pairs(&[(b"c", b"d")]);
                pairs(&[(b"a", b"b"), (&int(1), &inner)])
            }),
            ("[request.method, has(request.host) ? request.host : '']", {
                pairs(&[(b"GET", b""), (b"", b"")])
            }),
            ("xds.route_name + '|' + request.method", b"default|GET".to_vec()),
        ] {
            assert_eq!(eval(&mut host, source), Ok(Some(answer)), "{source}");
        }
        for source in ["null", "[null]", "{'a': null}", "xds", "[request]"] {
            assert_eq!(eval(&mut host, source), Err(Status::SerializationFailure), "{source}");
        }
        for source in [
            "[request.method, request.host]",
            "{'a': 1, 'a': 2}",
            "{1.5: 1}",
            "{null: 1}",
            "{[1]: 1}",
            "{'a': nothing}",
            "'a' + 1",
            "'a' + b'b'",
            "1 ? 'a' : 'b'",
            "nothing ? 'a' : 'b'",
            "[route_name]",
            "cluster_name",
        ] {
            assert_eq!(eval(&mut host, source), Err(Status::InternalFailure), "{source}");
        }
    }

    /// What Envoy 1.40 answered to the same.
    #[test]
    fn only_maps_and_messages_have_something() {
        let mut host = with_request();
        for (source, truth) in [
            ("has(request.method)", true),
            ("has(request.host)", false),
            ("has(request.nothing)", false),
            ("has(request.headers.nothing)", false),
            ("has(response.headers.nothing)", false),
            ("has(response.code)", false),
            ("has(xds.cluster_name)", true),
            ("has(xds.nothing)", false),
            ("has(xds.node.id)", true),
            ("has(xds.node.locality)", false),
            ("has(metadata.filter_metadata)", false),
            ("has({'a': 1}.a)", true),
            ("has({1: 2}.a)", false),
        ] {
            assert_eq!(eval(&mut host, source), Ok(Some(vec![truth.into()])), "{source}");
        }
        for what in
            ["request.method", "xds.node", "metadata", "nothing", "mine", "[1]", "null", "true"]
        {
            let source = format!("has({what}.nope)");
            assert_eq!(eval(&mut host, &source), Err(Status::InternalFailure), "{source}");
        }
        assert_eq!(eval(&mut host, "has(request)"), Err(Status::BadArgument));
    }

    #[test]
    fn higress_has_names_beside_the_groups() {
        let mut host = host(Profile::Higress);
        let answer = encode_pairs([(&b"default"[..], &b""[..]), (b"upstream", b"")].into_iter());
        assert_eq!(eval(&mut host, "[route_name, cluster_name]"), Ok(Some(answer)));
        host.settings.cluster_name.clear();
        let answer = eval(&mut host, "[route_name, cluster_name]");
        assert_eq!(answer, Err(Status::InternalFailure));
    }

    #[test]
    fn tokens_are_checked() {
        let mut host = with_request();
        assert_eq!(create(&mut host, b"1"), Ok(Some(vec![0; 4])));
        assert_eq!(create(&mut host, b"2"), Ok(Some(vec![1, 0, 0, 0])));
        assert_eq!(evaluate(&host, &[0; 3]), Err(Status::BadArgument));
        assert_eq!(evaluate(&host, &[9; 4]), Err(Status::NotFound));
        let used = host.quota.used();
        assert_eq!(delete(&mut host, &[0; 4]), Ok(None));
        assert_eq!(delete(&mut host, &[0; 4]), Ok(None));
        assert_eq!(evaluate(&host, &[0; 4]), Err(Status::NotFound));
        assert!(host.quota.used() < used);
    }

    #[test]
    fn a_root_context_has_its_own_and_takes_them_with_it() {
        let mut host = with_request();
        let before = host.quota.used();
        let token = create(&mut host, b"'a'").unwrap().unwrap();
        assert_eq!(evaluate(&host, &token), Ok(Some(b"a".to_vec())));
        host.current = 7;
        assert_eq!(evaluate(&host, &token), Err(Status::NotFound));
        assert_eq!(create(&mut host, b"'b'"), Ok(Some(token.clone())), "it counts from 0 too");
        assert_eq!(delete(&mut host, &token), Ok(None));
        host.current = 2;
        assert_eq!(evaluate(&host, &token), Ok(Some(b"a".to_vec())));
        let root = host.root_of(2);
        host.expressions.forget(root, &mut host.quota);
        assert_eq!(evaluate(&host, &token), Err(Status::NotFound));
        assert_eq!(host.quota.used(), before);
    }

    #[test]
    fn expressions_are_no_deeper_than_the_stack() {
        let mut host = with_request();
        let deep = [
            "(".repeat(MAX_SOURCE),
            "[".repeat(MAX_SOURCE),
            "!".repeat(MAX_SOURCE),
            "-".repeat(MAX_SOURCE),
            "1+".repeat(MAX_SOURCE / 2 - 1) + "1",
            "a".to_owned() + &".a".repeat(MAX_SOURCE / 2 - 1),
            "a?".repeat(MAX_SOURCE / 2),
            "1?1:".repeat(MAX_SOURCE / 4 - 1) + "1",
            "a[".repeat(MAX_SOURCE / 2),
        ];
        for source in deep {
            assert_eq!(eval(&mut host, &source), Err(Status::BadArgument), "{}", &source[..8]);
        }
    }

    #[test]
    fn the_deepest_fits_into_a_part_of_a_thread() {
        const STACK: usize = 512 * 1024;
        let evaluate = || {
            // A level of brackets counts twice: once for itself, once for what stands in it.
            let deepest = "(".repeat(15) + "1" + &"+1".repeat(128) + &")".repeat(15);
            assert_eq!(eval(&mut with_request(), &deepest), Ok(Some(129_i64.to_le_bytes().into())));
            let fields = "a".to_owned() + &".b".repeat(128);
            assert_eq!(eval(&mut with_request(), &fields), Err(Status::InternalFailure));
        };
        let thread = std::thread::Builder::new().stack_size(STACK).spawn(evaluate).unwrap();
        thread.join().unwrap();
    }

    #[test]
    fn a_value_does_not_outgrow_its_expression() {
        let mut host = with_request();
        host.set_property(b"mine", &vec![b'm'; 600_000]).unwrap();
        assert_eq!(eval(&mut host, "size(mine + mine) > 0"), Err(Status::InternalFailure));
    }

    proptest! {
        #[test]
        fn text_by_chance_gets_a_status(
            words in prop::collection::vec(prop_oneof![
                "[-+*/%!?:.,()\\[\\]{}<>=&|'\"\\\\ ]", "[a-z0-9]{1,3}", Just("request".to_owned()),
                Just("headers".to_owned()), Just("has(".to_owned()), Just(" in ".to_owned()),
                Just("size(".to_owned()), Just("'s'".to_owned()), Just("==".to_owned()), ".",
            ], 0..30),
        ) {
            let mut host = with_request();
            let _ = eval(&mut host, &words.concat());
        }
    }
}
