use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

struct Note;

#[derive(Projection, Default)]
#[projection(name = "balances", events(Opened, Note))]
struct Balances;

impl Project<Opened> for Balances {
    fn project(&mut self, _: &Opened, _: &Recorded) -> Result<(), ProjectError> {
        Ok(())
    }
}

impl Project<Note> for Balances {
    fn project(&mut self, _: &Note, _: &Recorded) -> Result<(), ProjectError> {
        Ok(())
    }
}

fn main() {}
