use es_core::prelude::*;
use es_core::testing::given;
use es_memory_store::MemoryStore;

#[derive(AggregateId, Debug, Clone, PartialEq, Eq, Hash)]
struct AccountId(u64);

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Aggregate, Default)]
#[aggregate(name = "account", id = AccountId)]
struct Account;

impl Apply<Opened> for Account {
    fn apply(&mut self, _: &Opened) {}
}

#[derive(Command)]
#[command(aggregate = Account)]
struct Open {
    #[command(id)]
    account: AccountId,
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("refused")]
struct Refused;

impl Handle<Open> for Account {
    type Error = Refused;
    fn handle(&self, _: &Open, _: &Context) -> Result<impl IntoEvents<Self>, Self::Error> {
        Ok(Opened)
    }
}

#[derive(Projection, Default)]
#[projection(name = "accounts", events(Opened))]
struct Accounts;

impl Project<Opened> for Accounts {
    fn project(&mut self, _: &Opened, _: &Recorded<'_>) -> Result<(), ProjectError> {
        Ok(())
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::builder(MemoryStore::new()).start().await?;
    let account = AccountId(7);
    let receipt = runtime.execute(Open { account: account.clone() }).await?;
    runtime.wait_for::<Accounts>(&receipt).await?;
    let past = runtime.history::<Account>(&account)?.at_version(Version::new(1)).await?;
    given::<Account>([Opened.into(), AccountEvent::Opened(Opened)])
        .when(Open { account })
        .then_error(Refused);
    let _ = past.state;
    Ok(())
}

fn main() {
    let _ = run();
}
