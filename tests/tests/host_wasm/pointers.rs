//! Addresses and lengths that no sane guest passes.

use std::fmt::Write as _;

use bench_host::testing::{Answer, Call};

use super::guest::{host, log, logging};

/// Bytes of the guest's memory.
const END: u32 = 2 * 65_536;

/// Places that do not lie in memory: behind it, across its end, and around the end of addresses.
const OUTSIDE: [(u32, u32); 5] =
    [(END + 1, 0), (END, 1), (END - 1, 2), (1, u32::MAX), (u32::MAX, u32::MAX)];

/// What the calls below are about: a header's name, and a property's path.
const TEXTS: &str = "(data (i32.const 40000) \":path\") (data (i32.const 40010) \"plugin_name\")\n";
const NAME: (u32, u32) = (40_000, 5);
const PATH: (u32, u32) = (40_010, 11);

/// An argument of a host call.
#[derive(Clone, Copy, Debug)]
enum Argument {
    Number(u32),
    /// Address and length of what the host reads.
    Read((u32, u32)),
    /// Where the host writes.
    Write(u32),
}

use Argument::{Number, Read, Write as Out};

const EMPTY: Argument = Read((0, 0));

/// Host calls that take addresses, with arguments that they accept, and what they answer.
const CALLS: &[(&str, &[Argument], u32)] = &[
    ("proxy_log", &[Number(2), Read(NAME)], 0),
    ("proxy_get_log_level", &[Out(0)], 0),
    ("proxy_get_current_time_nanoseconds", &[Out(0)], 0),
    ("proxy_get_status", &[Out(0), Out(4), Out(8)], 0),
    ("proxy_get_buffer_bytes", &[Number(0), Number(0), Number(9), Out(0), Out(4)], 0),
    ("proxy_get_buffer_status", &[Number(0), Out(0), Out(4)], 0),
    ("proxy_set_buffer_bytes", &[Number(0), Number(0), Number(0), Read(NAME)], 0),
    ("proxy_get_header_map_value", &[Number(0), Read(NAME), Out(0), Out(4)], 0),
    ("proxy_add_header_map_value", &[Number(0), Read(NAME), Read(NAME)], 0),
    ("proxy_replace_header_map_value", &[Number(0), Read(NAME), Read(NAME)], 0),
    ("proxy_get_header_map_pairs", &[Number(0), Out(0), Out(4)], 0),
    ("proxy_get_header_map_size", &[Number(0), Out(0)], 0),
    ("proxy_get_property", &[Read(PATH), Out(0), Out(4)], 0),
    ("proxy_set_property", &[Read(PATH), Read(NAME)], 0),
    ("proxy_set_shared_data", &[Read(NAME), Read(NAME), Number(0)], 0),
    ("proxy_get_shared_data", &[Read(NAME), Out(0), Out(4), Out(8)], 0),
    ("proxy_register_shared_queue", &[Read(NAME), Out(0)], 0),
    ("proxy_resolve_shared_queue", &[Number(0), Number(0), Read(NAME), Out(0)], 0),
    ("proxy_enqueue_shared_queue", &[Number(1), Read(NAME)], 0),
    ("proxy_dequeue_shared_queue", &[Number(1), Out(0), Out(4)], 0),
    ("proxy_define_metric", &[Number(0), Read(NAME), Out(0)], 0),
    ("proxy_get_metric", &[Number(0), Out(0)], 0),
    ("proxy_set_header_map_pairs", &[Number(0), EMPTY], 0),
    ("proxy_remove_header_map_value", &[Number(0), Read(NAME)], 0),
    ("proxy_send_local_response", &[Number(200), Read(NAME), EMPTY, EMPTY, Number(0)], 0),
];

const ENQUEUE: &str = "(drop (call $the_proxy_enqueue_shared_queue
    (i32.const 1) (i32.const 40000) (i32.const 5)))";

fn words(arguments: &[Argument]) -> Vec<u32> {
    let words = arguments.iter().flat_map(|argument| match *argument {
        Number(number) => [Some(number), None],
        Read((at, len)) => [Some(at), Some(len)],
        Out(at) => [Some(at), None],
    });
    words.flatten().collect()
}

/// Every call once as it should be, and then with every bad place for each of its addresses.
fn variants(arguments: &[Argument], answer: u32) -> Vec<(Vec<u32>, u32)> {
    let mut all = vec![(words(arguments), answer)];
    for place in 0..arguments.len() {
        let mut wrong = arguments.to_vec();
        match arguments[place] {
            Number(_) => {}
            Read(_) => {
                for outside in OUTSIDE {
                    wrong[place] = Read(outside);
                    all.push((words(&wrong), 6));
                }
            }
            Out(_) => {
                for outside in [END, END - 1, u32::MAX - 3, u32::MAX] {
                    wrong[place] = Out(outside);
                    all.push((words(&wrong), 6));
                }
            }
        }
    }
    all
}

fn imports() -> String {
    let mut text = String::new();
    for (name, arguments, _) in CALLS {
        let params = "i32 ".repeat(words(arguments).len());
        let import = format!(r#"(import "env" "{name}" (func $the_{name} (param {params})"#);
        writeln!(text, "{import} (result i32)))").unwrap();
    }
    text
}

#[test]
fn every_host_call_answers_a_bad_address_with_invalid_memory_access() {
    let (mut code, mut expected) = (String::new(), Vec::new());
    for (name, arguments, answer) in CALLS {
        for (words, answer) in variants(arguments, *answer) {
            let line = expected.len();
            if *name == "proxy_dequeue_shared_queue" {
                // What was taken is gone, even where it cannot be handed over.
                code.push_str(ENQUEUE);
            }
            write!(code, "(call $argument (i32.const {line}))").unwrap();
            write!(code, "(call $argument (call $the_{name}").unwrap();
            for word in &words {
                write!(code, " (i32.const {})", word.cast_signed()).unwrap();
            }
            code.push_str(")) (call $flush)\n");
            expected.push((format!(" {line} {answer}"), name, words));
        }
    }
    // All of them in a body callback, with headers that wait, so that everything is there.
    code.push_str("(i32.const 0)");
    let script = [("request_headers", "(i32.const 1)"), ("request_body", code.as_str())];
    let marker = super::guest::HIGRESS;
    let mut host = host(&format!("{marker}{TEXTS}{}{}", imports(), logging(&script)));
    host.send(Call::post("/").body("ab")).unwrap();
    let log = log(&mut host);
    let mut answers = log.lines().filter(|line| line.starts_with(' '));
    for (expected, name, words) in expected {
        assert_eq!(answers.next().unwrap(), expected, "{name}{words:?}");
    }
}

#[test]
fn nothing_at_the_end_of_memory_is_a_place() {
    let code = format!(
        "(call $status 'log' (call $proxy_log (i32.const 2) (i32.const {END}) (i32.const 0)))
         (i32.const 0)"
    );
    let mut host = host(&logging(&[("request_headers", &code)]));
    host.send(Call::get("/")).unwrap();
    assert!(log(&mut host).contains("\n\nlog 0\n"), "{}", log(&mut host));
}

#[test]
fn an_allocator_that_gives_nothing_or_too_little_is_a_status() {
    for at in [0, END, END - 1, END - 4, u32::MAX] {
        let at = at.cast_signed();
        let allocator =
            format!(r#"(func (export "malloc") (param i32) (result i32) (i32.const {at}))"#);
        let get = "(call $status 'get' (call $proxy_get_header_map_value (i32.const 0) ':path'
                (i32.const 0) (i32.const 4)))
            (call $status 'pairs' (call $proxy_get_header_map_pairs (i32.const 0)
                (i32.const 0) (i32.const 4)))
            (i32.const 0)";
        let body = "(call $status 'body' (call $proxy_get_buffer_bytes (i32.const 0)
                (i32.const 0) (i32.const 9) (i32.const 0) (i32.const 4)))
            (i32.const 0)";
        let script = [("request_headers", get), ("request_body", body)];
        let mut host = host(&format!("{allocator}{}", logging(&script)));
        let outcome = host.send(Call::post("/path").body("hello")).unwrap();
        let log = log(&mut host);
        for line in ["get 6", "pairs 6", "body 6"] {
            assert!(log.lines().any(|known| known == line), "{at}: {log}");
        }
        assert_eq!(outcome.upstream.text(), "hello");
    }
}

#[test]
fn numbers_that_name_nothing_are_statuses() {
    let code = "
        (call $status 'level' (call $proxy_log (i32.const 6) 'x'))
        (call $status 'buffer' (call $proxy_get_buffer_bytes (i32.const 10)
            (i32.const 0) (i32.const 9) (i32.const 0) (i32.const 4)))
        (call $status 'absent' (call $proxy_get_buffer_bytes (i32.const 4)
            (i32.const 0) (i32.const 9) (i32.const 0) (i32.const 4)))
        (call $status 'overflow' (call $proxy_get_buffer_bytes (i32.const 0)
            (i32.const 1) (i32.const -1) (i32.const 0) (i32.const 4)))
        (call $status 'behind' (call $proxy_get_buffer_bytes (i32.const 0)
            (i32.const 99) (i32.const 9) (i32.const 0) (i32.const 4)))
        (call $status 'length' (i32.load (i32.const 4)))
        (call $status 'constant' (call $proxy_set_buffer_bytes (i32.const 7)
            (i32.const 0) (i32.const 9) 'x'))
        (call $status 'map' (call $proxy_get_header_map_pairs (i32.const 8)
            (i32.const 0) (i32.const 4)))
        (call $status 'missing' (call $proxy_get_header_map_value (i32.const 0) 'missing'
            (i32.const 0) (i32.const 4)))
        (call $status 'early' (call $proxy_get_header_map_value (i32.const 2) ':status'
            (i32.const 0) (i32.const 4)))
        (i32.const 0)";
    let mut host = host(&logging(&[("request_body", code)]));
    host.send(Call::post("/").body("ab")).unwrap();
    let log = log(&mut host);
    let answers: Vec<_> = log
        .lines()
        .skip_while(|line| !line.starts_with("request_body"))
        .skip(1)
        .take_while(|line| !line.starts_with("response"))
        .collect();
    insta::assert_snapshot!(answers.join("\n"), @"
    level 2
    buffer 2
    absent 1
    overflow 0
    behind 0
    length 0
    constant 1
    map 2
    missing 1
    early 2
    ");
}

/// Calls with arguments by chance, from a pool of the numbers at which things change.
#[test]
fn arguments_by_chance_never_stop_the_host() {
    const POOL: [u32; 8] = [0, 1, 64, 40_000, END - 2, END, 0x7fff_ffff, u32::MAX];
    let mut pool = String::new();
    for byte in POOL.iter().flat_map(|number| number.to_le_bytes()) {
        write!(pool, "\\{byte:02x}").unwrap();
    }
    let mut body = format!(
        r#"(data (i32.const 50000) "{pool}")
        (global $seed (mut i32) (i32.const 1))
        (func $any (result i32)
            (global.set $seed (i32.add (i32.const 1013904223)
                (i32.mul (global.get $seed) (i32.const 1664525))))
            (i32.load (i32.add (i32.const 50000)
                (i32.and (i32.shr_u (global.get $seed) (i32.const 20)) (i32.const 28)))))
        (func $all (local $left i32) (local.set $left (i32.const 200)) (loop $again"#
    );
    for (name, arguments, _) in CALLS {
        let any = "(call $any) ".repeat(words(arguments).len());
        writeln!(body, "(drop (call $the_{name} {any}))").unwrap();
    }
    body.push_str("(br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))");
    // The memory is not for the guest's own use any more, so nothing but addresses is given out.
    let allocator = r#"(func (export "malloc") (param i32) (result i32) (i32.const 65536))"#;
    let callbacks =
        ["configure", "request_headers", "request_body", "response_headers", "response_body"];
    let script = callbacks.map(|callback| {
        let answer = u32::from(callback == "configure");
        (callback, format!("(call $all) (i32.const {answer})"))
    });
    let script: Vec<_> = script.iter().map(|(name, code)| (*name, code.as_str())).collect();
    let text = format!("{TEXTS}{}{allocator}{body}{}", imports(), logging(&script));
    let mut host = host(&text);
    for _ in 0..5 {
        let call = Call::post("/").chunks(["ab", "cd"]).answer(Answer::new(200).body("xyz"));
        host.send(call).unwrap();
    }
}
