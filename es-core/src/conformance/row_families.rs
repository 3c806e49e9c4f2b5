//! Rows of a user's own lie in generations.

use std::sync::Arc;

use crate::conformance::failure::Verdict;
use crate::conformance::fixture::RowFixture;
use crate::conformance::row_work::{Step, done, holds, run, serves, work};
use crate::conformance::rule::Rule;
use crate::conformance::subject::open;
use crate::store::StateCommit;

pub(super) async fn a_generation_has_rows_of_its_own<F: RowFixture>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict {
    let subject = open(&*fixture, rule).await;
    let generations = [1, 2, 10, 11, u64::from(u32::MAX) + 1];
    for (number, generation) in (0..).zip(generations) {
        work::<F>(&subject, generation, &[Step::Create, Step::Insert(number)]).await?;
    }
    for (number, generation) in (0..).zip(generations) {
        holds::<F>(&subject, generation, &[number]).await?;
    }
    // What another one writes is not what readers find.
    work::<F>(&subject, 1, &[Step::Publish]).await?;
    work::<F>(&subject, 2, &[Step::Insert(7)]).await?;
    serves(&*fixture, &subject, &[0]).await?;
    holds::<F>(&subject, 2, &[1, 7]).await
}

pub(super) async fn what_is_published_is_what_readers_find<F: RowFixture>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict {
    let subject = open(&*fixture, rule).await;
    work::<F>(&subject, 1, &[Step::Create, Step::Insert(1), Step::Publish]).await?;
    serves(&*fixture, &subject, &[1]).await?;
    work::<F>(&subject, 1, &[Step::Insert(2)]).await?;
    serves(&*fixture, &subject, &[1, 2]).await?;
    work::<F>(&subject, 2, &[Step::Create, Step::Insert(5)]).await?;
    serves(&*fixture, &subject, &[1, 2]).await?;
    // Not by a commit that leaves nothing behind.
    let steps = [Step::Publish, Step::GiveUp];
    run::<F>(&subject, StateCommit::default(), 2, &steps).await?;
    serves(&*fixture, &subject, &[1, 2]).await?;
    for (generation, numbers) in [(2, &[5][..]), (1, &[1, 2]), (2, &[5])] {
        work::<F>(&subject, generation, &[Step::Publish]).await?;
        serves(&*fixture, &subject, numbers).await?;
    }
    Ok(())
}

pub(super) async fn what_is_discarded_is_one_generation<F: RowFixture>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict {
    let subject = open(&*fixture, rule).await;
    for generation in [1, 2, 12, 21] {
        let number = generation as i64;
        work::<F>(&subject, generation, &[Step::Create, Step::Insert(number)]).await?;
    }
    work::<F>(&subject, 2, &[Step::Publish]).await?;
    work::<F>(&subject, 1, &[Step::Discard]).await?;
    serves(&*fixture, &subject, &[2]).await?;
    for (generation, numbers) in [(1, &[][..]), (2, &[2]), (12, &[12]), (21, &[21])] {
        holds::<F>(&subject, generation, numbers).await?;
    }
    // What is not there is discarded all the same, as after a crash.
    work::<F>(&subject, 99, &[Step::Discard]).await
}

pub(super) async fn differences_are_counted_in_both_directions<F: RowFixture>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict {
    let subject = open(&*fixture, rule).await;
    for (generation, numbers) in [(1, &[1, 2, 3][..]), (2, &[1, 2, 3]), (3, &[2, 3, 4, 5])] {
        let inserts = numbers.iter().map(|number| Step::Insert(*number));
        let steps: Vec<_> = [Step::Create].into_iter().chain(inserts).collect();
        work::<F>(&subject, generation, &steps).await?;
    }
    // A number is a row of each of the two tables.
    for (one, other, expected) in [(1, 1, 0), (1, 2, 0), (1, 3, 6), (3, 1, 6)] {
        let commit = StateCommit::default();
        let (_, seen) = done::<F>(&subject, commit, one, &[Step::Compare(other)]).await?;
        let what = format_args!("how many rows of generations {one} and {other} differ");
        subject.same(what, Some(expected), seen.differences)?;
    }
    Ok(())
}
