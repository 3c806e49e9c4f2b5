use es_core::{Occasion, React};
use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Projection)]
#[projection(name = "mail", events(Opened), effects)]
struct Mail;

impl React<Opened> for Mail {
    async fn react(&self, _: &Opened, _: &Occasion<'_>) -> Result<(), ProjectError> {
        Ok(())
    }
}

fn main() {}
