//! What money is moved for.

use std::collections::BTreeMap;

use es_core::prelude::*;

use crate::account::{Deposited, Purpose, Withdrawn};
use crate::projections::Totals;

/// Movements of all accounts, summed up by purpose. Roundings are no movements.
#[derive(Projection, Default, Debug, Clone)]
#[projection(name = "purposes", version = 1, events(Deposited, Withdrawn))]
pub struct Purposes {
    by_purpose: BTreeMap<Option<Purpose>, Totals>,
}

impl Purposes {
    /// The purposes there were, sorted by name; those without any come first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Option<Purpose>, Totals)> + '_ {
        self.by_purpose.iter().map(|(purpose, totals)| (*purpose, *totals))
    }
}

impl Project<Deposited> for Purposes {
    fn project(&mut self, event: &Deposited, _: &Recorded<'_>) -> Result<(), ProjectError> {
        self.by_purpose.entry(event.purpose).or_default().credit(event.amount);
        Ok(())
    }
}

impl Project<Withdrawn> for Purposes {
    fn project(&mut self, event: &Withdrawn, _: &Recorded<'_>) -> Result<(), ProjectError> {
        self.by_purpose.entry(event.purpose).or_default().debit(event.amount);
        Ok(())
    }
}
