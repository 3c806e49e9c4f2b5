use es_core::prelude::*;

use es_core::{JsonObject, UpcastError};

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.closed", version = 3, write_version = 1)]
#[upcast(from = 1, rename("why" => "reason"), remove(clerk))]
#[upcast(from = 2, with = in_lower_case)]
pub struct Closed {
    pub reason: String,
}

fn in_lower_case(event: &mut JsonObject) -> Result<(), UpcastError> {
    let reason = event["reason"].as_str().unwrap_or_default().to_lowercase();
    event.insert("reason".to_owned(), reason.into());
    Ok(())
}

fn main() {}
