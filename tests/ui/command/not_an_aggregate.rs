use es_core::prelude::*;

#[derive(Default)]
struct Account;

#[derive(Command)]
#[command(aggregate = Account)]
struct Close {
    #[command(id)]
    account: u64,
}

fn main() {}
