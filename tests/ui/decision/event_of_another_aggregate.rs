use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = u64, events(Opened))]
struct Account;

impl Apply<Opened> for Account {
    fn apply(&mut self, _: &Opened) {}
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.closed")]
struct Closed;

#[derive(Command)]
#[command(aggregate = Account)]
struct Close {
    #[command(id)]
    account: u64,
}

#[derive(Debug)]
struct Refused;

impl std::fmt::Display for Refused {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("refused")
    }
}

impl std::error::Error for Refused {}

impl Handle<Close> for Account {
    type Error = Refused;

    fn handle(&self, _: &Close, _: &Context) -> Result<impl IntoEvents<Self>, Refused> {
        Ok(Closed)
    }
}

fn main() {}
