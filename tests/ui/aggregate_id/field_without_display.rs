use std::convert::Infallible;
use std::str::FromStr;

use es_core::prelude::*;

#[derive(AggregateId, Debug, Clone, PartialEq, Eq, Hash)]
struct AccountId(Iban);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Iban(String);

impl FromStr for Iban {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

fn main() {}
