use es_core::prelude::*;

struct Account;

#[derive(Command)]
#[command(aggregate = Account)]
struct Close {
    #[command(id)]
    account: u64,
}

fn main() {}
