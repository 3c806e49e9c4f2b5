use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Projection, Default)]
#[projection(name = "mail", events(Opened), effects)]
struct Mail;

fn main() {}
