//! The languages, and how each is compiled.

use bench_host::module::AbiVersion;
use chunkwise_tests::toolchains::Tool;

/// A plugin in a language.
#[derive(Debug)]
pub struct Language {
    /// What the plugin calls itself, and the folder of its sources.
    pub name: &'static str,
    pub abi: AbiVersion,
    pub compiler: Compiler,
}

/// What makes the module.
#[derive(Debug)]
pub enum Compiler {
    /// Cargo, as for our own examples.
    Cargo,
    /// A program, in the folder of the sources; `-o` and the module follow its arguments.
    Tool {
        tool: Tool,
        variables: &'static [(&'static str, &'static str)],
        arguments: &'static [&'static str],
        sources: &'static [&'static str],
    },
}

impl Language {
    /// What follows the module on the command line.
    pub fn sources(&self) -> &'static [&'static str] {
        match self.compiler {
            Compiler::Cargo => &[],
            Compiler::Tool { sources, .. } => sources,
        }
    }
}

/// The crate `proxy-wasm` before it had an ABI version in its macro.
pub static RUST_01: Language =
    Language { name: "rust-0.1", abi: AbiVersion::V0_1_0, compiler: Compiler::Cargo };

/// The crate as it is.
pub static RUST_02: Language =
    Language { name: "rust-0.2", abi: AbiVersion::V0_2_1, compiler: Compiler::Cargo };

/// The standard compiler, not TinyGo.
pub static GO: Language = Language {
    name: "go",
    abi: AbiVersion::V0_2_1,
    compiler: Compiler::Tool {
        tool: Tool::Go,
        variables: &[("GOOS", "wasip1"), ("GOARCH", "wasm")],
        arguments: &["build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s"],
        sources: &["."],
    },
};

/// Clang with libc++ and wasi-libc.
pub static CPP: Language = Language {
    name: "cpp",
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
            "-fno-exceptions",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-s",
            "-Wl,--export=malloc",
        ],
        sources: &["plugin.cpp"],
    },
};

/// With its collector.
pub static ASSEMBLYSCRIPT: Language = Language {
    name: "assemblyscript",
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
        ],
        sources: &["plugin.ts"],
    },
};
