//! What is moved on each day.

use std::collections::BTreeMap;

use es_core::jiff::civil::Date;
use es_core::prelude::*;

use crate::account::{Deposited, Withdrawn};
use crate::business_day;
use crate::projections::Totals;

/// Movements of all accounts, summed up by the day on which they happened in the bank, which is
/// not the day on which they were imported. Roundings are no movements.
#[derive(Projection, Default, Debug, Clone)]
#[projection(name = "days", version = 1, events(Deposited, Withdrawn))]
pub struct Days {
    by_day: BTreeMap<Date, Totals>,
}

impl Days {
    /// The days on which money was moved, sorted.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Date, Totals)> + '_ {
        self.by_day.iter().map(|(day, totals)| (*day, *totals))
    }

    fn day(&mut self, recorded: &Recorded<'_>) -> &mut Totals {
        self.by_day.entry(business_day(recorded.happened_at())).or_default()
    }
}

impl Project<Deposited> for Days {
    fn project(&mut self, event: &Deposited, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.day(recorded).credit(event.amount);
        Ok(())
    }
}

impl Project<Withdrawn> for Days {
    fn project(&mut self, event: &Withdrawn, recorded: &Recorded<'_>) -> Result<(), ProjectError> {
        self.day(recorded).debit(event.amount);
        Ok(())
    }
}
