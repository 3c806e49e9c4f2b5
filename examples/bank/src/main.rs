//! The bank's command line; all of it is in the library.

use std::io::{self, BufWriter};
use std::process::ExitCode;

use bank::command_line::CommandLine;
use bank::program;
use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    let mut out = BufWriter::new(io::stdout().lock());
    match program::run(&command_line, &mut out).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_closed_output() => ExitCode::SUCCESS,
        Err(failure) => {
            program::complain(format_args!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}
