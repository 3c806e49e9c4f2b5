//! What the bank wants to see at a glance: read models built from the events of all accounts.

mod balances;
mod days;
mod movements;
mod purposes;
mod totals;

pub use self::balances::{Balance, Balances};
pub use self::days::Days;
pub use self::movements::Movements;
pub use self::purposes::Purposes;
pub use self::totals::{Sums, Totals};
