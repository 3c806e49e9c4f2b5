use es_core::prelude::*;

pub struct Cbor;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", codec = Cbor)]
pub struct Opened;

fn main() {}
