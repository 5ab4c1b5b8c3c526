//! Addresses, lengths, numbers and allocators that no sane guest gives, for every host call.
//!
//! What a guest passes is generated from the signature: each parameter in turn is made wrong in
//! every way that its kind can be, the others stay as in the line of [`GOOD`].

use std::collections::BTreeSet;

use bench_host::engine::wasm::WasmPlugin;
use bench_host::host::{Clock, Profile, Shared, World};
use bench_host::testing::{Answer, Call, Outcome, TestHost};
use bench_host::upstream::Upstreams;

use super::guest::Guest;
use super::imports::{Answer as Returns, IMPORTS, Import, Offer, Param};
use super::run::{LIMITS, numbers, settings, told};
use super::script::{Step, parse};
use super::value::Value;

/// Bytes of the guest's memory.
pub const END: u32 = 32 * 65_536;

/// Every host call as it is fine, in the callback of a request body whose headers are held.
pub const GOOD: [&str; 51] = [
    "log(2, 'line') -> Ok",
    "get_status() -> Ok",
    "get_property('request\\0path') -> Ok",
    "set_property('a', 'b') -> Ok",
    "send_local_response(403, 'why', 'body', nil, -1) -> Ok",
    "get_shared_data('key') -> Ok",
    "set_shared_data('key', 'value', 0) -> Ok",
    "register_shared_queue('queue') -> Ok",
    "resolve_shared_queue('', 'queue') -> Ok",
    "dequeue_shared_queue(1) -> Ok",
    "enqueue_shared_queue(1, 'item') -> Ok",
    "get_header_map_value(0, ':path') -> Ok",
    "add_header_map_value(0, 'x-a', 'b') -> Ok",
    "replace_header_map_value(0, 'x-a', 'b') -> Ok",
    "remove_header_map_value(0, 'x-a') -> Ok",
    "get_header_map_pairs(0) -> Ok",
    "set_header_map_pairs(0, pairs(:path=/,:method=POST)) -> Ok",
    "get_header_map_size(0) -> Ok",
    "get_buffer_status(0) -> Ok",
    "get_buffer_bytes(0, 0, 9) -> Ok",
    "set_buffer_bytes(0, 0, 0, 'x') -> Ok",
    "http_call('web', pairs(:method=GET,:path=/,:authority=a), 'b', pairs(t=1), 100) -> Ok",
    "grpc_call('g', 's', 'm', pairs(k=v), 'request', 100) -> Ok",
    "grpc_stream('g', 's', 'm', pairs(k=v)) -> Ok",
    "grpc_send(6, 'message', 0) -> NotFound",
    "grpc_close(6) -> NotFound",
    "grpc_cancel(6) -> NotFound",
    "set_tick_period_milliseconds(10) -> Ok",
    "get_current_time_nanoseconds() -> Ok",
    "define_metric(0, 'c') -> Ok",
    "increment_metric(4000, 1) -> NotFound",
    "record_metric(4000, 1) -> NotFound",
    "get_metric(0) -> Ok",
    "set_effective_context(2) -> Ok",
    "done() -> NotFound",
    "call_foreign_function('none', 'arguments') -> NotFound",
    "get_configuration() -> Ok",
    "continue_request() -> Ok",
    "continue_response() -> Ok",
    "clear_route_cache() -> Ok",
    "continue_stream(1) -> Ok",
    "close_stream(2) -> Ok",
    "get_log_level() -> Ok",
    "redis_init('cache', 'user', 'password', 100) -> Ok",
    "redis_call('cache', '*1\\x0d\\n$4\\x0d\\nPING\\x0d\\n') -> Ok",
    "inject_encoded_data_to_filter_chain('', 0) -> Ok",
    "get_upstream_hosts() -> Ok",
    "set_upstream_override_host('10.0.0.1:80') -> Ok",
    "pthread_equal(1, 1) -> 1",
    "emscripten_notify_memory_growth(0)",
    "envoy_resolve_dns('example.com') -> Unimplemented",
];

/// What calls find when they are made.
const BEFORE: &str = "
    set_shared_data('key', 'value', 0) -> Ok
    register_shared_queue('queue') -> Ok
    define_metric(0, 'c') -> Ok";

const UPSTREAMS: &str = r#"
    [cluster.web]
    hosts = ["10.0.0.1:80"]
    [[cluster.web.http]]
    [cluster.g]
    [[cluster.g.grpc]]
    messages = ["m"]
    [cluster.cache]
    store = true
"#;

/// What a variant of a call is to answer.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wanted {
    /// This.
    Status(u32),
    /// Anything but that an address is bad.
    Reached,
    /// The same as the variant before.
    Same,
    /// Some status.
    Some,
}

/// The arguments of one call, and what it answers to them.
struct Variant {
    what: String,
    words: Vec<i64>,
    wanted: Wanted,
}

/// The words of each parameter of a fine call; what the host writes goes to cells from 64 on.
pub fn words(guest: &mut Guest, import: &Import, arguments: &[Value]) -> Vec<Vec<i64>> {
    let mut given = arguments.iter();
    let mut cell = 64;
    let words = import.params.iter().map(|param| match param {
        Param::Number | Param::Wide => match given.next() {
            Some(Value::Number(number)) => vec![*number],
            other => panic!("{other:?} is no number"),
        },
        Param::In => match given.next() {
            Some(Value::Bytes(bytes)) => {
                vec![guest.text(bytes).into(), i64::try_from(bytes.len()).unwrap()]
            }
            Some(Value::Nil) => vec![0, 0],
            other => panic!("{other:?} is no text"),
        },
        Param::Out | Param::Word | Param::Long => {
            cell += 16;
            if *param == Param::Out { vec![cell, cell + 4] } else { vec![cell] }
        }
    });
    words.collect()
}

/// The call as it is fine, and then with each parameter wrong in every way.
fn variants(import: &Import, good: &[Vec<i64>], answer: u32) -> Vec<Variant> {
    let end = i64::from(END);
    let mut all = Vec::new();
    let mut add = |place: usize, what: &str, words: Vec<i64>, wanted| {
        let mut arguments = good.to_vec();
        if let Some(argument) = arguments.get_mut(place) {
            *argument = words;
        }
        all.push(Variant { what: format!("{what} {place}"), words: arguments.concat(), wanted });
    };
    let fine =
        if import.result == Returns::Nothing { Wanted::Some } else { Wanted::Status(answer) };
    add(usize::MAX, "fine", Vec::new(), fine);
    let unimplemented = answer == 12 && import.result == Returns::Status;
    let bad = if unimplemented { fine } else { Wanted::Status(6) };
    // A function that is not there hands nothing over.
    let nothing_out = unimplemented || import.name == "proxy_call_foreign_function";
    let bad_out = if nothing_out { fine } else { bad };
    // The token of a call is written, as 0, before its cluster is read.
    let over = match import.name {
        "proxy_http_call" => Wanted::Status(2),
        "proxy_grpc_call" | "proxy_grpc_stream" => Wanted::Status(4),
        _ => fine,
    };
    for (place, param) in import.params.iter().enumerate() {
        match param {
            Param::Number | Param::Wide => {
                for number in [-1, 0, 5, 13, 255, 65_536, i64::from(i32::MAX), i64::from(i32::MIN)]
                {
                    add(place, "number", vec![number], Wanted::Some);
                }
                if *param == Param::Wide {
                    add(place, "wide", vec![i64::MAX], Wanted::Some);
                    add(place, "wide", vec![i64::MIN], Wanted::Some);
                }
            }
            Param::In => {
                let outside = [
                    (end + 1, 0),
                    (end, 1),
                    (end - 1, 2),
                    (1, -1),
                    (-1, -1),
                    (-1, 0),
                    (-1, 1),
                    (-16, 32),
                    (i64::from(i32::MIN), i64::from(i32::MIN)),
                    (0, end + 1),
                ];
                for (at, len) in outside {
                    add(place, "outside", vec![at, len], bad);
                }
                add(place, "nothing", vec![0, 0], Wanted::Some);
                add(place, "nothing at the end", vec![end, 0], Wanted::Same);
                add(place, "the last byte", vec![end - 1, 1], Wanted::Reached);
                add(place, "all of memory", vec![0, end], Wanted::Reached);
            }
            Param::Out | Param::Word | Param::Long => {
                let size = if *param == Param::Long { 8 } else { 4 };
                let outside = [end - size + 1, end - 2, end - 1, end, -1, -3, i64::from(i32::MIN)];
                let fits = end - size;
                let at = good[place][0];
                match param {
                    Param::Out => {
                        for place_of in outside {
                            add(place, "address outside", vec![place_of, at], bad_out);
                            add(place, "length outside", vec![at, place_of], bad_out);
                        }
                        add(place, "address last", vec![fits, at], fine);
                        add(place, "length last", vec![at, fits], fine);
                        add(place, "both the same", vec![at, at], fine);
                        add(place, "unaligned", vec![at + 1, at + 6], fine);
                    }
                    _ => {
                        for place_of in outside {
                            add(place, "outside", vec![place_of], bad_out);
                        }
                        add(place, "last", vec![fits], fine);
                        add(place, "unaligned", vec![at + 1], fine);
                    }
                }
                // What the host writes lies on what it has read.
                let first = import.params.iter().position(|param| *param == Param::In);
                if let Some(text) = first.map(|first| good[first][0]).filter(|text| *text > 0) {
                    let out = if *param == Param::Out { vec![text, text + 4] } else { vec![text] };
                    add(place, "over what is read", out, over);
                }
            }
        }
    }
    all
}

/// The steps that make a call and log its number and answer.
pub fn logged(import: &Import, number: usize, words: &[i64]) -> Step {
    let types = import.params.iter().flat_map(|param| match param {
        Param::Wide => vec!["i64"],
        Param::In | Param::Out => vec!["i32", "i32"],
        _ => vec!["i32"],
    });
    let operands: String =
        types.zip(words).map(|(of, word)| format!("({of}.const {word}) ")).collect();
    let call = format!("(call ${} {operands})", import.name);
    let call = match import.result {
        Returns::Nothing => format!("{call} (i32.store (i32.const 40) (i32.const 0))"),
        _ => format!("(i32.store (i32.const 40) {call})"),
    };
    Step::Wat(format!(
        "{call} (call $char (i32.const 35)) (call $number (i32.const {number})) \
         (call $number (i32.load (i32.const 40))) (call $flush)"
    ))
}

/// The steps that put the text of an argument back, which the host may have written over.
fn restored(guest: &Guest) -> Step {
    let (at, bytes) = guest.texts();
    let stores = bytes.iter().enumerate().map(|(offset, byte)| {
        format!("(i32.store8 (i32.const {}) (i32.const {byte}))", at as usize + offset)
    });
    Step::Wat(stores.collect::<String>())
}

pub fn exchange() -> Call {
    Call::post("/path").body("hello").answer(Answer::new(200).body("world"))
}

pub fn abi_for(import: &Import) -> &'static str {
    if import.offer == Offer::Old { "0_1_0" } else { "0_2_100" }
}

/// Where a call is made so that everything is there that it is about.
fn place_for(import: &Import) -> &'static str {
    match import.name {
        "proxy_get_configuration" => "configure",
        "proxy_inject_encoded_data_to_filter_chain" => "response_body",
        _ => "request_body",
    }
}

/// A host with a guest that does this in a callback, the first time that it comes.
fn started(
    profile: Profile,
    guest: &mut Guest,
    import: &Import,
    extra: &str,
    steps: Vec<Step>,
) -> TestHost {
    let mut parts = vec![
        ("vm_start".to_owned(), None, parse(BEFORE)),
        (place_for(import).to_owned(), Some(1), steps),
    ];
    if import.offer != Offer::Old {
        parts.push(("request_headers".to_owned(), None, parse("return 1")));
    }
    if import.offer == Offer::Higress {
        parts.push(("configure".to_owned(), None, parse("redis_init('cache', nil, nil, 9) -> Ok")));
    }
    guest.import(import);
    let module = guest.module(abi_for(import), extra, &parts);
    let plugin = WasmPlugin::compile(&module, LIMITS).unwrap();
    let settings = settings(profile, &module);
    let upstreams = Upstreams::parse(UPSTREAMS, "test").unwrap();
    let world = World::new(Clock::default(), Shared::default(), &upstreams);
    TestHost::start_in(&plugin, settings, world, "cfg").unwrap()
}

/// The answers that were logged from the callback on in which the calls are made.
fn answers(host: &mut TestHost, first: usize) -> Vec<u32> {
    let lines = host.log().iter().filter_map(|line| line.message.strip_prefix('#'));
    let answers = lines.map(numbers).filter(|line| line[0] as usize >= first);
    answers.map(|line| line[1]).collect()
}

/// Numbers of calls begin here, beyond those of scripts.
const FIRST: usize = 1000;

fn good(guest: &mut Guest, line: &str) -> (&'static Import, Vec<Vec<i64>>, u32) {
    let steps = parse(line);
    let [Step::Call(call)] = &steps[..] else { panic!("{line}") };
    (call.import, words(guest, call.import, &call.arguments), call.answer)
}

/// A host call, on which host, how many variants of it were tried, and what they answered.
pub struct Tried {
    pub import: &'static str,
    pub higress: bool,
    pub variants: usize,
    pub answers: BTreeSet<u32>,
}

/// Tries the variants of every import that a host has.
pub fn try_all() -> Vec<Tried> {
    let mut mistakes = Vec::new();
    let mut tried = Vec::new();
    for profile in [Profile::Envoy, Profile::Higress] {
        for line in GOOD {
            tried.extend(try_one(profile, line, &mut mistakes));
        }
    }
    assert!(mistakes.is_empty(), "{} mistakes:\n{}", mistakes.len(), mistakes.join("\n"));
    tried
}

fn try_one(profile: Profile, line: &str, mistakes: &mut Vec<String>) -> Option<Tried> {
    let mut guest = Guest::default();
    let (import, words, answer) = good(&mut guest, line);
    if import.offer == Offer::Higress && profile != Profile::Higress {
        return None;
    }
    let variants = variants(import, &words, answer);
    let mut steps = Vec::new();
    for (number, variant) in variants.iter().enumerate() {
        steps.push(restored(&guest));
        if import.name == "proxy_dequeue_shared_queue" {
            steps.extend(parse("enqueue_shared_queue(1, 'item') -> Ok"));
        }
        steps.push(logged(import, FIRST + number, &variant.words));
    }
    let mut host = started(profile, &mut guest, import, "", steps);
    let mut mistake = |text: String| {
        mistakes.push(format!("{} ({}): {text}", import.name, profile.name()));
    };
    if let Err(fault) = host.send(exchange()) {
        mistake(fault.to_string());
        return None;
    }
    let answers = answers(&mut host, FIRST);
    assert_eq!(answers.len(), variants.len(), "{line}");
    let mut before = 0;
    for (variant, &answer) in variants.iter().zip(&answers) {
        let right = match variant.wanted {
            Wanted::Status(wanted) => answer == wanted,
            Wanted::Reached => answer != 6,
            Wanted::Same => answer == before,
            Wanted::Some => true,
        };
        if !right || (import.result == Returns::Status && answer > 12) {
            let Variant { what, words, wanted } = variant;
            mistake(format!("{what} {words:?}: observed {answer}, expected {wanted:?}"));
        }
        before = answer;
    }
    // The stream after it is like any other.
    if let Err(fault) = host.send(exchange()) {
        mistake(format!("the next stream: {fault}"));
    }
    Some(Tried {
        import: import.name,
        higress: profile == Profile::Higress,
        variants: variants.len(),
        answers: answers.into_iter().collect(),
    })
}

#[test]
fn a_refused_call_has_done_nothing() {
    // A token that cannot be handed over is found out before the call is made.
    for (line, callback) in [
        (GOOD[21], "http_call_response"),
        (GOOD[22], "grpc_receive"),
        (GOOD[23], "grpc_receive_initial_metadata"),
        (GOOD[44], "redis_call_response"),
    ] {
        let mut guest = Guest::default();
        let (import, mut words, _) = good(&mut guest, line);
        let fine = logged(import, FIRST, &words.concat());
        *words.last_mut().unwrap() = vec![i64::from(END)];
        let refused = logged(import, FIRST + 1, &words.concat());
        for (steps, wanted) in [(vec![refused.clone()], 0), (vec![fine, refused], 1)] {
            let mut guest = Guest::default();
            good(&mut guest, line);
            let mut host = started(Profile::Higress, &mut guest, import, "", steps);
            host.send(exchange()).unwrap();
            host.run_for(std::time::Duration::from_secs(1)).unwrap();
            let log = host.log().to_vec();
            let came = told(&log).iter().filter(|(of, _)| *of == callback).count();
            assert_eq!(came, wanted, "{callback}");
            assert_eq!(answers(&mut host, FIRST).last(), Some(&6));
        }
    }
    // What is written is not half written.
    for (line, wrong) in [
        (GOOD[12], vec![0, 4096, 3, i64::from(END), 1]),
        (GOOD[13], vec![0, 4096, 3, i64::from(END), 1]),
        (GOOD[16], vec![0, i64::from(END), 1]),
        (GOOD[20], vec![0, 0, 0x7fff_ffff, i64::from(END), 1]),
    ] {
        let mut guest = Guest::default();
        let (import, ..) = good(&mut guest, line);
        let steps = vec![logged(import, FIRST, &wrong)];
        let mut host = started(Profile::Higress, &mut guest, import, "", steps);
        let outcome: Outcome = host.send(exchange()).unwrap();
        assert_eq!(answers(&mut host, FIRST), [6], "{line}");
        assert_eq!(outcome.upstream.text(), "hello", "{line}");
        assert_eq!(outcome.upstream.header(":path").as_deref(), Some("/path"), "{line}");
        assert_eq!(outcome.upstream.header("x-a"), None, "{line}");
    }
}

/// Allocators by the address that they give, and what calls answer then. A name stands for the
/// address in the text of an argument.
const ALLOCATORS: [(&str, &str, u32); 9] = [
    ("nothing", "(i32.const 0)", 6),
    ("behind memory", "(i32.const 0x200000)", 6),
    ("the last byte of memory", "(i32.const 0x1fffff)", 6),
    ("the end of addresses", "(i32.const -1)", 6),
    ("the middle of addresses", "(i32.const 0x80000000)", 6),
    ("the end of memory, exactly", "(i32.sub (i32.const 0x200000) (local.get 0))", 0),
    ("an odd address", "(i32.const 0x20001)", 0),
    ("the same address always", "(i32.const 0x20000)", 0),
    ("an address in the argument", "(i32.const 4098)", 0),
];

#[test]
fn allocators_that_give_what_no_allocator_gives() {
    let handing_over = IMPORTS.iter().zip(GOOD).filter(|(import, _)| {
        // A status without a text and hosts of no cluster need no memory.
        import.params.contains(&Param::Out)
            && !["proxy_get_status", "proxy_call_foreign_function", "proxy_get_upstream_hosts"]
                .contains(&import.name)
    });
    let mut mistakes = Vec::new();
    for (_, line) in handing_over {
        for (what, address, wanted) in ALLOCATORS {
            let extra = format!(
                "(func (export \"proxy_on_memory_allocate\") (param i32) (result i32) {address})"
            );
            let mut guest = Guest::default();
            let (import, words, _) = good(&mut guest, line);
            let words = words.concat();
            let mut steps = Vec::new();
            for number in 0..3 {
                steps.push(restored(&guest));
                if import.name == "proxy_dequeue_shared_queue" {
                    steps.extend(parse("enqueue_shared_queue(1, 'item') -> Ok"));
                }
                steps.push(logged(import, FIRST + number, &words));
            }
            let mut host = started(Profile::Higress, &mut guest, import, &extra, steps);
            let outcome = host.send(exchange());
            let answers = answers(&mut host, FIRST);
            if answers != [wanted; 3] || !outcome.is_ok_and(|outcome| outcome.downstream.ended) {
                mistakes.push(format!("{line}: {what}: observed {answers:?}, expected {wanted}"));
            }
        }
    }
    assert!(mistakes.is_empty(), "{} mistakes:\n{}", mistakes.len(), mistakes.join("\n"));
}
