//! Any host call, with any arguments, in any callback.
//!
//! One guest reads from its configuration what to call: for each call ten bytes or more, all of
//! them printable, of which the first is the callback, the second the host call, and one for each
//! parameter picks from a pool of values at which things change.

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use bench_host::engine::wasm::WasmPlugin;
use bench_host::host::{Clock, Profile, Shared, World};
use bench_host::testing::{Answer, Call, TestHost};
use bench_host::upstream::Upstreams;
use proptest::prelude::*;

use chunkwise_tests::guest::CALLBACKS;

use super::guest::Guest;
use super::hostile::END;
use super::imports::{Answer as Returns, IMPORTS, Param};
use super::run::{LIMITS, settings};
use super::script::{Step, parse};
use super::value::{pairs, wire};

/// Numbers, and addresses that the host writes to.
const NUMBERS: [i64; 32] = [
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    13,
    64,
    80,
    100,
    255,
    403,
    1024,
    4096,
    4098,
    65_536,
    0x20000,
    0x0001_ffff,
    0x001f_fff8,
    0x001f_fffc,
    0x001f_fffd,
    0x001f_ffff,
    0x0020_0000,
    0x7fff_ffff,
    -0x8000_0000,
    -16,
    -1,
];

/// Bytes of one call in the configuration.
const RECORD: usize = 14;

/// Memory that no call is told of, full of ones.
const UNTOUCHED: (u32, u32) = (0x0018_0000, 0x1000);

/// What calls read: texts that mean something, and places that are none.
fn places(guest: &mut Guest) -> Vec<(i64, i64)> {
    let many = wire(&vec![(b"a".to_vec(), b"b".to_vec()); 1025]);
    let texts: [&[u8]; 22] = [
        b"web",
        b"g",
        b"cache",
        b"none",
        b":path",
        b"x-a",
        b"request\0path",
        b"plugin_name",
        b"wasm_need_rebuild",
        b"set_decoder_buffer_limit",
        b"get_log_level",
        b"clear_route_cache",
        b"*1\r\n$4\r\nPING\r\n",
        b"10.0.0.1:80",
        b"12",
        &pairs(":method=GET,:path=/,:authority=a"),
        &pairs("a=b,c="),
        &many,
        b"\xff\xff\xff\xff",
        b"\x01\0\0\0\x09\0\0\0\x09\0\0\0a\0b\0",
        b"\0",
        b"\xff\xfe",
    ];
    let mut places: Vec<(i64, i64)> = texts
        .iter()
        .map(|text| (guest.text(text).into(), i64::try_from(text.len()).unwrap()))
        .collect();
    let end = i64::from(END);
    places.extend([
        (0, 0),
        (end, 0),
        (end - 1, 1),
        (end - 1, 2),
        (1, -1),
        (-16, 32),
        (-1, 0),
        (4096, 1024),
        (0, 70_000),
        (0, end),
    ]);
    assert_eq!(places.len(), NUMBERS.len());
    places
}

fn module() -> &'static (Vec<u8>, WasmPlugin) {
    static MODULE: OnceLock<(Vec<u8>, WasmPlugin)> = OnceLock::new();
    MODULE.get_or_init(|| {
        let mut guest = Guest::default();
        let places = places(&mut guest);
        for import in &IMPORTS {
            guest.import(import);
        }
        let code = dispatcher(&places);
        let mut parts = Vec::new();
        for (number, (name, ..)) in CALLBACKS.iter().enumerate() {
            let mut steps = Vec::new();
            if *name == "vm_start" {
                // Its address is handed over in the first cell.
                steps.extend(parse("get_buffer_bytes(7, 0, -1) -> Ok _"));
                let keep = "(global.set $records (i32.load (i32.const 64))) \
                            (global.set $end (i32.add (i32.load (i32.const 64)) \
                                (i32.load (i32.const 68))))";
                steps.push(Step::Wat(keep.to_owned()));
            }
            steps.push(Step::Wat(format!("(call $all (i32.const {number}))")));
            parts.push(((*name).to_owned(), None, steps));
        }
        let module = guest.module("0_2_100", &code, &parts);
        let plugin = WasmPlugin::compile(&module, LIMITS).unwrap();
        (module, plugin)
    })
}

/// The functions that make the calls of a callback.
fn dispatcher(places: &[(i64, i64)]) -> String {
    let data = |number: i64| -> String {
        let bytes = u32::try_from(number & 0xffff_ffff).unwrap().to_le_bytes();
        bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
    };
    let numbers: String = NUMBERS.iter().map(|number| data(*number)).collect();
    let pool: String = places.iter().map(|(at, len)| data(*at) + &data(*len)).collect();
    let (untouched, len) = UNTOUCHED;
    let ones = "\\ff".repeat(len as usize);
    // Memory is given out again and again, so that a long run does not come to its end.
    let mut code = format!(
        r#"
        (data (i32.const 0x30000) "{numbers}") (data (i32.const 0x31000) "{pool}")
        (data (i32.const {untouched}) "{ones}")
        (global $heap (mut i32) (i32.const 0x40000))
        (func (export "proxy_on_memory_allocate") (param i32) (result i32)
            (if (i32.gt_u (local.get 0) (i32.const 0x40000)) (then (return (i32.const 0))))
            (if (i32.gt_u (global.get $heap) (i32.const 0x100000))
                (then (global.set $heap (i32.const 0x80000))))
            (global.get $heap)
            (global.set $heap (i32.add (global.get $heap) (local.get 0))))
        (global $records (mut i32) (i32.const 0))
        (global $end (mut i32) (i32.const 0))
        (func $pick (param $at i32) (param $parameter i32) (result i32)
            (i32.and (i32.const 31) (i32.load8_u (i32.add (local.get $at)
                (i32.add (local.get $parameter) (i32.const 2))))))
        (func $value (param $at i32) (param $parameter i32) (result i32)
            (i32.load offset=0x30000 (i32.shl (call $pick (local.get $at) (local.get $parameter))
                (i32.const 2))))
        (func $place (param $at i32) (param $parameter i32) (result i32)
            (i32.load offset=0x31000 (i32.shl (call $pick (local.get $at) (local.get $parameter))
                (i32.const 3))))
        (func $size (param $at i32) (param $parameter i32) (result i32)
            (i32.load offset=0x31004 (i32.shl (call $pick (local.get $at) (local.get $parameter))
                (i32.const 3))))
        (func $all (param $callback i32) (local $at i32)
            (local.set $at (global.get $records))
            (block $done (loop $next
                (br_if $done (i32.ge_u (local.get $at) (global.get $end)))
                (if (i32.eq (i32.sub (i32.load8_u (local.get $at)) (i32.const 33))
                        (local.get $callback))
                    (then (call $one (local.get $at))))
                (local.set $at (i32.add (local.get $at) (i32.const {RECORD})))
                (br $next)))
            (local.set $at (i32.const {untouched}))
            (loop $look
                (if (i64.ne (i64.load (local.get $at)) (i64.const -1)) (then (call $bad)))
                (local.set $at (i32.add (local.get $at) (i32.const 8)))
                (br_if $look (i32.lt_u (local.get $at) (i32.const {})))))
        (func $bad
            (i32.store8 (i32.const 0x10000) (i32.const 33))
            (drop (call $proxy_log (i32.const 2) (i32.const 0x10000) (i32.const 1))))
        (func $status (param i32)
            (if (i32.gt_u (local.get 0) (i32.const 12)) (then (call $bad))))
        (func $one (param $at i32) (local $which i32)
            (local.set $which (i32.sub (i32.load8_u offset=1 (local.get $at)) (i32.const 33)))
        "#,
        untouched + len
    );
    for (number, import) in IMPORTS.iter().enumerate() {
        write!(
            code,
            "(if (i32.eq (local.get $which) (i32.const {number})) (then (call ${}",
            import.name
        )
        .unwrap();
        for (place, param) in import.params.iter().enumerate() {
            let of = |kind: &str, place: usize| {
                format!(" (call ${kind} (local.get $at) (i32.const {place}))")
            };
            match param {
                Param::Wide => write!(code, "(i64.extend_i32_s {})", of("value", place)),
                Param::In => write!(code, "{}{}", of("place", place), of("size", place)),
                Param::Out => write!(code, "{}{}", of("value", place), of("value", place + 1)),
                _ => write!(code, "{}", of("value", place)),
            }
            .unwrap();
        }
        code.push(')');
        code.push_str(match import.result {
            Returns::Status => " (call $status)",
            Returns::Number => " (drop)",
            Returns::Nothing => "",
        });
        code.push_str("))\n");
    }
    code.push(')');
    code
}

const UPSTREAMS: &str = r#"
    [cluster.web]
    latency = "1ms"
    hosts = ["10.0.0.1:80"]
    [[cluster.web.http]]
    body = "answer"
    trailers = { a = "b" }
    [cluster.g]
    [[cluster.g.grpc]]
    messages = [{ text = "m", when = "open" }]
    [cluster.cache]
    store = true
"#;

/// One call as the guest reads it.
fn record() -> impl Strategy<Value = String> {
    let callbacks = u8::try_from(CALLBACKS.len()).unwrap();
    let imports = u8::try_from(IMPORTS.len()).unwrap();
    let picks = proptest::collection::vec(b'@'..b'@' + 32, RECORD - 2);
    (0..callbacks, 0..imports, picks).prop_map(|(callback, import, picks)| {
        let bytes = [vec![callback + 33, import + 33], picks].concat();
        String::from_utf8(bytes).unwrap()
    })
}

fn check(profile: Profile, records: &[String]) {
    let (module, plugin) = module();
    let upstreams = Upstreams::parse(UPSTREAMS, "test").unwrap();
    let world = World::new(Clock::default(), Shared::default(), &upstreams);
    let settings = settings(profile, module);
    let mut host = TestHost::start_in(plugin, settings, world, &records.concat()).unwrap();
    for http1 in [false, true] {
        let answer = Answer::new(200).chunks(["one", "two"]).trailer("t", "1");
        let call = Call::post("/").chunks(["ab", "cd"]).trailer("t", "1").answer(answer);
        host.send(if http1 { call.http1() } else { call }).unwrap();
    }
    let proxy = host.proxy();
    let connection = proxy.connect();
    let request = bench_host::host::Direction::Request;
    proxy.bytes(connection, request, bytes::Bytes::from_static(b"hello"), true);
    proxy.disconnect(connection, bench_host::host::PeerKind::Remote);
    host.run_for(Duration::from_millis(20)).unwrap();
    host.proxy().shut_down();
    host.run_for(Duration::from_millis(5)).unwrap();
    assert!(host.slot().crashes().is_empty(), "{:?}", host.slot().crashes());
    assert!(!host.log().iter().any(|line| line.message == "!"), "no status, or a stray write");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// 64 guests make some 200 calls each for every time that their callbacks come.
    #[test]
    fn any_call_anywhere_is_answered(
        records in proptest::collection::vec(record(), 0..400),
        higress in any::<bool>(),
    ) {
        let profile = if higress { Profile::Higress } else { Profile::Envoy };
        check(profile, &records);
    }
}

#[test]
fn the_guest_makes_the_calls_that_its_configuration_says() {
    // In `configure`, the first import, which is `proxy_log`: level 2 and the text `web`.
    let callback = CALLBACKS.iter().position(|(name, ..)| *name == "configure").unwrap();
    let first = char::from(33 + u8::try_from(callback).unwrap());
    let record = format!("{first}!B@@@@@@@@@@@");
    assert_eq!(record.len(), RECORD);
    let (module, plugin) = module();
    let settings = settings(Profile::Higress, module);
    let mut host = TestHost::start(plugin, settings, &record).unwrap();
    let lines: Vec<_> = host.log().iter().map(|line| line.message.as_str()).collect();
    assert!(lines.contains(&"web"), "{lines:?}");
}
