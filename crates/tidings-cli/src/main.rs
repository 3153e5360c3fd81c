//! The `tidings` command.

mod api;
mod arguments;
mod audit;
mod backup;
mod banner;
mod bot_file;
mod deliveries;
mod doctor;
mod failure;
mod ink;
mod jobs;
mod keys;
mod limits;
mod moment;
mod pg_dump;
mod place;
mod request;
mod serve;
mod table;

use std::io::Write;
use std::process::ExitCode;

use arguments::{Arguments, AuditCommand, Command, JobsCommand};
use clap::Parser;
use failure::Failure;
use tidings_server::Config;

/// A turn allocates and frees a few kilobytes many times over: about a sixth of its processor time with the system's
/// allocator (docs/adr/0006-allocator.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        None => serve::run(&arguments.serve),
        Some(Command::Serve(serve)) => serve::run(&serve),
        Some(Command::Jobs(JobsCommand::List(list))) => jobs::list(&list),
        Some(Command::Deliveries(command)) => deliveries::run(&command),
        Some(Command::Limits(command)) => limits::run(&command),
        Some(Command::Keys(command)) => keys::run(command),
        Some(Command::Audit(AuditCommand::List(list))) => audit::list(&list),
        Some(Command::Backup(command)) => backup::run(&command),
        Some(Command::BotFile(command)) => bot_file::run(&command),
        Some(Command::Doctor(examine)) => match doctor::run(&examine) {
            Ok(code) => return code,
            Err(failure) => Err(failure),
        },
        Some(Command::Config) => print(Config::MANUAL),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // One line, and nowhere else to tell it if standard error is gone.
            let _unheard = writeln!(std::io::stderr(), "tidings: {failure}");
            failure.code()
        }
    }
}

/// Writes to standard output; that nobody reads on is not an error (`tidings config | head`).
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::Other(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}

/// One thread where there is one processor: a second would only take turns with it.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = match std::thread::available_parallelism() {
        Ok(processors) if processors.get() == 1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder
        .enable_all()
        .build()
        .map_err(|error| Failure::Other(format!("cannot start the runtime: {error}")))
}
