//! Everything that rules look at in one host call: an expression, which the host evaluates.
//!
//! A host that has expressions (`expr_create` and `expr_evaluate` in Envoy's `wasm/foreign.cc`) is
//! given one list of what is needed, once; every request asks for its value. Where anything about it
//! fails, the things are asked for one by one, so that it makes no difference but in cost.

use std::cell::RefCell;

use super::subject::{Kinds, Together};
use crate::abi::host;
use crate::http::Site;
use crate::memory::with_scratch;
use crate::vm::Naming;

/// The expressions of a VM, by root context: a host keeps those of each apart, and only as long as
/// the context. A plugin that is configured anew in its context goes on with what is there.
#[derive(Debug, Default)]
pub(crate) struct Lookups(RefCell<Vec<(u32, [Lookup; Kinds::ALL])>>);

/// An expression for some kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Lookup {
    #[default]
    Untried,
    /// The host's name of it.
    Made([u8; 4]),
    /// The host has no expressions, or not this one.
    Refused,
}

impl Lookups {
    /// A context has ended, and its expressions with it.
    pub fn close(&self, context: u32) {
        self.0.borrow_mut().retain(|(root, _)| *root != context);
    }

    fn get(&self, root: u32, kinds: Kinds) -> Lookup {
        let lookups = self.0.borrow();
        let of_root = lookups.iter().find(|(known, _)| *known == root);
        of_root.map_or(Lookup::Untried, |(_, lookups)| lookups[kinds.index()])
    }

    #[cold]
    fn set(&self, root: u32, kinds: Kinds, lookup: Lookup) {
        let mut lookups = self.0.borrow_mut();
        let at = lookups.iter().position(|(known, _)| *known == root).unwrap_or_else(|| {
            lookups.push((root, Default::default()));
            lookups.len() - 1
        });
        lookups[at].1[kinds.index()] = lookup;
    }
}

/// What is known of the request of the current callback. `None`: ask one by one.
///
/// One host call, after up to three for the first request of a plugin.
pub(super) fn together<'a>(site: &Site<'a>, kinds: Kinds) -> Option<Together<'a>> {
    let (vm, root) = (site.vm, site.control.owner().root);
    if root == 0 {
        // Another crate dispatches, and nobody knows which plugin the expression would belong to.
        return None;
    }
    let token = match vm.lookups.get(root, kinds) {
        Lookup::Made(token) => token,
        Lookup::Refused => return None,
        Lookup::Untried => {
            // A host that does not say which names it has is asked again.
            let made = make(site, vm.naming()?, kinds);
            vm.lookups.set(root, kinds, made.map_or(Lookup::Refused, Lookup::Made));
            made?
        }
    };
    match host::foreign_function(site.scope, "expr_evaluate", &token) {
        Ok(Some(list)) => read(list),
        Ok(None) => {
            vm.lookups.set(root, kinds, Lookup::Refused);
            None
        }
        // One of the things is missing; or something is wrong, which asking for them will tell.
        Err(_) => None,
    }
}

#[cold]
fn make(site: &Site<'_>, naming: Naming, kinds: Kinds) -> Option<[u8; 4]> {
    let made = with_scratch(|text| {
        for part in expression(naming, kinds) {
            text.extend_from_slice(part.as_bytes());
        }
        host::foreign_function(site.scope, "expr_create", text)
    });
    made.ok()??.try_into().ok()
}

/// A list of the host, the route and the cluster, with empty texts for what is not needed.
///
/// A request has a host nearly always, so that the whole may fail where it has none. A route or a
/// cluster is missing more often; CEL can only ask for a field whether it is there.
fn expression(naming: Naming, kinds: Kinds) -> [&'static str; 7] {
    const NOT_NEEDED: &str = "''";
    let (route, cluster) = match naming {
        Naming::Plain => ("route_name", "cluster_name"),
        Naming::Xds => (
            "has(xds.route_name) ? xds.route_name : ''",
            "has(xds.cluster_name) ? xds.cluster_name : ''",
        ),
    };
    let of = |kind, text| if kinds.has(kind) { text } else { NOT_NEEDED };
    let host = of(Kinds::HOST, "request.host");
    ["[", host, ", ", of(Kinds::ROUTE, route), ", ", of(Kinds::SERVICE, cluster), "]"]
}

/// Lists are encoded as [pairs](crate::abi::pairs) without values. Read in one pass, since every
/// request pays for it.
fn read(list: &[u8]) -> Option<Together<'_>> {
    /// How many items there are.
    const COUNT: [u8; 4] = 3_u32.to_le_bytes();
    /// Each has two lengths, its own and that of its value.
    const LENGTHS: usize = 3 * 8;
    let (mut lengths, mut texts) = list.strip_prefix(&COUNT)?.split_at_checked(LENGTHS)?;
    let mut item = || {
        let (length, rest) = lengths.split_first_chunk::<4>()?;
        lengths = rest.strip_prefix(&[0; 4])?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (item, rest) = texts.split_at_checked(length)?;
        texts = rest.strip_prefix(b"\0\0")?;
        Some(item)
    };
    let (host, route, cluster) = (item()?, item()?, item()?);
    texts.is_empty().then_some(Together { host, route, cluster })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::pairs::Pairs;

    #[test]
    fn only_what_is_needed_is_in_the_expression() {
        let text = |naming, kinds| expression(naming, kinds).concat();
        let all = Kinds::HOST.with(Kinds::ROUTE).with(Kinds::SERVICE);
        assert_eq!(text(Naming::Plain, all), "[request.host, route_name, cluster_name]");
        let host_and_cluster = Kinds::HOST.with(Kinds::SERVICE);
        assert_eq!(
            text(Naming::Xds, host_and_cluster),
            "[request.host, '', has(xds.cluster_name) ? xds.cluster_name : '']"
        );
        assert_eq!(
            text(Naming::Plain, Kinds::ROUTE.with(Kinds::SERVICE)),
            "['', route_name, cluster_name]"
        );
    }

    /// The bytes that Envoy 1.40 sent.
    #[test]
    fn a_list_of_three_is_read_and_nothing_else() {
        let list = b"\x03\0\0\0\x0f\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\
            localhost:18080\0\0my-route\0\0up\0\0";
        let read = read(list).unwrap();
        assert_eq!(
            (read.host, read.route, read.cluster),
            (&b"localhost:18080"[..], &b"my-route"[..], &b"up"[..])
        );
        let two = b"\x02\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0a\0\0b\0\0";
        let four = b"\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
            \0\0\0\0\0\0\0\0";
        assert_eq!(Pairs::parse(four).unwrap().len(), 4);
        let valued =
            b"\x03\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0a\0b\0\0\0\0\0";
        assert_eq!(Pairs::parse(valued).unwrap().len(), 3);
        let longer = [list, &b"\0"[..]].concat();
        let absurd = [&list[..4], &[0xff; 4], &list[8..]].concat();
        for wrong in [valued, &longer[..], &absurd] {
            assert!(super::read(wrong).is_none(), "{wrong:?}");
        }
        for wrong in [&b""[..], &[0; 4], b"text", &list[..list.len() - 1], two, four] {
            assert!(super::read(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn each_context_has_its_own_until_it_ends() {
        let lookups = Lookups::default();
        let (two, three) = (Kinds::HOST.with(Kinds::ROUTE), Kinds::ROUTE.with(Kinds::SERVICE));
        lookups.set(1, two, Lookup::Made([7; 4]));
        lookups.set(1, three, Lookup::Refused);
        lookups.set(2, two, Lookup::Made([8; 4]));
        assert_eq!(lookups.get(1, two), Lookup::Made([7; 4]));
        assert_eq!(lookups.get(1, three), Lookup::Refused);
        assert_eq!(lookups.get(2, three), Lookup::Untried);
        lookups.close(1);
        assert_eq!(lookups.get(1, two), Lookup::Untried);
        assert_eq!(lookups.get(2, two), Lookup::Made([8; 4]));
        assert_eq!(lookups.0.borrow().len(), 1);
    }
}
