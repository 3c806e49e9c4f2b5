use es_core::prelude::*;

#[derive(EventData, Serialize, Deserialize, Clone)]
#[serde(from = "String", into = "String")]
struct Money {
    cents: u64,
}

impl From<String> for Money {
    fn from(text: String) -> Self {
        Self { cents: text.len() as u64 }
    }
}

impl From<Money> for String {
    fn from(money: Money) -> Self {
        money.cents.to_string()
    }
}

fn main() {}
