use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.closed")]
struct Closed;

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events(Opened, Closed))]
struct Account {
    open: bool,
}

impl Apply<Opened> for Account {
    fn apply(&mut self, _: &Opened) {}
}

impl Apply<Closed> for Account {
    fn apply(&mut self, _: &Closed) {}
}

#[derive(Command)]
#[command(aggregate = Account)]
struct Close {
    #[command(id)]
    account: u64,
}

#[derive(Debug, thiserror::Error)]
#[error("refused")]
struct Refused;

impl Handle<Close> for Account {
    type Error = Refused;

    fn handle(&self, _: &Close, _: &Context) -> Result<impl IntoEvents<Self>, Refused> {
        Ok(if self.open { Closed } else { Opened })
    }
}

fn main() {}
