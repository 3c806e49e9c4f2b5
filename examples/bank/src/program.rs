//! What happens when the program is run.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use std::time::Duration;

use es_archive::{Archive, ArchiveError, ReadThrough};
use es_core::{
    DifferenceError, EventStore, ExecuteError, HandleError, InMemory, LoadError, NotRegistered,
    Position, ProjectionStatus, Query, ReadError, ReadModelError, RebuildError, Registry,
    RegistryError, Runtime, StartError, StateProjection, StateStore, UnknownProjection, Version,
    WaitError,
};
use es_memory_store::MemoryStore;
use es_sqlite_store::{MaintenanceError, OpenError, SqliteStore};
use es_transfer::{Copy, ExportError, Exported, Format, TransferError, Verified, export};
use indicatif::{ProgressBar, ProgressStyle};

use crate::account::{Account, AccountError, AccountId, Close, Purpose};
use crate::archiving;
use crate::command_line::{Action, CommandLine, ImportOptions, StoreChoice};
use crate::import::{ImportError, Imported, import};
use crate::movements::{InputError, Movements};
use crate::projections::{self, Balance, Balances, Days, Purposes, Sums};
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
    #[error(
        "{}: there is no such file of accounts; `bank import FILE` makes one, and `--store sqlite:FILE` names another",
        .0.display()
    )]
    NoAccounts(PathBuf),
    #[error("{}: that is the file that is copied; name another one with `--to sqlite:FILE`", .0.display())]
    CopiesItself(PathBuf),
    #[error("a balance is kept for `{0}`, which is no account")]
    Account(String),
    #[error("nothing is parked at position {0}; `bank parked` prints what is")]
    NotParked(Position),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    NotRegistered(#[from] NotRegistered),
    #[error(transparent)]
    UnknownProjection(#[from] UnknownProjection),
    #[error(transparent)]
    ReadModel(#[from] ReadModelError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Handle(#[from] HandleError),
    #[error(transparent)]
    Rebuild(#[from] RebuildError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Load(LoadError),
    #[error("{0} (with `--archive DIR`, or `bank restore --dir DIR`)")]
    Archived(Box<es_core::Archived>),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(
        "a memory store is gone at the end of a run, so that nothing of it can be archived; name a file with `--store sqlite:FILE`"
    )]
    NothingToKeep,
    #[error(transparent)]
    Damaged(#[from] MaintenanceError),
    #[error(transparent)]
    Close(#[from] ExecuteError<AccountError>),
    #[error(transparent)]
    Difference(DifferenceError),
    #[error(transparent)]
    Wait(#[from] WaitError),
    #[error(transparent)]
    Transfer(#[from] TransferError),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error("{}: `--balances` would write over what is read or kept there; name another file", .0.display())]
    WritesOver(PathBuf),
    #[error("{}: can not be written: {error}", path.display())]
    Write { path: PathBuf, error: io::Error },
    #[error("the standard output can not be written: {0}")]
    Output(#[from] io::Error),
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Archived(archived) => Self::Archived(archived),
            error => Self::Load(error),
        }
    }
}

impl From<DifferenceError> for Failure {
    fn from(error: DifferenceError) -> Self {
        match error {
            DifferenceError::Load(error) => error.into(),
            error => Self::Difference(error),
        }
    }
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
    let CommandLine { store, archive, action } = command_line;
    spares_what_is_there(store, action)?;
    // A file of movements that is none is found before a file of accounts is made.
    let input = action.input().map(Movements::read).transpose()?;
    let outcome = match (store, action) {
        (_, Action::Segments { dir }) => {
            report::write_segments(out, &Archive::open(dir)?.list()?).map_err(Failure::from)
        }
        (StoreChoice::Memory, Action::Archive { .. } | Action::Restore { .. }) => {
            Err(Failure::NothingToKeep)
        }
        (StoreChoice::Memory, action) | (_, action @ Action::Demo { .. }) => {
            act(start(MemoryStore::new()).await?, action, input, out).await
        }
        (StoreChoice::Sqlite(file), Action::Archive { which, dir }) => {
            let runtime = start(open(file, action)?).await?;
            let outcome = archiving::archive(&runtime, &Archive::create(dir)?, which, out).await;
            runtime.shutdown().await;
            outcome
        }
        (StoreChoice::Sqlite(file), Action::Restore { accounts, dir }) => {
            // A directory that is none is found before a file of accounts is made.
            let archive = Archive::open(dir)?;
            archiving::restore(&open(file, action)?, &archive, accounts, out).await
        }
        (StoreChoice::Sqlite(file), Action::Verify { dir }) => {
            let archive = dir.as_ref().or(archive.as_ref()).map(Archive::open).transpose()?;
            archiving::verify(&open(file, action)?, archive.as_ref(), out).await
        }
        (StoreChoice::Sqlite(file), action) => match archive {
            Some(directory) => {
                let archive = Archive::open(directory)?;
                let store = ReadThrough::new(open(file, action)?, archive);
                act(start(store).await?, action, input, out).await
            }
            None => act(start(open(file, action)?).await?, action, input, out).await,
        },
    };
    out.flush()?;
    outcome
}

/// Refuses to write balances over the file of movements or that of the accounts.
fn spares_what_is_there(store: &StoreChoice, action: &Action) -> Result<(), Failure> {
    let Some(balances) = action.balances() else { return Ok(()) };
    let accounts = match store {
        StoreChoice::Sqlite(file) => Some(file.as_path()),
        StoreChoice::Memory => None,
    };
    match action.input().into_iter().chain(accounts).any(|file| are_one_file(file, balances)) {
        true => Err(Failure::WritesOver(balances.to_owned())),
        false => Ok(()),
    }
}

fn are_one_file(one: &Path, other: &Path) -> bool {
    let same = one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|it| it == one));
    same || one == other
}

/// The file of accounts. Only an import makes one: the name of any other is misspelt.
fn open(file: &Path, action: &Action) -> Result<SqliteStore, Failure> {
    match action {
        Action::Copy { to, .. } if are_one_file(file, to) => {
            return Err(Failure::CopiesItself(to.clone()));
        }
        _ if action.input().is_none() && !file.exists() => {
            return Err(Failure::NoAccounts(file.to_owned()));
        }
        _ => {}
    }
    Ok(SqliteStore::open(file)?)
}

/// A runtime over this store, with the projections of this package.
///
/// # Errors
/// When there is no tokio runtime.
pub async fn start<S: Store>(store: S) -> Result<Runtime<S>, Failure> {
    Ok(Runtime::builder(store).registry(S::registry()?).snapshots().start().await?)
}

/// A store that the bank can be kept in.
pub trait Store: EventStore + StateStore {
    /// Whether it is empty at every start.
    const STARTS_EMPTY: bool;

    /// What runs on it.
    ///
    /// # Errors
    /// When two of it have one name.
    fn registry() -> Result<Registry, RegistryError>;

    /// The sums over everything that is in the store.
    fn sums(runtime: &Runtime<Self>) -> impl Future<Output = Result<Sums, Failure>> + Send
    where
        Self: Sized;
}

impl Store for MemoryStore {
    const STARTS_EMPTY: bool = true;

    fn registry() -> Result<Registry, RegistryError> {
        Registry::linked().expect_package(env!("CARGO_PKG_NAME")).build()
    }

    async fn sums(runtime: &Runtime<Self>) -> Result<Sums, Failure> {
        let (purposes, days): (Purposes, Days) = (current(runtime).await?, current(runtime).await?);
        let name = |purpose: Option<Purpose>| purpose.map_or_else(String::new, |it| it.to_string());
        Ok(Sums {
            purposes: purposes.iter().map(|(purpose, totals)| (name(purpose), totals)).collect(),
            days: days.iter().map(|(day, totals)| (day.to_string(), totals)).collect(),
        })
    }
}

impl Store for SqliteStore {
    const STARTS_EMPTY: bool = false;

    /// Only what is kept in the file: nothing is read from the first event at every start.
    fn registry() -> Result<Registry, RegistryError> {
        let registry = Registry::builder().aggregate::<Account>();
        registry.projection::<Balance>().projection::<projections::Movements>().build()
    }

    async fn sums(runtime: &Runtime<Self>) -> Result<Sums, Failure> {
        runtime.wait_until_current::<projections::Movements>().await?;
        Ok(projections::Movements::read(runtime.store()).await?)
    }
}

impl Store for ReadThrough<SqliteStore> {
    const STARTS_EMPTY: bool = false;

    fn registry() -> Result<Registry, RegistryError> {
        SqliteStore::registry()
    }

    async fn sums(runtime: &Runtime<Self>) -> Result<Sums, Failure> {
        runtime.wait_until_current::<projections::Movements>().await?;
        Ok(projections::Movements::read(runtime.store().store()).await?)
    }
}

/// Does it, and stops the runtime whatever comes of it.
async fn act<S: Store>(
    runtime: Runtime<S>,
    action: &Action,
    input: Option<Movements>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let outcome = act_on(&runtime, action, input, out).await;
    runtime.shutdown().await;
    outcome
}

async fn act_on<S: Store>(
    runtime: &Runtime<S>,
    action: &Action,
    input: Option<Movements>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let done = match action {
        Action::Import { options, .. } => {
            Some(import_and_tell(runtime, or_sample(input)?, options, out).await?)
        }
        Action::Demo { options, .. } => {
            let movements = or_sample(input)?;
            let done = Some(import_and_tell(runtime, movements, options, out).await?);
            report::write_balances(out, &balances(runtime).await?)?;
            done
        }
        Action::Balances { .. } => {
            let done = fill(runtime, input).await?;
            report::write_balances(out, &balances(runtime).await?)?;
            done
        }
        Action::Statement { account, until, .. } => {
            let done = fill(runtime, input).await?;
            exists(runtime, *account).await?;
            let lines = report::statement(runtime, *account, until).await?;
            report::write_statement(out, &lines)?;
            done
        }
        Action::Audit { account, .. } => {
            let done = fill(runtime, input).await?;
            exists(runtime, *account).await?;
            report::write_audit(out, &report::audit(runtime, *account).await?)?;
            done
        }
        Action::WhyNegative { account, .. } => {
            let done = fill(runtime, input).await?;
            exists(runtime, *account).await?;
            let first = report::first_overdraft(runtime, *account).await?;
            report::write_first_overdraft(out, first.as_ref())?;
            done
        }
        Action::Export { file, format, .. } => {
            let done = fill(runtime, input).await?;
            let Exported { events, digest, .. } = export_to(runtime, file, *format).await?;
            writeln!(out, "events={events} digest={digest}")?;
            done
        }
        Action::Copy { to, .. } => {
            let done = fill(runtime, input).await?;
            let target = SqliteStore::open(to)?;
            let copy = Copy::new(&**runtime.store(), &target);
            let copied = copy.run(|_| {}).await?.copied;
            let Verified { events, digest, .. } = copy.verify().await?;
            writeln!(out, "copied={copied} events={events} digest={digest}")?;
            done
        }
        Action::Summary { .. } => {
            let done = fill(runtime, input).await?;
            report::write_totals(out, &S::sums(runtime).await?)?;
            done
        }
        Action::Rebuild { projection } => return rebuild(runtime, projection, out).await,
        Action::Status { json } => {
            let statuses = settled(runtime).await;
            if *json {
                serde_json::to_writer_pretty(&mut *out, &statuses).map_err(io::Error::from)?;
                writeln!(out)?;
            } else {
                report::write_status(out, &statuses)?;
            }
            return Ok(());
        }
        Action::Parked => {
            let statuses = settled(runtime).await;
            let letters: Vec<_> =
                statuses.iter().flat_map(|status| status.dead_letters.iter().cloned()).collect();
            report::write_parked(out, &letters)?;
            return Ok(());
        }
        Action::Skip { position, reason } => {
            return skip(runtime, *position, reason, out).await;
        }
        Action::Close { account, on } => {
            let closed = runtime.execute(Close { account: *account });
            let receipt = closed.occurred_at(crate::end_of_business_day(*on)).await?;
            writeln!(out, "account={account} version={}", receipt.version)?;
            return Ok(());
        }
        Action::Verify { .. } => {
            writeln!(out, "events=0 streams=0")?;
            return Ok(());
        }
        // They are about a file, and were dealt with before.
        Action::Archive { .. } | Action::Restore { .. } | Action::Segments { .. } => return Ok(()),
    };
    done.map_or(Ok(()), Done::verdict)
}

/// How long projections may take to see everything before they are shown as they are.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the projections are, once they have seen everything or stand still.
pub(crate) async fn settled<S: Store>(runtime: &Runtime<S>) -> Vec<ProjectionStatus> {
    let mut statuses = Vec::new();
    for status in runtime.projections() {
        statuses.push(match runtime.projection_handle(status.name) {
            Ok(handle) => handle.settled(PATIENCE).await,
            Err(_) => status,
        });
    }
    statuses
}

async fn rebuild<S: Store>(
    runtime: &Runtime<S>,
    projection: &str,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let handle = runtime.projection_handle(projection)?;
    let rebuild = handle.rebuild().await?;
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len}, {msg}") {
        bar.set_style(style);
    }
    loop {
        tokio::select! {
            finished = rebuild.finished() => {
                bar.finish_and_clear();
                finished?;
                break;
            }
            () = tokio::time::sleep(Duration::from_millis(100)) => {}
        }
        if let Some(progress) = rebuild.progress() {
            bar.set_length(progress.head.get());
            bar.set_position(progress.position.get());
            bar.set_message(format!(
                "{} events, {} a second",
                progress.events, progress.events_per_second
            ));
        }
    }
    let status = handle.settled(PATIENCE).await;
    let generation = status.generation.unwrap_or_default();
    writeln!(out, "projection={projection} generation={generation} position={}", status.position)?;
    Ok(())
}

async fn skip<S: Store>(
    runtime: &Runtime<S>,
    position: Position,
    reason: &str,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let actor = std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned());
    let mut skipped = false;
    for status in settled(runtime).await {
        if status.dead_letters.iter().any(|letter| letter.position == position) {
            let handle = runtime.projection_handle(status.name)?;
            handle.skip(position, reason, &actor).await?;
            writeln!(out, "position={position} projection={} skipped", status.name)?;
            skipped = true;
        }
    }
    if skipped { Ok(()) } else { Err(Failure::NotParked(position)) }
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

fn or_sample(input: Option<Movements>) -> Result<Movements, InputError> {
    input.map_or_else(Movements::sample, Ok)
}

/// Imports into a store that is empty what a report is to be about.
async fn fill<S: Store>(
    runtime: &Runtime<S>,
    input: Option<Movements>,
) -> Result<Option<Done>, Failure> {
    if input.is_none() && !S::STARTS_EMPTY {
        return Ok(None);
    }
    import_with_progress(runtime, or_sample(input)?, 1).await.map(Some)
}

/// The balances after everything that is in the store.
async fn balances<S: EventStore>(runtime: &Runtime<S>) -> Result<Balances, Failure> {
    runtime.wait_until_current::<Balance>().await?;
    Balances::read(runtime).await
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
        let balances = balances(runtime).await?;
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
async fn current<P: StateProjection<Home = InMemory> + Clone, S: EventStore>(
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
