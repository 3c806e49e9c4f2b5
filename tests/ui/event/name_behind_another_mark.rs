use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name => "account.opened")]
struct Opened;

#[derive(Event, Serialize, Deserialize)]
#[event(name == "account.closed"; version = 1)]
struct Closed;

fn main() {}
