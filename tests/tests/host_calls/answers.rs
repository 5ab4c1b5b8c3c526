//! What becomes of messages by what callbacks answer, on HTTP/1 and on HTTP/2.
//!
//! On HTTP/1 an empty frame of its own ends a body, on HTTP/2 the last frame does.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bench_host::engine::wasm::WasmPlugin;
use bench_host::host::Profile;
use bench_host::testing::{Answer, Call, Outcome, Seen, TestHost};
use chunkwise_tests::guest::CALLBACKS;

use super::guest::Guest;
use super::run::{LIMITS, settings, told};
use super::script::parse;

/// A callback answered this, and so many body callbacks came with these sizes, and this went on.
#[derive(Debug, PartialEq)]
struct Became {
    /// The sizes that body callbacks were told.
    sizes: Vec<u32>,
    /// Headers, body and end as the receiver got them; no headers are `None`.
    received: Option<(String, bool)>,
}

/// A callback, in which of its invocations (0: in all), and its answer.
type Answered = (String, u8, i8);

/// Callbacks that came, with their arguments.
type Told = Vec<(&'static str, Vec<u32>)>;

/// A guest whose configuration says what it answers: two characters for each callback, in which of
/// its invocations and what, of which 0 is a space.
fn guest(abi: &'static str) -> (Vec<u8>, WasmPlugin) {
    static GUESTS: Mutex<BTreeMap<&str, (Vec<u8>, WasmPlugin)>> = Mutex::new(BTreeMap::new());
    let make = || {
        // The address of the configuration is handed over in the first cell.
        let read = parse("get_buffer_bytes(7, 0, 99) -> Ok _");
        let mut parts = vec![("configure".to_owned(), None, read)];
        for (at, (name, ..)) in CALLBACKS.iter().enumerate() {
            if ANSWERING.contains(name) {
                let entry = "(i32.load (i32.const 64))";
                let (times, answer) = (2 * at, 2 * at + 1);
                let wat = format!(
                    "(if (i32.or (i32.eqz (i32.load8_u offset={times} {entry})) \
                         (i32.eq (i32.load8_u offset={times} {entry}) (global.get $times_{name}))) \
                     (then (return (i32.sub (i32.load8_u offset={answer} {entry}) (i32.const 32)))))"
                );
                parts.push(((*name).to_owned(), None, parse(&wat)));
            }
        }
        let module = Guest::default().module(abi, "", &parts);
        let plugin = WasmPlugin::compile(&module, LIMITS).unwrap();
        (module, plugin)
    };
    GUESTS.lock().unwrap().entry(abi).or_insert_with(make).clone()
}

/// Callbacks whose answers matter.
const ANSWERING: [&str; 6] = [
    "request_headers",
    "request_body",
    "request_trailers",
    "response_headers",
    "response_body",
    "response_trailers",
];

fn send(
    answered: &[Answered],
    abi: &'static str,
    limit: Option<usize>,
    call: Call,
) -> (Told, Outcome) {
    let (module, plugin) = guest(abi);
    let mut configuration = [0, b' '].repeat(CALLBACKS.len());
    for (name, times, answer) in answered {
        let at = CALLBACKS.iter().position(|(known, ..)| known == name).unwrap();
        configuration[2 * at] = *times;
        configuration[2 * at + 1] = b' '.strict_add_signed(*answer);
    }
    let profile = if abi == "0_2_100" { Profile::Higress } else { Profile::Envoy };
    let mut settings = settings(profile, &module);
    settings.buffer_limit = limit;
    let configuration = String::from_utf8(configuration).unwrap();
    let mut host = TestHost::start(&plugin, settings, &configuration).unwrap();
    let outcome = host.send(call).unwrap();
    (told(host.log()), outcome)
}

fn call(http1: bool, trailers: bool) -> Call {
    let mut answer = Answer::new(200).chunks(["ab", "cd"]);
    let mut call = Call::post("/").chunks(["ab", "cd"]);
    if trailers {
        call = call.trailer("t", "1");
        answer = answer.trailer("t", "1");
    }
    let call = call.answer(answer);
    if http1 { call.http1() } else { call }
}

/// What became of one direction.
fn became(
    direction: &str,
    answered: &[Answered],
    abi: &'static str,
    http1: bool,
    trailers: bool,
) -> Became {
    let (told, outcome) = send(answered, abi, Some(1000), call(http1, trailers));
    let body = format!("{direction}_body");
    let sizes = told.iter().filter(|(of, _)| *of == body).map(|(_, given)| given[1]).collect();
    let seen: &Seen = if direction == "request" { &outcome.upstream } else { &outcome.downstream };
    let received = (!seen.headers.is_empty()).then(|| (seen.text().into_owned(), seen.ended));
    Became { sizes, received }
}

fn gone(sizes: &[u32], body: &str, ended: bool) -> Became {
    Became { sizes: sizes.to_vec(), received: Some((body.to_owned(), ended)) }
}

fn held() -> Became {
    Became { sizes: Vec::new(), received: None }
}

/// Answers that were tried: callback, answer, ABI and framing.
pub type Tried = (String, i8, &'static str, bool);

const ABIS: [&str; 4] = ["0_1_0", "0_2_0", "0_2_1", "0_2_100"];

/// Tries everything; what was tried.
pub fn try_all() -> Vec<Tried> {
    let mut tried = Vec::new();
    for abi in ABIS {
        for http1 in [false, true] {
            for direction in ["request", "response"] {
                headers(direction, abi, http1, &mut tried);
                bodies(direction, abi, http1, &mut tried);
                trailers(direction, abi, http1, &mut tried);
            }
        }
    }
    tried
}

fn headers(direction: &str, abi: &'static str, http1: bool, tried: &mut Vec<Tried>) {
    let name = format!("{direction}_headers");
    let frames: &[u32] = if http1 { &[2, 2, 0] } else { &[2, 2] };
    for answer in [0, 1, 2, 3, 4, 5, 77, -1] {
        let wanted = match answer {
            0 | 2 => gone(frames, "abcd", true),
            // Released by the first body callback that lets its frame go on.
            1 if abi == "0_2_100" => gone(frames, "abcd", true),
            _ => held(),
        };
        let answered = [(name.clone(), 0, answer)];
        let is = became(direction, &answered, abi, http1, false);
        assert_eq!(is, wanted, "{name} answers {answer} under {abi}, HTTP/1: {http1}");
        tried.push((name.clone(), answer, abi, http1));
    }
}

fn bodies(direction: &str, abi: &'static str, http1: bool, tried: &mut Vec<Tried>) {
    let name = format!("{direction}_body");
    let frames: &[u32] = if http1 { &[2, 2, 0] } else { &[2, 2] };
    for answer in [0, 1, 2, 3, 4, 77, -1] {
        // Held bytes are shown again only after an answer of 1.
        let sizes: &[u32] = match (answer, http1) {
            (1, true) => &[2, 4, 4],
            (1, false) => &[2, 4],
            _ => frames,
        };
        let wanted = if answer == 0 { gone(frames, "abcd", true) } else { gone(sizes, "", false) };
        let is = became(direction, &[(name.clone(), 0, answer)], abi, http1, false);
        assert_eq!(is, wanted, "{name} answers {answer} under {abi}, HTTP/1: {http1}");

        let (sizes, body): (&[u32], _) = match (answer, http1) {
            (0 | 2, _) => (frames, "abcd"),
            (1, true) => (&[2, 4, 0], "abcd"),
            (1, false) => (&[2, 4], "abcd"),
            // The first frame is dropped.
            _ => (frames, "cd"),
        };
        let is = became(direction, &[(name.clone(), 1, answer)], abi, http1, false);
        let wanted = gone(sizes, body, true);
        assert_eq!(is, wanted, "{name} first answers {answer} under {abi}, HTTP/1: {http1}");
        tried.push((name.clone(), answer, abi, http1));
    }
}

fn trailers(direction: &str, abi: &'static str, http1: bool, tried: &mut Vec<Tried>) {
    let name = format!("{direction}_trailers");
    for answer in [0, 1, 2, 77, -1] {
        let wanted = gone(&[2, 2], "abcd", answer == 0);
        let is = became(direction, &[(name.clone(), 0, answer)], abi, http1, true);
        assert_eq!(is, wanted, "{name} answers {answer} under {abi}, HTTP/1: {http1}");
        // What the body callback holds is let go by the trailers.
        let answered = [(format!("{direction}_body"), 0, 1), (name.clone(), 0, answer)];
        let is = became(direction, &answered, abi, http1, true);
        let wanted =
            if answer == 0 { gone(&[2, 4], "abcd", true) } else { gone(&[2, 4], "", false) };
        assert_eq!(is, wanted, "{name} answers {answer} to a held body under {abi}");
        tried.push((name.clone(), answer, abi, http1));
    }
}

#[test]
fn more_than_the_limit_fails_a_stream_that_buffers_and_slows_down_one_with_a_watermark() {
    for (callback, answer, fails) in
        [("headers", 3, true), ("headers", 4, false), ("body", 1, true), ("body", 2, false)]
    {
        for http1 in [false, true] {
            for (direction, status) in [("request", "413"), ("response", "500")] {
                let answered = [(format!("{direction}_{callback}"), 0, answer)];
                let (_, outcome) = send(&answered, "0_2_100", Some(3), call(http1, false));
                let seen = outcome.downstream.header(":status");
                let failed = seen.as_deref() == Some(status) || outcome.reset;
                assert_eq!(failed, fails, "{direction}_{callback} {answer} {http1}: {outcome:?}");
            }
        }
    }
}
