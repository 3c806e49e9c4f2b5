use es_core::prelude::*;

use es_core::{Codec, CodecError};

#[derive(Event, Serialize, Deserialize)]
#[event(name = "account.deposited", version = 2, codec = Dense)]
#[upcast(from = 1, rename("amt" => "amount"))]
struct Deposited {
    amount: u64,
}

struct Dense;

impl Codec for Dense {
    fn encode<T: Serialize + serde::de::DeserializeOwned>(
        _: &T,
        _: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        Err(CodecError::new("dense"))
    }

    fn decode<T: serde::de::DeserializeOwned>(
        _: es_core::Payload<'_>,
    ) -> Result<T, CodecError> {
        Err(CodecError::new("dense"))
    }
}

fn main() {}
