use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
pub struct Opened;

#[derive(Projection, Default)]
#[projection(name = "accounts", events(Opened), rows = u8)]
pub struct Accounts;

fn main() {}
