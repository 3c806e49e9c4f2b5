use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
pub struct Opened;

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events(Opened), enum = Opened)]
pub struct Account;

impl Apply<Opened> for Account {
    fn apply(&mut self, _: &Opened) {}
}

#[derive(Projection, Default)]
#[projection(name = "accounts", events(Opened), enum = Accounts)]
pub struct Accounts;

impl Project<Opened> for Accounts {
    fn project(&mut self, _: &Opened, _: &Recorded<'_>) -> Result<(), ProjectError> {
        Ok(())
    }
}

fn main() {}
