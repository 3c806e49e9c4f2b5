use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

#[derive(Projection, Default, Serialize, Deserialize)]
#[projection(name = "balances", events(Opened), rows = es_core::NoRows, partition = account)]
struct Balance;

impl es_core::RowTables<es_core::NoRows> for Balance {
    const TABLES: &'static [&'static str] = &[];

    fn create(_: &mut std::convert::Infallible) -> Result<(), ProjectError> {
        Ok(())
    }
}

impl es_core::ProjectRows<es_core::NoRows, Opened> for Balance {
    fn project(
        _: &mut std::convert::Infallible,
        _: &Opened,
        _: &Recorded,
    ) -> Result<(), ProjectError> {
        Ok(())
    }
}

fn account(_: &BalanceEvent, _: &Recorded) -> String {
    "1".to_owned()
}

fn main() {}
