use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Projection, Default)]
#[projection(name = "mail", version = 2, events(Opened), documents, inline, effects)]
struct Mail;

fn main() {}
