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

#[derive(Command)]
#[command(aggregate = Account)]
struct Open(#[command(id)] u64);

impl Handle<Open> for Account {
    type Error = std::convert::Infallible;

    async fn handle(&self, _: &Open, _: &Context<'_>) -> Result<impl IntoEvents<Self>, Self::Error> {
        Ok(Opened)
    }
}

fn main() {}
