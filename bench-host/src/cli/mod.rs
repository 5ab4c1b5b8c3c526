//! The command line.

mod budget;
mod build;
mod demo;
mod failure;
mod heap;
mod host;
mod inspect;
mod limits;
mod package;
mod passes;
mod peers;
mod record;
mod replay;
mod test;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub(crate) use failure::Failure;

/// Runs a proxy-wasm plugin as a proxy would, and says what every chunk costs.
#[derive(Debug, Parser)]
#[command(name = "bench-host", version, max_term_width = 100, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 fine, 1 our own failure, 2 bad usage or input, \
                          3 a gate was passed over, 4 the plugin failed.";

#[derive(Debug, Subcommand)]
enum Command {
    Build(build::Arguments),
    Demo(demo::Arguments),
    Heap(Box<heap::Arguments>),
    Inspect(inspect::Arguments),
    Limits(Box<budget::Arguments>),
    Package(Box<package::Arguments>),
    Peers(peers::Arguments),
    Record(Box<record::Arguments>),
    Replay(Box<replay::Arguments>),
    Test(Box<test::Arguments>),
}

/// Parses the arguments and runs the command.
pub fn main() -> ExitCode {
    // clap itself prints usage errors, and ends with 2.
    let result = match Cli::parse().command {
        Command::Build(arguments) => build::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Heap(arguments) => heap::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Limits(arguments) => budget::run(&arguments),
        Command::Package(arguments) => package::run(&arguments),
        Command::Peers(arguments) => peers::run(&arguments),
        Command::Record(arguments) => record::run(*arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            failure.code()
        }
    }
}

/// Prints a result. A reader that has gone away (`… | head`) has seen what it wanted.
fn print(result: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(result.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::Own(format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_help_with_an_example() {
        for command in Cli::command().get_subcommands_mut() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{}", command.get_name());
        }
    }

    #[test]
    fn the_help_says_what_there_is() {
        // Whatever terminal the tests run in.
        let mut cli = Cli::command().term_width(100);
        insta::assert_snapshot!("help", cli.render_long_help());
        cli.build();
        for command in cli.get_subcommands_mut().filter(|command| command.get_name() != "help") {
            let name = format!("help_{}", command.get_name());
            insta::assert_snapshot!(name, command.render_long_help());
        }
    }
}
