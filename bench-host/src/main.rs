//! The command `bench-host`.

use std::process::ExitCode;

fn main() -> ExitCode {
    bench_host::cli::main()
}
