//! What happens when the program is run.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use es_core::{
    EventStore, LoadError, Projection, ProjectionView, Registry, RegistryError, Runtime,
    StartError, WaitError,
};
use es_memory_store::MemoryStore;
use indicatif::{ProgressBar, ProgressStyle};

use crate::account::AccountId;
use crate::command_line::{Action, CommandLine, ImportOptions, Source, StoreChoice};
use crate::import::{ImportError, Imported, import};
use crate::movements::{InputError, Movements};
use crate::projections::{Balances, Days, Purposes};
use crate::report;

/// Why a run did not end well.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Failure {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("the import ended early: {file}: {error}")]
    Import { file: String, error: ImportError },
    #[error("{file}: {rows} of its rows were refused, see the warnings above")]
    Rejected { file: String, rows: usize },
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Wait(#[from] WaitError),
    #[error("{}: can not be written: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error("the standard output can not be written: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// Whether it is only that nobody reads the output to its end, as with `| head`.
    pub fn is_closed_output(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// Does what the command line asks for, and prints to `out`.
///
/// # Errors
/// See [`Failure`]. What was printed until then stands.
pub async fn run(command_line: &CommandLine, out: &mut impl Write) -> Result<(), Failure> {
    let outcome = match command_line.store {
        StoreChoice::Memory => act(&start(MemoryStore::new()).await?, &command_line.action, out),
    }
    .await;
    out.flush()?;
    outcome
}

/// A runtime over this store, with the projections of this package.
///
/// # Errors
/// When there is no tokio runtime.
pub async fn start<S: EventStore>(store: S) -> Result<Runtime<S>, Failure> {
    let registry = Registry::linked().expect_package(env!("CARGO_PKG_NAME")).build()?;
    Ok(Runtime::builder(store).registry(registry).start().await?)
}

async fn act<S: EventStore>(
    runtime: &Runtime<S>,
    action: &Action,
    out: &mut impl Write,
) -> Result<(), Failure> {
    match action {
        Action::Import { file, options } => {
            let movements = Movements::read(file)?;
            import_and_tell(runtime, &movements, options, out).await?;
        }
        Action::Demo { file, options } => {
            let movements = read_or_sample(file.as_deref())?;
            let refused = import_and_tell(runtime, &movements, options, out).await;
            if !matches!(refused, Ok(()) | Err(Failure::Rejected { .. })) {
                return refused;
            }
            report::write_balances(out, &current(runtime).await?)?;
            refused?;
        }
        Action::Balances { source } => {
            fill(runtime, source).await?;
            report::write_balances(out, &current(runtime).await?)?;
        }
        Action::Statement { account, source } => {
            fill(runtime, source).await?;
            let lines = report::statement(runtime, *account).await?;
            if lines.is_empty() {
                return Err(Failure::NoAccount(*account));
            }
            report::write_statement(out, &lines)?;
        }
        Action::Summary { source } => {
            fill(runtime, source).await?;
            report::write_totals(out, &current(runtime).await?, &current(runtime).await?)?;
        }
    }
    Ok(())
}
