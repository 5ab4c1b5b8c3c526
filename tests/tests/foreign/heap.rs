//! Profiles of the heap: what can be seen of each language, with names of functions and without.

use std::fs;

use bench_host::engine::wasm::{Limits, WasmPlugin};
use bench_host::heap::{Instrumented, NotFound, Profile, Recording, instrument};
use bench_host::measure::Phase;
use bench_host::module::AbiVersion;
use chunkwise_tests::toolchains::Tool;

use crate::build::{Built, built};
use crate::languages::{
    ASSEMBLYSCRIPT, CPP, Compiler, GO, Language, MODULE, RUST_01, RUST_02, ZIG,
};
use crate::replayed::run;

/// As [`CPP`], with names: `-s` is left out, and zig keeps names with `-g` only.
static CPP_NAMED: Language = Language {
    name: "cpp-named",
    sources: "cpp",
    abi: AbiVersion::V0_2_1,
    compiler: Compiler::Tool {
        tool: Tool::Zig,
        variables: &[],
        arguments: &[
            "c++",
            "--target=wasm32-wasi",
            "-mexec-model=reactor",
            "-std=c++20",
            "-O2",
            "-msimd128",
            "-fno-exceptions",
            "-g",
            "-Wl,--export=malloc",
            "-Wl,-z,stack-size=65536",
            "-o",
            MODULE,
            "plugin.cpp",
        ],
    },
};

/// As [`ZIG`], without `-fstrip`.
static ZIG_NAMED: Language = Language {
    name: "zig-named",
    sources: "zig",
    abi: AbiVersion::V0_2_1,
    compiler: Compiler::Tool {
        tool: Tool::Zig,
        variables: &[],
        arguments: &[
            "build-exe",
            "plugin.zig",
            "-target",
            "wasm32-wasi",
            "-mcpu",
            "generic+simd128",
            "--stack",
            "65536",
            "-fno-entry",
            "-rdynamic",
            "-O",
            "ReleaseFast",
            "-femit-bin={module}",
        ],
    },
};

/// As [`ASSEMBLYSCRIPT`], with `--debug`.
static ASSEMBLYSCRIPT_NAMED: Language = Language {
    name: "assemblyscript-named",
    sources: "assemblyscript",
    abi: AbiVersion::V0_2_1,
    compiler: Compiler::Tool {
        tool: Tool::AssemblyScript,
        variables: &[],
        arguments: &[
            "--optimize",
            "--debug",
            "--runtime",
            "incremental",
            "--exportStart",
            "_initialize",
            "--use",
            "abort=plugin/abort",
            "-o",
            MODULE,
            "plugin.ts",
        ],
    },
};

/// As [`GO`], without `-ldflags=-s`.
static GO_NAMED: Language = Language {
    name: "go-named",
    sources: "go",
    abi: AbiVersion::V0_2_1,
    compiler: Compiler::Tool {
        tool: Tool::Go,
        variables: &[("GOOS", "wasip1"), ("GOARCH", "wasm")],
        arguments: &[
            "build",
            "-buildmode=c-shared",
            "-trimpath",
            "-buildvcs=false",
            "-o",
            MODULE,
            ".",
        ],
    },
};

/// Replays the same traffic plainly and recorded, which must come to the same.
fn recorded(built: &Built, module: Instrumented) -> Profile {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let plain = run(built, 3, Some(folders[0].path()));
    let recording = Recording::default();
    let plugin = WasmPlugin::recording(module, Limits::COUNTED, &recording).unwrap();
    let watched = Built {
        module: bench_host::module::Module::parse(&built.module.path, built.module.bytes.clone())
            .unwrap(),
        plugin,
        compiler: built.compiler.clone(),
    };
    let watched = run(&watched, 3, Some(folders[1].path()));
    for file in fs::read_dir(folders[0].path()).unwrap() {
        let file = file.unwrap();
        let other = fs::read(folders[1].path().join(file.file_name())).unwrap();
        assert!(fs::read(file.path()).unwrap() == other, "{:?}", file.file_name());
    }
    for phase in Phase::ALL {
        assert_eq!(plain.ledger.host_calls(phase), watched.ledger.host_calls(phase));
    }
    let profile = recording.finish();
    let growth = &profile.growth;
    assert_eq!(growth.initial_pages + growth.grown_pages, plain.heap.pages_final);
    println!(
        "{}: {} in all, {:?} at the peak, {:?} left, {} unseen, {} unknown, {} steps",
        built.compiler,
        profile.total.1,
        profile.peak,
        profile.left,
        profile.unseen_frees,
        profile.unknown_frees,
        growth.grows
    );
    profile
}

/// What is seen of a language whose allocator is found; `exact` is whether no part of it has been
/// inlined.
fn seen(language: &'static Language, by: &str, exact: bool) {
    let Some(built) = built(language) else { return };
    let module = instrument(&built.module.bytes).unwrap();
    let allocator = module.allocator.clone().unwrap();
    assert_eq!((allocator.to_string().as_str(), allocator.frees), (by, true));
    let profile = recorded(&built, module);
    // At least the chunks, which the host asks memory for: 16 requests of 64 each.
    assert!(profile.total.1 >= 1_024 && profile.total.0 >= 16 << 20, "{:?}", profile.total);
    if exact {
        assert_eq!((profile.unseen_frees, profile.unknown_frees), (0, 0));
        // Nobody keeps what a request needs.
        assert!(profile.left.0 < 64 << 10, "{:?}", profile.left);
    }
    let largest = profile.points.iter().max_by_key(|point| point.total_bytes).unwrap();
    let outermost = &profile.frames[*largest.stack.last().unwrap() as usize];
    assert!(outermost.contains("on_request_body"), "{outermost}");
}

/// What is seen of a module whose allocator is not found.
fn growth_only(language: &'static Language, reason: NotFound) {
    let Some(built) = built(language) else { return };
    let module = instrument(&built.module.bytes).unwrap();
    assert_eq!(module.allocator, Err(reason));
    let profile = recorded(&built, module);
    assert!(profile.points.is_empty());
    assert!(profile.growth.points.len() > 1);
}

#[test]
fn rust_is_seen_as_it_is_built() {
    seen(&RUST_01, "malloc", true);
    seen(&RUST_02, "malloc", true);
}

#[test]
fn cpp_is_seen_with_names() {
    seen(&CPP_NAMED, "operator new, malloc", true);
    growth_only(&CPP, NotFound::NoNames);
}

#[test]
fn zig_is_seen_with_names_as_far_as_it_is_not_inlined() {
    seen(&ZIG_NAMED, "Zig's allocator", false);
    growth_only(&ZIG, NotFound::NoNames);
}

#[test]
fn assemblyscript_is_seen_with_names() {
    seen(&ASSEMBLYSCRIPT_NAMED, "AssemblyScript's runtime", true);
    growth_only(&ASSEMBLYSCRIPT, NotFound::NoNames);
}

#[test]
fn go_has_its_growth_alone() {
    growth_only(&GO_NAMED, NotFound::Go);
    growth_only(&GO, NotFound::NoNames);
}
