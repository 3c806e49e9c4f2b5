use es_core::prelude::*;

#[derive(EventData, Serialize, Deserialize)]
struct Note(Option<String>);

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened", lock = "field_never_missing.lock")]
struct Opened {
    note: Note,
}

fn main() {}
