use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
struct Opened;

mod billing {
    use es_core::prelude::*;

    #[derive(Event, Serialize, Deserialize)]
    #[event(name = "billing.opened")]
    pub struct Opened;
}

#[derive(Aggregate, Default)]
#[aggregate(nam = "bank/account", events(Opened, "Closed", billing::Opened, Opened), register, derive)]
struct Account<C> {
    #[aggregate(index)]
    currency: C,
}

fn main() {}
