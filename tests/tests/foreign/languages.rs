//! The languages, and how each is compiled.

use bench_host::module::AbiVersion;
use chunkwise_tests::toolchains::Tool;

/// A plugin in a language.
#[derive(Debug)]
pub struct Language {
    /// What the plugin calls itself, and the folder of its module.
    pub name: &'static str,
    /// The folder of its sources.
    pub sources: &'static str,
    pub abi: AbiVersion,
    pub compiler: Compiler,
}

/// What makes the module.
#[derive(Debug)]
pub enum Compiler {
    /// Cargo, as for our own examples.
    Cargo,
    /// A program, in the folder of the sources; [`MODULE`] in an argument is where the module goes.
    Tool {
        tool: Tool,
        variables: &'static [(&'static str, &'static str)],
        arguments: &'static [&'static str],
    },
}

/// Stands for the module's path.
pub const MODULE: &str = "{module}";

/// All of them, in the order of the table.
pub static ALL: [&Language; 6] = [&RUST_01, &RUST_02, &GO, &CPP, &ZIG, &ASSEMBLYSCRIPT];

/// The crate `proxy-wasm` before it had an ABI version in its macro.
pub static RUST_01: Language = Language {
    name: "rust-0.1",
    sources: "rust-0.1",
    abi: AbiVersion::V0_1_0,
    compiler: Compiler::Cargo,
};

/// The crate as it is.
pub static RUST_02: Language = Language {
    name: "rust-0.2",
    sources: "rust-0.2",
    abi: AbiVersion::V0_2_1,
    compiler: Compiler::Cargo,
};

/// The standard compiler, not TinyGo.
pub static GO: Language = Language {
    name: "go",
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
            "-ldflags=-s",
            "-o",
            MODULE,
            ".",
        ],
    },
};

/// Clang with libc++ and wasi-libc.
pub static CPP: Language = Language {
    name: "cpp",
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
            "-Wall",
            "-Wextra",
            "-Werror",
            "-s",
            "-Wl,--export=malloc",
            // As for our own guests, instead of 16 MiB.
            "-Wl,-z,stack-size=65536",
            "-o",
            MODULE,
            "plugin.cpp",
        ],
    },
};

/// With its collector.
pub static ASSEMBLYSCRIPT: Language = Language {
    name: "assemblyscript",
    sources: "assemblyscript",
    abi: AbiVersion::V0_2_1,
    compiler: Compiler::Tool {
        tool: Tool::AssemblyScript,
        variables: &[],
        arguments: &[
            "--optimize",
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

/// As the compiler leaves it: with imports of a browser, which no proxy offers.
pub static ASSEMBLYSCRIPT_BARE: Language = Language {
    name: "assemblyscript-bare",
    sources: "assemblyscript",
    abi: AbiVersion::V0_2_1,
    compiler: Compiler::Tool {
        tool: Tool::AssemblyScript,
        variables: &[],
        arguments: &[
            "--optimize",
            "--runtime",
            "incremental",
            "--exportStart",
            "_initialize",
            "-o",
            MODULE,
            "bare.ts",
        ],
    },
};

/// Without libc.
pub static ZIG: Language = Language {
    name: "zig",
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
            "-fstrip",
            "-femit-bin={module}",
        ],
    },
};
