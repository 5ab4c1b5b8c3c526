//! Modules that no compiler makes: they are refused with a reason, or run, in bounded time.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use bench_host::engine::wasm::WasmPlugin;
use bench_host::engine::{Callback, Guest as _, Heap};
use bench_host::host::{Host, Profile, Settings, World};
use bench_host::measure::{Ledger, Phase};
use bench_host::testing::Call;

use super::guest::{LIMITS, host, logging, module, start_error};

/// What every plugin needs.
const PLUGIN: &str = r#"(func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 64))"#;

fn wat(body: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {body})")).unwrap()
}

#[test]
fn what_is_no_core_module_does_not_compile() {
    let whole = module("");
    let component = wat::parse_str("(component)").unwrap();
    for bytes in
        [&b""[..], b"\0asm", b"\0asm\x01\0\0", b"GIF89a", &whole[..whole.len() / 2], &component]
    {
        let error = start_error(bytes).to_string();
        assert!(error.starts_with("the plugin does not compile: "), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn proposals_that_are_not_there_are_named() {
    for (body, named) in [
        (r#"(memory (export "memory") i64 1)"#, "memory64"),
        (r#"(memory (export "memory") 1 1 shared)"#, "threads"),
        (r#"(memory (export "memory") 1 (pagesize 1))"#, "custom page size"),
        (r#"(memory (export "memory") 1) (type (struct (field i32)))"#, "gc"),
        (r#"(memory (export "memory") 1) (tag)"#, "exceptions"),
    ] {
        let error = start_error(&wat(&format!("{PLUGIN}{body}"))).to_string();
        assert!(error.starts_with("the plugin does not compile: "), "{error}");
        assert!(error.to_lowercase().contains(named), "{named}: {error}");
    }
}

#[test]
fn a_memory_without_pages_is_enough_to_begin_with() {
    let body = r#"(memory (export "memory") 0)
        (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
        (func (export "proxy_on_tick") (param i32)
            (if (call $log (i32.const 2) (i32.const 0) (i32.const 0)) (then (unreachable)))
            (if (i32.ne (call $log (i32.const 2) (i32.const 0) (i32.const 1)) (i32.const 6))
                (then (unreachable))))"#;
    let (import, rest) = body.split_once("\n        (import").unwrap();
    let bytes = wat(&format!(
        "(import{}",
        rest.replacen("(result i32)))", &format!("(result i32))) {import} {PLUGIN}"), 1)
    ));
    let plugin = WasmPlugin::compile(&bytes, LIMITS).unwrap();
    let host = Host::new(Settings::new(Profile::Envoy), &World::default());
    let mut guest = plugin.instantiate(host).unwrap();
    assert_eq!(guest.call(Callback::Tick { context: 1 }), Ok(Some(1)));
    assert_eq!((guest.heap(), guest.host().memory_bytes), (Heap::default(), 0));
}

#[test]
fn endless_start_functions_are_stopped() {
    let start = "(func $early (loop $again (br $again))) (start $early)";
    insta::assert_snapshot!(start_error(&module(start)), @"
    the plugin failed in the start function: it took more than 10 000 000 instructions, the most for one callback (an endless loop?)
       0: early
    ");
    let initialize = r#"(func $early (export "_initialize") (loop $again (br $again)))"#;
    insta::assert_snapshot!(start_error(&module(initialize)), @"
    the plugin failed in _initialize: it took more than 10 000 000 instructions, the most for one callback (an endless loop?)
       0: early
    ");
}

/// Books that lie are no books; what they say is never an address of the host.
#[test]
fn books_that_lie() {
    for books in [
        "(i32.const -1)",
        "(i32.const 131072)",
        "(i32.const 131064)",
        "(i32.const 65540)",
        "(unreachable)",
        "(loop $again (br $again)) (unreachable)",
        "(drop (memory.grow (i32.const 70000))) (i32.const 0x7ffffff8)",
    ] {
        let books = format!(r#"(func (export "chunkwise_books") (result i32) {books})"#);
        // A version where the last of these addresses ends, and nothing behind it.
        let version = "(data (i32.const 131064) \"\\01\\00\\00\\00\\00\\00\\00\\00\")";
        let plugin = WasmPlugin::compile(&module(&format!("{books}{version}")), LIMITS).unwrap();
        let host = Host::new(Settings::new(Profile::Envoy), &World::default());
        let mut guest = plugin.instantiate(host).unwrap();
        assert_eq!(guest.heap().books, None, "{books}");
        assert_eq!(guest.gauge().allocations, None, "{books}");
    }
}

/// A guest whose books say this, and then that, before every other chunk.
fn changing_books(one: &str, other: &str) -> Ledger {
    let books = format!(
        r#"(func (export "chunkwise_books") (result i32) (i32.const 65536))
        (data (i32.const 65536) "\01\00\00\00\00\00\00\00")
        {}"#,
        logging(&[(
            "request_body",
            &format!(
                "(i64.store (i32.const 65544) (i64.const {one}))
                (if (i32.and (local.get 1) (i32.const 1))
                    (then (i64.store (i32.const 65544) (i64.const {other}))))
                (i32.const 0)"
            )
        )])
    );
    let chunks: Vec<_> = (0..100).map(|chunk| "x".repeat(1 + chunk % 2)).collect();
    let mut host = host(&books);
    host.send(Call::post("/").chunks(chunks)).unwrap();
    host.ledger().clone()
}

#[test]
fn books_with_huge_numbers_are_numbers() {
    let allocations = |ledger: &Ledger| ledger.phase(Phase::RequestBody).allocations;
    let most = changing_books("0", "0x1000000000000");
    assert_eq!(allocations(&most).unwrap().count, 50 << 48);
    // Beyond what any guest does they are not believed, however they change.
    let lies = changing_books("0", "-1");
    assert!(allocations(&lies).is_none_or(|sum| sum.count == 0), "{:?}", allocations(&lies));
}

#[test]
fn a_start_that_fails_leaves_the_plugin_as_it_was() {
    let code = "(if (i32.eq (local.get 1) (i32.const 3)) (then (unreachable))) (i32.const 1)";
    let plugin = WasmPlugin::compile(&module(&logging(&[("configure", code)])), LIMITS).unwrap();
    let start = |configuration: &str| {
        bench_host::testing::TestHost::start(&plugin, Settings::new(Profile::Envoy), configuration)
    };
    assert!(start("bad").unwrap_err().to_string().contains("proxy_on_configure"));
    assert!(start("good").is_ok());
}

/// How long a module takes to compile and to start. The limit is far above what it takes, and far
/// below what anything but a linear algorithm would take.
fn starts_soon(what: &str, body: &str) {
    let bytes = wat(&format!("{body} {PLUGIN} (memory (export \"memory\") 1)"));
    let begin = Instant::now();
    let plugin = WasmPlugin::compile(&bytes, LIMITS);
    let started = plugin.and_then(|plugin| {
        plugin.instantiate(Host::new(Settings::new(Profile::Envoy), &World::default())).map(drop)
    });
    let took = begin.elapsed();
    println!("{what}: {took:?}, {:?}", started.as_ref().err().map(ToString::to_string));
    assert!(took < Duration::from_secs(60), "{what}: {took:?}");
}

#[test]
fn very_many_of_everything() {
    let repeated = |count: u32, item: &dyn Fn(u32) -> String| {
        (0..count).fold(String::new(), |mut text, number| {
            writeln!(text, "{}", item(number)).unwrap();
            text
        })
    };
    starts_soon("functions", &repeated(10_000, &|_| "(func)".to_owned()));
    starts_soon("imports", &repeated(10_000, &|n| format!("(import \"env\" \"f{n}\" (func))")));
    starts_soon("exports", &repeated(1_000, &|n| format!("(func (export \"e{n}\"))")));
    starts_soon(
        "types",
        &repeated(5_000, &|n| {
            let bits: String =
                (0..17).map(|bit| if n >> bit & 1 == 1 { "i32 " } else { "i64 " }).collect();
            format!("(type (func (param {bits})))")
        }),
    );
    starts_soon("locals", &format!("(func (local {}))", "i64 ".repeat(49_000)));
    starts_soon("blocks", &format!("(func {} {})", "(block ".repeat(5_000), ")".repeat(5_000)));
    starts_soon(
        "code",
        &format!(
            "(func (param i32) {})",
            "(drop (i32.mul (local.get 0) (i32.const 3)))".repeat(50_000)
        ),
    );
}
