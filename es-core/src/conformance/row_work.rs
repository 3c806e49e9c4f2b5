//! Rows' work as data: what it does step by step, and what it came to.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::fixture::{Fixture, RowFixture, RowsOf};
use crate::conformance::subject::Subject;
use crate::store::{
    GaveUp, ProjectionStore, Revision, RowFamily, RowScope, RowWork, StateCommit, StateError,
};

/// What rows' work of a check does, one after another.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Create,
    Insert(i64),
    /// Looks at the numbers of the generation.
    Look,
    Publish,
    Discard,
    /// Compares with another generation.
    Compare(u64),
    GiveUp,
}

/// What rows' work came to, the last time that it was run.
#[derive(Default)]
pub(super) struct Seen {
    numbers: Option<[Vec<i64>; 2]>,
    pub(super) differences: Option<u64>,
    failed: Option<StateError>,
}

type Family<F> = <<F as Fixture>::Store as ProjectionStore>::Rows;

/// A commit with rows' work on a generation, and what came of it.
pub(super) struct Done {
    pub(super) answer: Result<Revision, StateError>,
    seen: Seen,
}

pub(super) async fn run<F: RowFixture>(
    subject: &Subject<F::Store>,
    commit: StateCommit,
    generation: u64,
    steps: &[Step],
) -> Result<Done, Breach> {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let scope = RowScope { tables: F::TABLES, generation };
    let (notes, steps) = (Arc::clone(&seen), steps.to_vec());
    let work = RowWork::<Family<F>>::new(scope, move |rows| {
        let mut seen = Seen::default();
        let done = steps.iter().try_for_each(|step| take::<F>(rows, *step, &mut seen));
        *notes.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        done
    });
    let answer = subject.store.commit(commit, Some(work)).await;
    let seen = mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    match seen.failed {
        Some(error) => Err(subject.breach("a step of rows' work to succeed", error)),
        None => Ok(Done { answer, seen }),
    }
}

fn take<F: RowFixture>(
    rows: &mut RowsOf<'_, F>,
    step: Step,
    seen: &mut Seen,
) -> Result<(), GaveUp> {
    let done = match step {
        Step::Create => F::create(rows),
        Step::Insert(number) => F::insert(rows, number),
        Step::Look => F::numbers(rows).map(|numbers| seen.numbers = Some(numbers)),
        Step::Publish => Family::<F>::publish(rows),
        Step::Discard => Family::<F>::discard(rows),
        Step::Compare(other) => {
            let differences = Family::<F>::differences(rows, other);
            differences.map(|differences| seen.differences = Some(differences))
        }
        Step::GiveUp => return Err(GaveUp),
    };
    done.map_err(|error| {
        seen.failed = Some(error);
        GaveUp
    })
}

/// Does rows' work that must be done, with no record.
pub(super) async fn work<F: RowFixture>(
    subject: &Subject<F::Store>,
    generation: u64,
    steps: &[Step],
) -> Verdict {
    done::<F>(subject, StateCommit::default(), generation, steps).await.map(drop)
}

pub(super) async fn done<F: RowFixture>(
    subject: &Subject<F::Store>,
    commit: StateCommit,
    generation: u64,
    steps: &[Step],
) -> Result<(Revision, Seen), Breach> {
    let Done { answer, seen } = run::<F>(subject, commit, generation, steps).await?;
    match answer {
        Ok(revision) => Ok((revision, seen)),
        Err(error) => {
            Err(subject.breach(format_args!("a commit with {steps:?} to be stored"), error))
        }
    }
}

/// Checks that the tables of a generation hold these numbers.
pub(super) async fn holds<F: RowFixture>(
    subject: &Subject<F::Store>,
    generation: u64,
    numbers: &[i64],
) -> Verdict {
    let (_, seen) =
        done::<F>(subject, StateCommit::default(), generation, &[Step::Create, Step::Look]).await?;
    let expected = Some([numbers.to_vec(), numbers.to_vec()]);
    let what = format_args!("the rows of generation {generation}");
    subject.same(what, expected, seen.numbers)
}

/// Checks that readers find these numbers under the plain names of the tables.
pub(super) async fn serves<F: RowFixture>(
    fixture: &F,
    subject: &Subject<F::Store>,
    numbers: &[i64],
) -> Verdict {
    let served = fixture.served(&subject.store).await;
    subject.same("the rows that readers find", [numbers.to_vec(), numbers.to_vec()], served)
}
