//! A stored object between two versions: names, and values that nobody has looked into yet.
//!
//! Most steps rename, add or remove a field of the event itself. They need no value: what is not asked
//! for stays the text it is, and is read once, by the struct. That also keeps what `serde_json::Value`
//! can not hold, such as whole numbers beyond 64 bits.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::CowStrDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{JsonObject, UpcastError};
use crate::codec::CodecError;

/// The fields of a stored object, each with the JSON text of its value.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct StoredObject<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> StoredObject<'a> {
    /// Reads the object that a JSON text holds. An event without fields is stored as `null`.
    pub(crate) fn parse(text: &'a str) -> Result<Self, CodecError> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let object = reader.deserialize_option(Fields).map_err(codec_error)?;
        reader.end().map_err(codec_error)?;
        Ok(object)
    }

    /// The object as one whose values are looked into.
    pub(crate) fn of(value: Value) -> Result<Self, CodecError> {
        match value {
            Value::Null => Ok(Self::default()),
            Value::Object(fields) => Ok(Self::from_values(fields)),
            other => {
                let kind = super::path::kind(&other);
                Err(CodecError::new(format!("expected an object, found {kind}")))
            }
        }
    }

    fn from_values(fields: JsonObject) -> Self {
        let text = |(name, value): (String, Value)| (name.into(), value.to_string().into());
        Self(fields.into_iter().map(text).collect())
    }

    /// Looks into all values.
    pub(crate) fn values(&self) -> Result<JsonObject, UpcastError> {
        let value = |(name, text): &(Cow<'_, str>, Cow<'_, str>)| {
            Ok((name.clone().into_owned(), serde_json::from_str(text)?))
        };
        self.0.iter().map(value).collect()
    }

    /// Lets a function change the values.
    pub(crate) fn change(
        &mut self,
        change: impl FnOnce(&mut JsonObject) -> Result<(), UpcastError>,
    ) -> Result<(), UpcastError> {
        let mut values = self.values()?;
        change(&mut values)?;
        *self = Self::from_values(values);
        Ok(())
    }

    /// Lets a function change the value of one field, if the field is there.
    pub(crate) fn change_field(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut Value) -> Result<(), UpcastError>,
    ) -> Result<(), UpcastError> {
        if let Some(place) = self.place(name) {
            let text = &mut self.0[place].1;
            let mut value = serde_json::from_str(text)?;
            change(&mut value)?;
            *text = Cow::Owned(value.to_string());
        }
        Ok(())
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|(field, _)| field == name)
    }

    /// Whether there is such a field.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.place(name).is_some()
    }

    /// Gives a field another name. `false`: there is one of that name already.
    pub(crate) fn rename(&mut self, old: &str, new: &'static str) -> bool {
        match self.place(old) {
            Some(_) if self.contains(new) => false,
            Some(place) => {
                self.0[place].0 = Cow::Borrowed(new);
                true
            }
            None => true,
        }
    }

    /// Adds a field that is not there, with the JSON text of its value.
    pub(crate) fn add(&mut self, name: &'static str, json: Cow<'a, str>) {
        self.0.push((Cow::Borrowed(name), json));
    }

    /// Removes a field, if it is there, and answers with the JSON text of its value.
    pub(crate) fn take(&mut self, name: &str) -> Option<Cow<'a, str>> {
        self.place(name).map(|place| self.0.remove(place).1)
    }

    /// Removes a field, if it is there.
    pub(crate) fn remove(&mut self, name: &str) {
        self.0.retain(|(field, _)| field != name);
    }

    /// Reads a struct from it, as it would be read from the whole text.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, CodecError> {
        T::deserialize(Reader(self)).map_err(codec_error)
    }

    /// Appends it as JSON text.
    pub(crate) fn write(&self, buffer: &mut Vec<u8>) -> Result<(), CodecError> {
        buffer.push(b'{');
        for (index, (name, text)) in self.0.iter().enumerate() {
            if index > 0 {
                buffer.push(b',');
            }
            serde_json::to_writer(&mut *buffer, name).map_err(codec_error)?;
            buffer.push(b':');
            buffer.extend_from_slice(text.as_bytes());
        }
        buffer.push(b'}');
        Ok(())
    }
}

#[cold]
fn codec_error(error: serde_json::Error) -> CodecError {
    CodecError::new(error.to_string())
}

/// Reads the fields of an object as text.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = StoredObject<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(StoredObject::default())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(StoredObject::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::with_capacity(8);
        while let Some(name) = map.next_key_seed(Name)? {
            let text: &RawValue = map.next_value()?;
            fields.push((name, Cow::Borrowed(text.get())));
        }
        Ok(StoredObject(fields))
    }
}

/// A name that is borrowed from the text unless it is escaped there.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// Gives the object to a struct, field by field.
struct Reader<'a>(&'a StoredObject<'a>);

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_map(Remaining { fields: self.0.0.iter(), value: "null" })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Remaining<'a> {
    fields: std::slice::Iter<'a, (Cow<'a, str>, Cow<'a, str>)>,
    /// The text of the field whose name was given last.
    value: &'a str,
}

impl<'de> MapAccess<'de> for Remaining<'de> {
    type Error = serde_json::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Self::Error> {
        let Some((name, text)) = self.fields.next() else { return Ok(None) };
        self.value = text;
        let name: CowStrDeserializer<'de, Self::Error> =
            serde::de::IntoDeserializer::into_deserializer(Cow::Borrowed(&**name));
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Self::Error> {
        let mut reader = serde_json::Deserializer::from_str(self.value);
        let value = seed.deserialize(&mut reader)?;
        reader.end()?;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[test]
    fn what_no_step_asks_for_stays_the_text_it_is() {
        let text = r#"{"a" : 340282366920938463463374607431768211455, "b\u0041":[1.10, {}]}"#;
        let mut object = StoredObject::parse(text).unwrap();
        assert!(object.rename("a", "c"));
        let mut written = Vec::new();
        object.write(&mut written).unwrap();
        let wanted = r#"{"c":340282366920938463463374607431768211455,"bA":[1.10, {}]}"#;
        assert_eq!(String::from_utf8(written).unwrap(), wanted);

        #[derive(Deserialize, PartialEq, Debug)]
        struct Wide {
            c: u128,
            #[serde(flatten)]
            rest: JsonObject,
        }
        let wide: Wide = object.read().unwrap();
        assert_eq!((wide.c, &wide.rest["bA"][0]), (u128::MAX, &Value::from(1.1)));
    }

    #[test]
    fn only_an_object_or_null_is_one() {
        assert_eq!(StoredObject::parse(" null ").unwrap(), StoredObject::default());
        assert_eq!(StoredObject::parse("{}").unwrap(), StoredObject::default());
        for text in ["", "7", "[]", "\"{}\"", "{} {}", "{\"a\":}", "{\"a\":1", "nul"] {
            StoredObject::parse(text).unwrap_err();
        }
    }
}
