use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = concat!("account", ".opened"))]
struct Opened;

#[derive(Event, Serialize, Deserialize)]
#[event(name = b"account.closed")]
struct Closed;

fn main() {}
