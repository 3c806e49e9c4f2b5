use es_core::prelude::*;

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.opened")]
pub struct Opened;

mod accounts {
    use es_core::prelude::*;

    use super::Opened;

    #[derive(Aggregate, Default)]
    #[aggregate(
        name = "account",
        id = u64,
        events(Opened, Self, self, super, crate, a::Self, Self::Closed),
    )]
    pub struct Account;

    impl Apply<Opened> for Account {
        fn apply(&mut self, _: &Opened) {}
    }
}

fn main() {}
