//! A codec is known in the lock by the last word of its path, and JSON by its type: a codec of one's
//! own that is called `Json` too is another one.

use es_core::__private::ListedEvent;
use es_core::__private::shape::Shape;
use es_core::lock::LockedEvent;
use es_core::prelude::*;

mod packed {
    use es_core::{Codec, CodecError, Payload};
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    #[derive(Debug)]
    pub(crate) struct Json;

    impl Codec for Json {
        fn encode<T: Serialize + DeserializeOwned>(
            value: &T,
            buffer: &mut Vec<u8>,
        ) -> Result<(), CodecError> {
            es_core::Json::encode(value, buffer)
        }

        fn decode<T: DeserializeOwned>(payload: Payload<'_>) -> Result<T, CodecError> {
            es_core::Json::decode(payload)
        }
    }
}

#[derive(Event, Serialize, Deserialize, Debug)]
#[event(name = "lamp.lit", lock = false)]
struct Lit {}

#[derive(Event, Serialize, Deserialize, Debug)]
#[event(name = "lamp.dimmed", codec = es_core::Json, lock = false)]
struct Dimmed {}

#[derive(Event, Serialize, Deserialize, Debug)]
#[event(name = "lamp.packed", codec = packed::Json, lock = false)]
struct Packed {}

fn codec_of<E: Event + ListedEvent>(word: &'static str) -> Option<&'static str> {
    LockedEvent::of::<E>(&Shape::NULL, word, None, "here").codec()
}

#[test]
fn a_codec_that_is_called_json_is_not_json() {
    assert_eq!(codec_of::<Lit>("Json"), None);
    assert_eq!(codec_of::<Dimmed>("Json"), None);
    assert_eq!(codec_of::<Packed>("Json"), Some("Json"));
    assert_eq!(codec_of::<Packed>("Packed"), Some("Packed"));
}
