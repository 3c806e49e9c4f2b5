//! What happens when the program is run.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use es_core::{
    DifferenceError, EventStore, LoadError, Projection, Query, Registry, RegistryError, Runtime,
    StartError, StateStore, Version, WaitError,
};
use es_memory_store::MemoryStore;
use es_sqlite_store::{OpenError, SqliteStore};
use es_transfer::{Copy, ExportError, Exported, Format, TransferError, Verified, export};
use indicatif::{ProgressBar, ProgressStyle};

use crate::account::{Account, AccountId};
use crate::command_line::{Action, CommandLine, ImportOptions, Source, StoreChoice};
use crate::import::{ImportError, Imported, import};
use crate::movements::{InputError, Movements};
use crate::projections::Balances;
use crate::report;

/// Why a run did not end well.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Failure {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("the import ended early: {file}: {error}")]
    Import { file: String, error: ImportError },
    #[error("{file}: rows refused by their accounts: {rows}; see the warnings above")]
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
    Difference(#[from] DifferenceError),
    #[error(transparent)]
    Wait(#[from] WaitError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Transfer(#[from] TransferError),
    #[error(transparent)]
    Export(#[from] ExportError),
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
        StoreChoice::Memory => {
            let runtime = start(MemoryStore::new()).await?;
            act(&runtime, &command_line.action, out).await
        }
    };
    out.flush()?;
    outcome
}

/// A runtime over this store, with the projections of this package.
///
/// # Errors
/// When there is no tokio runtime.
pub async fn start<S: EventStore + StateStore>(store: S) -> Result<Runtime<S>, Failure> {
    let registry = Registry::linked().expect_package(env!("CARGO_PKG_NAME")).build()?;
    Ok(Runtime::builder(store).registry(registry).snapshots().start().await?)
}

async fn act<S: EventStore>(
    runtime: &Runtime<S>,
    action: &Action,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let done = match action {
        Action::Import { file, options } => {
            import_and_tell(runtime, Movements::read(file)?, options, out).await?
        }
        Action::Demo { file, options } => {
            let movements = read_or_sample(file.as_deref())?;
            let done = import_and_tell(runtime, movements, options, out).await?;
            report::write_balances(out, &current(runtime).await?)?;
            done
        }
        Action::Balances { source } => {
            let done = fill(runtime, source).await?;
            report::write_balances(out, &current(runtime).await?)?;
            done
        }
        Action::Statement { account, until, source } => {
            let done = fill(runtime, source).await?;
            exists(runtime, *account).await?;
            let lines = report::statement(runtime, *account, until).await?;
            report::write_statement(out, &lines)?;
            done
        }
        Action::Audit { account, source } => {
            let done = fill(runtime, source).await?;
            exists(runtime, *account).await?;
            report::write_audit(out, &report::audit(runtime, *account).await?)?;
            done
        }
        Action::WhyNegative { account, source } => {
            let done = fill(runtime, source).await?;
            exists(runtime, *account).await?;
            let first = report::first_overdraft(runtime, *account).await?;
            report::write_first_overdraft(out, first.as_ref())?;
            done
        }
        Action::Export { file, format, source } => {
            let done = fill(runtime, source).await?;
            let Exported { events, digest, .. } = export_to(runtime, file, *format).await?;
            writeln!(out, "events={events} digest={digest}")?;
            done
        }
        Action::Copy { to, source } => {
            let done = fill(runtime, source).await?;
            let target = SqliteStore::open(to)?;
            let copy = Copy::new(&**runtime.store(), &target);
            let copied = copy.run(|_| {}).await?.copied;
            let Verified { events, digest } = copy.verify().await?;
            writeln!(out, "copied={copied} events={events} digest={digest}")?;
            done
        }
        Action::Summary { source } => {
            let done = fill(runtime, source).await?;
            report::write_totals(out, &current(runtime).await?, &current(runtime).await?)?;
            done
        }
    };
    done.verdict()
}

async fn exists<S: EventStore>(runtime: &Runtime<S>, account: AccountId) -> Result<(), Failure> {
    match runtime.load::<Account>(&account).await?.version {
        Version::ZERO => Err(Failure::NoAccount(account)),
        _ => Ok(()),
    }
}

/// A file and what came of it.
struct Done {
    file: String,
    imported: Imported,
}

impl Done {
    fn verdict(self) -> Result<(), Failure> {
        match self.imported.rejected.len() {
            0 => Ok(()),
            rows => Err(Failure::Rejected { file: self.file, rows }),
        }
    }
}

fn read_or_sample(file: Option<&Path>) -> Result<Movements, InputError> {
    file.map_or_else(Movements::sample, Movements::read)
}

/// Imports into a store that is empty what a report is to be about.
async fn fill<S: EventStore>(runtime: &Runtime<S>, source: &Source) -> Result<Done, Failure> {
    import_with_progress(runtime, read_or_sample(source.from.as_deref())?, 1).await
}

async fn import_and_tell<S: EventStore>(
    runtime: &Runtime<S>,
    movements: Movements,
    options: &ImportOptions,
    out: &mut impl Write,
) -> Result<Done, Failure> {
    let done = import_with_progress(runtime, movements, options.tasks.get()).await?;
    report::write_summary_line(out, &done.imported)?;
    if let Some(path) = &options.balances {
        if let Some(receipt) = &done.imported.receipt {
            runtime.wait_for::<Balances>(receipt).await?;
        }
        let balances: Balances = current(runtime).await?;
        write_file(path, |file| report::write_balances(file, &balances))?;
    }
    Ok(done)
}

/// One wrong amount makes every later balance of its account wrong: what is said about the first
/// rows is enough.
const SHOWN_REJECTIONS: usize = 20;

/// Imports under a progress bar and says afterwards which rows were refused.
async fn import_with_progress<S: EventStore>(
    runtime: &Runtime<S>,
    movements: Movements,
    tasks: usize,
) -> Result<Done, Failure> {
    // Hidden by itself when the standard error is no terminal.
    let bar = ProgressBar::new(movements.rows.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} rows, {eta} left") {
        bar.set_style(style);
    }
    let rows = bar.clone();
    let outcome = import(runtime, &movements, tasks, move || rows.inc(1)).await;
    bar.finish_and_clear();
    let file = movements.file;
    match outcome {
        Ok(imported) => {
            for rejection in imported.rejected.iter().take(SHOWN_REJECTIONS) {
                complain(format_args!("warning: {file}: {rejection}"));
            }
            if let Some(more @ 1..) = imported.rejected.len().checked_sub(SHOWN_REJECTIONS) {
                complain(format_args!("warning: {file}: and {more} more rows were refused"));
            }
            Ok(Done { file, imported })
        }
        Err(error) => Err(Failure::Import { file, error }),
    }
}

/// Writes all events to a file that is not there yet.
async fn export_to<S: EventStore>(
    runtime: &Runtime<S>,
    path: &Path,
    format: Format,
) -> Result<Exported, Failure> {
    let unwritable = |error| Failure::Write { path: path.to_owned(), error };
    let mut file = File::create_new(path).map(BufWriter::new).map_err(unwritable)?;
    let exported = export(&**runtime.store(), &Query::all(), format, &mut file, |_| {}).await;
    match exported {
        Ok(exported) => Ok(exported),
        Err(ExportError::Write(error)) => Err(unwritable(error)),
        Err(error) => Err(error.into()),
    }
}

/// A copy of a read model that has seen everything in the store.
async fn current<P: Projection + Clone, S: EventStore>(
    runtime: &Runtime<S>,
) -> Result<P, WaitError> {
    runtime.wait_until_current::<P>().await?;
    let view = runtime.projection::<P>()?;
    Ok(view.read(P::clone))
}

fn write_file(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), Failure> {
    let written = File::create(path).map(BufWriter::new).and_then(|mut file| {
        write(&mut file)?;
        file.flush()
    });
    written.map_err(|error| Failure::Write { path: path.to_owned(), error })
}

/// Writes a line to the standard error. When even that can not be written, nobody is to be told.
pub fn complain(message: impl Display) {
    let _ = writeln!(io::stderr(), "{message}");
}
