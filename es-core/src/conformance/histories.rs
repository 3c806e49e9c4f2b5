//! Random programs, of one task and of several, whose histories some order of the calls must explain.

use std::sync::Arc;

use crate::conformance::failure::{Breach, Verdict};
use crate::conformance::fixture::Fixture;
use crate::conformance::history::Operation;
use crate::conformance::history::linearize::{Outcome, explain, linearize};
use crate::conformance::history::program::{Appending, Guarded, Plain, Program, record};
use crate::conformance::history::shrink::{shrink, smaller};
use crate::conformance::rule::Rule;
use crate::store::{ConditionalAppend, EventStore};

/// How many programs are tried.
const PROGRAMS: u64 = 100;
/// How often a program is run again to see whether a smaller one fails too.
const RUNS: usize = 400;

pub(super) async fn any_sequence_of_calls_is_answered_as_the_contract_says<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Fixture<Store: EventStore>,
{
    check::<F, Plain>(&*fixture, rule, 1, 40, false).await
}

pub(super) async fn calls_at_once_take_effect_one_after_another<F>(
    fixture: Arc<F>,
    rule: Rule,
) -> Verdict
where
    F: Fixture<Store: EventStore>,
{
    check::<F, Plain>(&*fixture, rule, 4, 7, false).await
}

pub(super) async fn check_guarded<F>(fixture: &F, rule: Rule, tasks: usize, steps: usize) -> Verdict
where
    F: Fixture<Store: ConditionalAppend>,
{
    check::<F, Guarded>(fixture, rule, tasks, steps, true).await
}

async fn check<F, A>(
    fixture: &F,
    rule: Rule,
    tasks: usize,
    steps: usize,
    conditions: bool,
) -> Verdict
where
    F: Fixture<Store: EventStore>,
    A: Appending<F::Store>,
{
    for seed in 0..PROGRAMS {
        let program = Program::of(seed, tasks, steps, conditions);
        let history = record::<_, A>(Arc::new(fixture.empty().await), &program).await;
        if !is_explained(&history) {
            let history = smallest::<F, A>(fixture, program, history).await;
            let found = match linearize(&history) {
                Outcome::Impossible { order, reasons } => explain(&history, &order, &reasons),
                outcome => format!("a history that can not be judged: {outcome:?}"),
            };
            let expected = format!(
                "the answers of program {seed} to be those of some order of its calls that respects real time"
            );
            return Err(Breach { rule, expected, found });
        }
    }
    Ok(())
}

fn is_explained(history: &[Operation]) -> bool {
    matches!(linearize(history), Outcome::Explained(_))
}

/// Runs ever smaller programs as long as one fails, and then leaves out what does not matter.
async fn smallest<F, A>(
    fixture: &F,
    mut program: Program,
    mut history: Vec<Operation>,
) -> Vec<Operation>
where
    F: Fixture<Store: EventStore>,
    A: Appending<F::Store>,
{
    let mut runs = 0;
    'smaller: loop {
        // A race must be given some chances to happen again; without one, there is nothing to it.
        let chances = if program.tasks.len() == 1 { 1 } else { 5 };
        for candidate in smaller(&program) {
            for _ in 0..chances {
                runs += 1;
                if runs > RUNS {
                    break 'smaller;
                }
                let store = Arc::new(fixture.empty().await);
                let tried = record::<_, A>(store, &candidate).await;
                if matches!(linearize(&tried), Outcome::Impossible { .. }) {
                    (program, history) = (candidate, tried);
                    continue 'smaller;
                }
            }
        }
        break;
    }
    shrink(history)
}
