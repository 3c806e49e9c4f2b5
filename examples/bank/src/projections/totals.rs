//! Sums that projections keep.

/// What came in and went out. The sums hold more than any number of 64-bit amounts can reach.
#[derive(Default, Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totals {
    /// The sum of all deposits.
    pub credits: u128,
    /// The sum of all withdrawals.
    pub debits: u128,
    /// How many movements there were.
    pub count: u64,
}

impl Totals {
    /// Counts a deposit.
    pub fn credit(&mut self, amount: u64) {
        self.credits += u128::from(amount);
        self.count += 1;
    }

    /// Counts a withdrawal.
    pub fn debit(&mut self, amount: u64) {
        self.debits += u128::from(amount);
        self.count += 1;
    }
}

/// The sums over all movements, by purpose and by day, each sorted.
#[derive(Default, Debug, Clone, PartialEq, Eq)]
pub struct Sums {
    /// By purpose; those without one have the empty text.
    pub purposes: Vec<(String, Totals)>,
    /// By day.
    pub days: Vec<(String, Totals)>,
}
