use es_core::prelude::*;

mod cents {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(cents: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        cents.to_string().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", lock = "written_by_a_function.lock")]
struct Deposited {
    #[serde(with = "cents")]
    amount: u64,
    #[serde(with = "cents")]
    #[event(like = String)]
    fee: u64,
}

fn main() {}
