//! What serde makes of a payload after its type has changed, and what the lock says about the change:
//! a change is compatible only if everything that was written is read, and means the same.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use es_core::lock::{Compatibility, differences};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a payload that the old type wrote is read as by the new one, as the new one writes it.
fn read<Was, Is>(payload: &str) -> String
where
    Was: Serialize + DeserializeOwned,
    Is: Serialize + DeserializeOwned,
{
    let was: Was = serde_json::from_str(payload).expect("the old type reads it");
    assert_eq!(serde_json::to_string(&was).expect("the old type writes it"), payload);
    match serde_json::from_str::<Is>(payload) {
        Ok(is) => serde_json::to_string(&is).expect("the new type writes it"),
        Err(_) => "nothing".to_owned(),
    }
}

macro_rules! changes {
    ($(
        $verdict:ident $title:ident
        { $($was:item)* }
        { $($is:item)* }
        $($payload:literal => $read:literal)+
    )*) => {
        $(
            #[test]
            fn $title() {
                #![allow(unused_imports, dead_code, unreachable_patterns, unreachable_pub)]
                mod was { use es_core::prelude::*; use std::collections::*; #[derive(EventData, Serialize, Deserialize)] $($was)* }
                mod is { use es_core::prelude::*; use std::collections::*; #[derive(EventData, Serialize, Deserialize)] $($is)* }
                use es_core::prelude::EventData;
                $(assert_eq!(read::<was::T, is::T>($payload), $read);)+
                let (was, is) = (was::T::SHAPE, is::T::SHAPE);
                let found: Vec<_> = differences(&was, &is).collect();
                let verdict = found.iter().map(|found| found.compatibility).max();
                assert_eq!(verdict, Some(Compatibility::$verdict), "{found:#?}");
            }
        )*
    };
}

changes! {
    Compatible a_field_becomes_an_option
    { pub struct T { pub a: u64 } }
    { pub struct T { pub a: Option<u64> } }
    r#"{"a":7}"# => r#"{"a":7}"#

    Compatible an_option_more
    { pub struct T { pub a: u64 } }
    { pub struct T { pub a: u64, pub b: Option<u64> } }
    r#"{"a":7}"# => r#"{"a":7,"b":null}"#

    NeedsVersion an_option_that_a_function_reads_must_be_there
    { pub struct T { pub a: u64 } }
    {
        pub struct T {
            pub a: u64,
            #[serde(deserialize_with = "read")]
            #[event_data(like = Option<u64>)]
            pub b: Option<u64>,
        }
        fn read<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
            Deserialize::deserialize(from)
        }
    }
    r#"{"a":7}"# => "nothing"

    NeedsVersion a_newtype_of_an_option_must_be_there
    { pub struct T { pub a: u64 } }
    {
        pub struct T { pub a: u64, pub b: Perhaps }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Perhaps(Option<u64>);
    }
    r#"{"a":7}"# => "nothing"

    Compatible a_transparent_newtype_of_an_option_may_be_missing
    { pub struct T { pub a: u64 } }
    {
        pub struct T { pub a: u64, pub b: Perhaps }
        #[derive(EventData, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct Perhaps(Option<u64>);
    }
    r#"{"a":7}"# => r#"{"a":7,"b":null}"#

    NeedsVersion an_option_that_may_be_left_out_becomes_a_newtype
    { pub struct T { #[serde(skip_serializing_if = "Option::is_none")] pub a: Option<u64> } }
    {
        pub struct T { pub a: Perhaps }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Perhaps(Option<u64>);
    }
    "{}" => "nothing"

    NeedsVersion an_option_that_may_be_left_out_gets_a_default
    { pub struct T { #[serde(skip_serializing_if = "Option::is_none")] pub a: Option<u64> } }
    {
        pub struct T { #[serde(default = "five")] pub a: Option<u64> }
        fn five() -> Option<u64> { Some(5) }
    }
    "{}" => r#"{"a":5}"#

    NeedsVersion an_option_loses_its_default
    {
        pub struct T { #[serde(default = "five", skip_serializing_if = "is_five")] pub a: Option<u64> }
        fn five() -> Option<u64> { Some(5) }
        fn is_five(a: &Option<u64>) -> bool { *a == Some(5) }
    }
    { pub struct T { pub a: Option<u64> } }
    "{}" => r#"{"a":null}"#

    NeedsVersion a_field_beside_a_flattened_map
    { pub struct T { pub a: u64, #[serde(flatten)] pub rest: BTreeMap<String, serde_json::Value> } }
    {
        pub struct T {
            pub a: u64,
            pub b: Option<u64>,
            #[serde(flatten)]
            pub rest: BTreeMap<String, serde_json::Value>,
        }
    }
    r#"{"a":7,"b":"text"}"# => "nothing"

    NeedsVersion a_field_with_the_name_of_one_in_a_flattened_struct
    {
        pub struct T { pub a: u64, #[serde(flatten)] pub inner: Inner }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Inner { b: u64 }
    }
    {
        pub struct T { pub a: u64, pub b: Option<u64>, #[serde(flatten)] pub inner: Inner }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Inner { b: u64 }
    }
    r#"{"a":7,"b":8}"# => "nothing"

    Compatible a_field_with_another_name_than_those_in_a_flattened_struct
    {
        pub struct T { pub a: u64, #[serde(flatten)] pub inner: Inner }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Inner { b: u64 }
    }
    {
        pub struct T { pub a: u64, pub c: Option<u64>, #[serde(flatten)] pub inner: Inner }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Inner { b: u64 }
    }
    r#"{"a":7,"b":8}"# => r#"{"a":7,"c":null,"b":8}"#

    NeedsVersion a_field_in_a_flattened_struct_beside_a_flattened_map
    {
        pub struct T {
            #[serde(flatten)]
            pub inner: Inner,
            #[serde(flatten)]
            pub rest: BTreeMap<String, serde_json::Value>,
        }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Inner { a: u64 }
    }
    {
        pub struct T {
            #[serde(flatten)]
            pub inner: Inner,
            #[serde(flatten)]
            pub rest: BTreeMap<String, serde_json::Value>,
        }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Inner { a: u64, b: Option<u64> }
    }
    r#"{"a":7,"b":"text"}"# => "nothing"

    NeedsVersion an_alias_that_is_the_name_of_another_field
    { pub struct T { pub a: u64, pub b: Option<u64> } }
    { pub struct T { #[serde(alias = "b")] pub a: u64, pub b: Option<u64> } }
    r#"{"a":7,"b":8}"# => "nothing"

    NeedsVersion a_variant_without_content_gets_one_that_is_anything
    { pub enum T { A } }
    { pub enum T { A(serde_json::Value) } }
    r#""A""# => "nothing"

    NeedsVersion a_variant_without_content_gets_an_option
    { pub enum T { A } }
    { pub enum T { A(Option<u64>) } }
    r#""A""# => "nothing"

    Compatible a_variant_more
    { pub enum T { A } }
    { pub enum T { B(u64), A } }
    r#""A""# => r#""A""#

    NeedsVersion an_untagged_variant_reads_what_the_next_one_was_read_from
    {
        #[serde(untagged)]
        pub enum T { Short { a: u64, b: u64 }, Long { a: u64 } }
    }
    {
        #[serde(untagged)]
        pub enum T { Short { a: u64, b: Option<u64> }, Long { a: u64 } }
    }
    r#"{"a":7}"# => r#"{"a":7,"b":null}"#

    NeedsVersion a_type_in_an_untagged_variant_reads_what_the_next_one_was_read_from
    {
        #[serde(untagged)]
        pub enum T { Small(Box<u8>), Great(String) , Other(u64) }
    }
    {
        #[serde(untagged)]
        pub enum T { Small(Box<u64>), Great(String), Other(u64) }
    }
    "7000" => "7000"

    Compatible the_last_untagged_variant_reads_more
    {
        #[serde(untagged)]
        pub enum T { Word(String), Number(u8) }
    }
    {
        #[serde(untagged)]
        pub enum T { Word(String), Number(u64), Flag(bool) }
    }
    "7" => "7"

    NeedsVersion a_variant_with_a_name_beside_one_without
    { pub enum T { A, #[serde(untagged)] Other(String) } }
    { pub enum T { A, B, #[serde(untagged)] Other(String) } }
    r#""B""# => r#""B""#

    Compatible a_number_becomes_a_greater_one
    { pub struct T { pub a: u32, pub b: f32 } }
    { pub struct T { pub a: i64, pub b: f64 } }
    r#"{"a":4294967295,"b":0.5}"# => r#"{"a":4294967295,"b":0.5}"#

    NeedsVersion a_number_becomes_a_smaller_one
    { pub struct T { pub a: u64 } }
    { pub struct T { pub a: u32 } }
    r#"{"a":4294967296}"# => "nothing"

    NeedsVersion a_whole_number_becomes_a_fraction
    { pub struct T { pub a: u64 } }
    { pub struct T { pub a: f64 } }
    r#"{"a":9007199254740993}"# => r#"{"a":9007199254740992.0}"#

    NeedsVersion any_number_becomes_a_fraction
    { pub struct T { pub a: serde_json::Number } }
    { pub struct T { pub a: f64 } }
    r#"{"a":9007199254740993}"# => r#"{"a":9007199254740992.0}"#

    NeedsVersion a_span_of_time_becomes_a_duration
    { pub struct T { pub a: es_core::jiff::Span } }
    { pub struct T { pub a: es_core::jiff::SignedDuration } }
    r#"{"a":"P1Y"}"# => "nothing"

    NeedsVersion text_becomes_the_id_of_a_stream
    { pub struct T { pub a: String } }
    { pub struct T { pub a: es_core::StreamId } }
    r#"{"a":""}"# => "nothing"

    NeedsVersion text_becomes_a_character
    { pub struct T { pub a: String } }
    { pub struct T { pub a: char } }
    r#"{"a":"ab"}"# => "nothing"

    Compatible a_set_becomes_a_list
    { pub struct T { pub a: BTreeSet<u8> } }
    { pub struct T { pub a: Vec<u8> } }
    r#"{"a":[1,2]}"# => r#"{"a":[1,2]}"#

    NeedsVersion a_list_becomes_a_set
    { pub struct T { pub a: Vec<u8> } }
    { pub struct T { pub a: BTreeSet<u8> } }
    r#"{"a":[2,2]}"# => r#"{"a":[2]}"#

    NeedsVersion an_array_gets_longer
    { pub struct T { pub a: [u8; 2] } }
    { pub struct T { pub a: [u8; 3] } }
    r#"{"a":[2,2]}"# => "nothing"

    NeedsVersion keys_of_a_map_become_numbers
    { pub struct T { pub a: BTreeMap<String, u8> } }
    { pub struct T { pub a: BTreeMap<u32, u8> } }
    r#"{"a":{"x":1}}"# => "nothing"

    NeedsVersion fields_are_called_by_another_rule
    { pub struct T { pub first_name: Option<u8> } }
    { #[serde(rename_all = "camelCase")] pub struct T { pub first_name: Option<u8> } }
    r#"{"first_name":1}"# => r#"{"firstName":null}"#

    NeedsVersion fields_of_variants_are_called_by_another_rule
    { pub enum T { A { first_name: Option<u8> } } }
    { #[serde(rename_all_fields = "camelCase")] pub enum T { A { first_name: Option<u8> } } }
    r#"{"A":{"first_name":1}}"# => r#"{"A":{"firstName":null}}"#

    NeedsVersion a_field_is_skipped
    { pub struct T { pub a: u8, pub b: u8 } }
    { pub struct T { pub a: u8, #[serde(skip)] pub b: u8 } }
    r#"{"a":1,"b":2}"# => r#"{"a":1}"#

    NeedsVersion a_struct_becomes_transparent
    { pub struct T { pub a: u8 } }
    { #[serde(transparent)] pub struct T { pub a: u8 } }
    r#"{"a":1}"# => "nothing"

    NeedsVersion an_enum_gets_a_tag
    { pub enum T { A { a: u8 } } }
    { #[serde(tag = "t")] pub enum T { A { a: u8 } } }
    r#"{"A":{"a":1}}"# => "nothing"

    NeedsVersion a_field_less_where_unknown_fields_are_denied
    { pub struct T { pub a: u8, pub b: u8 } }
    { #[serde(deny_unknown_fields)] pub struct T { pub a: u8 } }
    r#"{"a":1,"b":2}"# => "nothing"

    NeedsVersion a_variant_around_a_skipped_value_becomes_a_tuple
    { pub enum T { A(#[serde(skip)] u8) } }
    { pub enum T { A() } }
    r#""A""# => "nothing"

    NeedsVersion the_value_of_a_transparent_struct_behind_a_marker_becomes_text
    {
        #[serde(transparent)]
        pub struct T { unit: std::marker::PhantomData<u8>, pub value: u64 }
    }
    {
        #[serde(transparent)]
        pub struct T { unit: std::marker::PhantomData<u8>, pub value: String }
    }
    "7" => "nothing"

    NeedsVersion the_value_of_a_transparent_struct_behind_a_skipped_one_becomes_text
    {
        #[serde(transparent)]
        pub struct T(#[serde(skip)] u8, u64);
    }
    {
        #[serde(transparent)]
        pub struct T(#[serde(skip)] u8, String);
    }
    "7" => "nothing"

    Compatible an_integer_becomes_a_long_one
    { pub struct T { pub a: u64 } }
    { pub struct T { pub a: u128 } }
    r#"{"a":7}"# => r#"{"a":7}"#

    NeedsVersion an_integer_under_a_tag_becomes_a_long_one
    { #[serde(tag = "k")] pub enum T { A { x: u64 } } }
    { #[serde(tag = "k")] pub enum T { A { x: u128 } } }
    r#"{"k":"A","x":7}"# => "nothing"

    NeedsVersion an_integer_in_an_untagged_variant_becomes_a_long_one
    { #[serde(untagged)] pub enum T { A { x: Vec<u64> } } }
    { #[serde(untagged)] pub enum T { A { x: Vec<i128> } } }
    r#"{"x":[7]}"# => "nothing"

    NeedsVersion an_integer_beside_an_untagged_variant_becomes_a_long_one
    { pub enum T { A(u64), #[serde(untagged)] B(String) } }
    { pub enum T { A(u128), #[serde(untagged)] B(String) } }
    r#"{"A":7}"# => "nothing"

    NeedsVersion an_integer_in_a_flattened_struct_becomes_a_long_one
    {
        pub struct T { pub a: u8, #[serde(flatten)] pub inner: Option<Inner> }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Inner { x: u64 }
    }
    {
        pub struct T { pub a: u8, #[serde(flatten)] pub inner: Option<Inner> }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Inner { x: u128 }
    }
    r#"{"a":1,"x":7}"# => r#"{"a":1}"#

    NeedsVersion an_integer_in_a_flattened_map_becomes_a_long_one
    { pub struct T { pub a: u8, #[serde(flatten)] pub rest: BTreeMap<String, u64> } }
    { pub struct T { pub a: u8, #[serde(flatten)] pub rest: BTreeMap<String, u128> } }
    r#"{"a":1,"x":7}"# => "nothing"

    NeedsVersion an_integer_of_what_flattens_itself_becomes_a_long_one
    { pub struct T { pub a: u64, #[serde(flatten)] pub rest: BTreeMap<String, T> } }
    { pub struct T { pub a: u128, #[serde(flatten)] pub rest: BTreeMap<String, T> } }
    r#"{"a":1,"x":{"a":7}}"# => "nothing"

    Compatible an_integer_in_the_content_behind_a_tag_becomes_a_long_one
    { #[serde(tag = "kind", content = "value")] pub enum T { A { x: u64 } } }
    { #[serde(tag = "kind", content = "value")] pub enum T { A { x: u128 } } }
    r#"{"kind":"A","value":{"x":7}}"# => r#"{"kind":"A","value":{"x":7}}"#

    NeedsVersion a_long_integer_becomes_anything
    { pub struct T { pub a: u128 } }
    { pub struct T { pub a: serde_json::Value } }
    r#"{"a":340282366920938463463374607431768211455}"# => r#"{"a":3.402823669209385e+38}"#

    NeedsVersion what_holds_a_long_integer_becomes_anything
    { pub struct T { pub a: Vec<Option<u128>> } }
    { pub struct T { pub a: serde_json::Value } }
    r#"{"a":[340282366920938463463374607431768211455]}"# => r#"{"a":[3.402823669209385e+38]}"#

    Compatible what_holds_no_long_integer_becomes_anything
    { pub struct T { pub a: Vec<Option<u64>> } }
    { pub struct T { pub a: serde_json::Value } }
    r#"{"a":[7,null]}"# => r#"{"a":[7,null]}"#

    NeedsVersion a_variant_more_that_is_called_like_another_one
    { pub enum T { B } }
    { pub enum T { #[serde(alias = "B")] A, B } }
    r#""B""# => r#""A""#

    NeedsVersion a_variant_more_that_is_called_as_another_one_was
    { pub enum T { #[serde(alias = "A")] B } }
    { pub enum T { A, #[serde(alias = "A")] B } }
    r#""B""# => r#""B""#

    NeedsVersion a_field_in_a_flattened_struct_that_another_flattened_struct_has
    {
        pub struct T { #[serde(flatten)] pub b: B, #[serde(flatten)] pub a: A }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct A { x: u64 }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct B { y: u64 }
    }
    {
        pub struct T { #[serde(flatten)] pub b: B, #[serde(flatten)] pub a: A }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct A { x: u64 }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct B { y: u64, x: Option<u64> }
    }
    r#"{"y":1,"x":7}"# => "nothing"

    Compatible a_field_in_a_flattened_struct_that_no_other_one_has
    {
        pub struct T { #[serde(flatten)] pub b: B, #[serde(flatten)] pub a: A }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct A { x: u64 }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct B { y: u64 }
    }
    {
        pub struct T { #[serde(flatten)] pub b: B, #[serde(flatten)] pub a: A }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct A { x: u64 }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct B { y: u64, z: Option<u64> }
    }
    r#"{"y":1,"x":7}"# => r#"{"y":1,"z":null,"x":7}"#

    NeedsVersion an_alias_in_a_flattened_struct_that_another_flattened_struct_has
    {
        pub struct T { #[serde(flatten)] pub b: B, #[serde(flatten)] pub a: A }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct A { x: u64 }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct B { y: u64 }
    }
    {
        pub struct T { #[serde(flatten)] pub b: B, #[serde(flatten)] pub a: A }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct A { x: u64 }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct B { #[serde(alias = "x")] y: u64 }
    }
    r#"{"y":1,"x":7}"# => "nothing"

    NeedsVersion a_flattened_struct_more_with_a_name_of_another_one
    {
        pub struct T { pub a: u64, #[serde(flatten)] pub inner: A }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct A { x: u64 }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct B { x: u64 }
    }
    {
        pub struct T { pub a: u64, #[serde(flatten)] pub more: Option<B>, #[serde(flatten)] pub inner: A }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct A { x: u64 }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct B { x: u64 }
    }
    r#"{"a":1,"x":2}"# => "nothing"

    Compatible a_flattened_struct_more_with_names_of_its_own
    {
        pub struct T { pub a: u64, #[serde(flatten)] pub inner: A }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct A { x: u64 }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct B { z: u64 }
    }
    {
        pub struct T { pub a: u64, #[serde(flatten)] pub more: Option<B>, #[serde(flatten)] pub inner: A }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct A { x: u64 }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct B { z: u64 }
    }
    r#"{"a":1,"x":2}"# => r#"{"a":1,"x":2}"#

    NeedsVersion a_flattened_map_beside_a_flattened_struct
    {
        pub struct T { #[serde(flatten)] pub inner: Inner }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Inner { x: u64 }
    }
    {
        pub struct T {
            #[serde(flatten)]
            pub rest: BTreeMap<String, String>,
            #[serde(flatten)]
            pub inner: Inner,
        }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Inner { x: u64 }
    }
    r#"{"x":7}"# => "nothing"

    Compatible a_flattened_map_beside_fields
    { pub struct T { pub x: u64 } }
    { pub struct T { pub x: u64, #[serde(flatten)] pub rest: BTreeMap<String, String> } }
    r#"{"x":7}"# => r#"{"x":7}"#

    NeedsVersion a_flattened_map_beside_the_tag_of_a_struct
    { #[serde(tag = "type")] pub struct T { pub x: u64 } }
    { #[serde(tag = "type")] pub struct T { pub x: u64, #[serde(flatten)] pub rest: BTreeMap<String, u64> } }
    r#"{"type":"T","x":7}"# => "nothing"

    NeedsVersion a_variant_of_a_flattened_enum_with_the_name_of_a_flattened_field
    {
        pub struct T { #[serde(flatten)] pub kind: Kind, #[serde(flatten)] pub inner: Inner }
        #[derive(EventData, Serialize, Deserialize)]
        pub enum Kind { A(u64) }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Inner { x: u64 }
    }
    {
        pub struct T { #[serde(flatten)] pub kind: Kind, #[serde(flatten)] pub inner: Inner }
        #[derive(EventData, Serialize, Deserialize)]
        #[allow(non_camel_case_types)]
        pub enum Kind { A(u64), x(u64) }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Inner { x: u64 }
    }
    r#"{"A":7,"x":8}"# => r#"{"A":7,"x":8}"#

    Compatible a_field_of_one_variant_that_another_variant_has
    {
        pub struct T { pub a: u64, #[serde(flatten)] pub kind: Kind }
        #[derive(EventData, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum Kind { A { x: u64 }, B { y: u64 } }
    }
    {
        pub struct T { pub a: u64, #[serde(flatten)] pub kind: Kind }
        #[derive(EventData, Serialize, Deserialize)]
        #[serde(tag = "kind")]
        pub enum Kind { A { x: u64, y: Option<u64> }, B { y: u64 } }
    }
    r#"{"a":1,"kind":"A","x":7}"# => r#"{"a":1,"kind":"A","x":7,"y":null}"#

    NeedsVersion a_variant_without_a_name_beside_one_with_a_long_integer
    { pub enum T { A(u128) } }
    { pub enum T { A(u128), #[serde(untagged)] B(String) } }
    r#"{"A":7}"# => "nothing"

    NeedsVersion a_field_that_is_only_read_has_the_name_of_another_one_as_alias
    { pub struct T { pub amount: u64 } }
    {
        pub struct T {
            #[serde(skip_serializing, default, alias = "amount")]
            pub legacy: Option<u64>,
            pub amount: u64,
        }
    }
    r#"{"amount":7}"# => "nothing"

    NeedsVersion a_field_that_is_only_read_gets_the_name_of_another_one_as_alias
    {
        pub struct T {
            #[serde(skip_serializing, default)]
            pub legacy: Option<u64>,
            pub amount: u64,
        }
    }
    {
        pub struct T {
            #[serde(skip_serializing, default, alias = "amount")]
            pub legacy: Option<u64>,
            pub amount: u64,
        }
    }
    r#"{"amount":7}"# => "nothing"

    NeedsVersion a_field_that_is_only_read_beside_a_flattened_map
    { pub struct T { pub a: u64, #[serde(flatten)] pub rest: BTreeMap<String, serde_json::Value> } }
    {
        pub struct T {
            pub a: u64,
            #[serde(skip_serializing, default)]
            pub b: Option<u64>,
            #[serde(flatten)]
            pub rest: BTreeMap<String, serde_json::Value>,
        }
    }
    r#"{"a":7,"b":"text"}"# => "nothing"

    Compatible a_field_that_is_only_read
    { pub struct T { pub a: u64 } }
    { pub struct T { pub a: u64, #[serde(skip_serializing, default)] pub b: u64 } }
    r#"{"a":7}"# => r#"{"a":7}"#

    Compatible a_field_less_that_was_only_read
    { pub struct T { pub a: u64, #[serde(skip_serializing, default)] pub b: u64 } }
    { pub struct T { pub a: u64 } }
    r#"{"a":7}"# => r#"{"a":7}"#

    Compatible a_field_that_was_only_read_is_written
    { pub struct T { pub a: u64, #[serde(skip_serializing, default)] pub b: Option<u64> } }
    { pub struct T { pub a: u64, pub b: Option<u64> } }
    r#"{"a":7}"# => r#"{"a":7,"b":null}"#

    Compatible a_field_that_is_only_read_loses_an_alias
    { pub struct T { pub a: u64, #[serde(skip_serializing, default, alias = "c")] pub b: u64 } }
    { pub struct T { pub a: u64, #[serde(skip_serializing, default)] pub b: u64 } }
    r#"{"a":7}"# => r#"{"a":7}"#

    NeedsVersion a_field_that_was_written_is_only_read
    { pub struct T { pub a: u64, pub b: u64 } }
    { pub struct T { pub a: u64, #[serde(skip_serializing, default)] pub b: u64 } }
    r#"{"a":7,"b":8}"# => r#"{"a":7}"#

    Compatible unknown_fields_are_denied
    { pub struct T { pub a: u64 } }
    { #[serde(deny_unknown_fields)] pub struct T { pub a: u64 } }
    r#"{"a":7}"# => r#"{"a":7}"#

    Compatible unknown_fields_are_denied_no_more
    { #[serde(deny_unknown_fields)] pub struct T { pub a: u64 } }
    { pub struct T { pub a: u64 } }
    r#"{"a":7}"# => r#"{"a":7}"#

    NeedsVersion unknown_fields_are_denied_no_more_in_an_untagged_variant
    {
        #[serde(untagged, deny_unknown_fields)]
        pub enum T { Short { a: u64 }, Long { a: u64, b: u64 } }
    }
    {
        #[serde(untagged)]
        pub enum T { Short { a: u64 }, Long { a: u64, b: u64 } }
    }
    r#"{"a":1,"b":2}"# => r#"{"a":1}"#

    NeedsVersion unknown_fields_are_denied_no_more_in_a_type_of_an_untagged_variant
    {
        #[serde(untagged)]
        pub enum T { Short(Short), Long { a: u64, b: u64 } }
        #[derive(EventData, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Short { a: u64 }
    }
    {
        #[serde(untagged)]
        pub enum T { Short(Short), Long { a: u64, b: u64 } }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Short { a: u64 }
    }
    r#"{"a":1,"b":2}"# => r#"{"a":1}"#

    Compatible unknown_fields_are_denied_in_untagged_variants
    { #[serde(untagged)] pub enum T { Long { a: u64, b: u64 }, Short { a: u64 } } }
    {
        #[serde(untagged, deny_unknown_fields)]
        pub enum T { Long { a: u64, b: u64 }, Short { a: u64 } }
    }
    r#"{"a":1,"b":2}"# => r#"{"a":1,"b":2}"#
    r#"{"a":1}"# => r#"{"a":1}"#

    Compatible unknown_fields_are_denied_under_a_tag
    { #[serde(tag = "k")] pub enum T { A { x: u64 }, B } }
    { #[serde(tag = "k", deny_unknown_fields)] pub enum T { A { x: u64 }, B } }
    r#"{"k":"A","x":7}"# => r#"{"k":"A","x":7}"#
    r#"{"k":"B"}"# => r#"{"k":"B"}"#

    NeedsVersion unknown_fields_are_denied_beside_a_flattened_map
    { pub struct T { pub a: u8, #[serde(flatten)] pub rest: BTreeMap<String, u8> } }
    {
        #[serde(deny_unknown_fields)]
        pub struct T { pub a: u8, #[serde(flatten)] pub rest: BTreeMap<String, u8> }
    }
    r#"{"a":1,"z":2}"# => "nothing"

    NeedsVersion unknown_fields_are_denied_beside_a_flattened_enum_with_a_tag
    {
        pub struct T { pub a: u8, #[serde(flatten)] pub kind: Kind }
        #[derive(EventData, Serialize, Deserialize)]
        #[serde(tag = "k")]
        pub enum Kind { A { x: u64 } }
    }
    {
        #[serde(deny_unknown_fields)]
        pub struct T { pub a: u8, #[serde(flatten)] pub kind: Kind }
        #[derive(EventData, Serialize, Deserialize)]
        #[serde(tag = "k")]
        pub enum Kind { A { x: u64 } }
    }
    r#"{"a":1,"k":"A","x":2}"# => "nothing"

    Compatible unknown_fields_are_denied_beside_what_takes_its_names
    {
        pub struct T {
            #[serde(flatten)]
            pub inner: Option<Inner>,
            #[serde(flatten)]
            pub one: One,
            #[serde(flatten)]
            pub other: Other,
        }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Inner { x: u64 }
        #[derive(EventData, Serialize, Deserialize)]
        pub enum One { A(u64) }
        #[derive(EventData, Serialize, Deserialize)]
        #[serde(tag = "t", content = "c")]
        pub enum Other { B(u64) }
    }
    {
        #[serde(deny_unknown_fields)]
        pub struct T {
            #[serde(flatten)]
            pub inner: Option<Inner>,
            #[serde(flatten)]
            pub one: One,
            #[serde(flatten)]
            pub other: Other,
        }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Inner { x: u64 }
        #[derive(EventData, Serialize, Deserialize)]
        pub enum One { A(u64) }
        #[derive(EventData, Serialize, Deserialize)]
        #[serde(tag = "t", content = "c")]
        pub enum Other { B(u64) }
    }
    r#"{"x":1,"A":2,"t":"B","c":3}"# => r#"{"x":1,"A":2,"t":"B","c":3}"#

    NeedsVersion unknown_fields_are_denied_in_a_flattened_enum_beside_a_flattened_struct
    {
        pub struct T { #[serde(flatten)] pub kind: Kind, #[serde(flatten)] pub inner: Inner }
        #[derive(EventData, Serialize, Deserialize)]
        #[serde(tag = "k")]
        pub enum Kind { A { x: u64 } }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Inner { y: u64 }
    }
    {
        pub struct T { #[serde(flatten)] pub kind: Kind, #[serde(flatten)] pub inner: Inner }
        #[derive(EventData, Serialize, Deserialize)]
        #[serde(tag = "k", deny_unknown_fields)]
        pub enum Kind { A { x: u64 } }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct Inner { y: u64 }
    }
    r#"{"k":"A","x":1,"y":2}"# => "nothing"

    Compatible unknown_fields_are_denied_in_the_only_flattened_enum
    {
        pub struct T { pub a: u64, #[serde(flatten)] pub kind: Kind }
        #[derive(EventData, Serialize, Deserialize)]
        #[serde(tag = "k")]
        pub enum Kind { A { x: u64 } }
    }
    {
        pub struct T { pub a: u64, #[serde(flatten)] pub kind: Kind }
        #[derive(EventData, Serialize, Deserialize)]
        #[serde(tag = "k", deny_unknown_fields)]
        pub enum Kind { A { x: u64 } }
    }
    r#"{"a":1,"k":"A","x":2}"# => r#"{"a":1,"k":"A","x":2}"#

    NeedsVersion another_type_holds_itself
    { pub struct T { children: Vec<T> } }
    {
        pub struct T { children: C }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct C(Vec<C>);
    }
    r#"{"children":[{"children":[]}]}"# => "nothing"

    NeedsVersion another_tuple_holds_itself
    { pub struct T { inner: (u8, Vec<T>) } }
    {
        pub struct T { inner: C }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct C(u8, Vec<C>);
    }
    r#"{"inner":[1,[{"inner":[2,[]]}]]}"# => "nothing"

    NeedsVersion a_type_with_a_parameter_holds_itself
    {
        pub struct T { inner: W<T> }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct W<X> { all: Vec<X> }
    }
    {
        pub struct T { inner: W }
        #[derive(EventData, Serialize, Deserialize)]
        pub struct W { all: Vec<W> }
    }
    r#"{"inner":{"all":[{"inner":{"all":[]}}]}}"# => "nothing"

    Compatible a_type_that_holds_itself_gets_an_option
    { pub enum T { Leaf, Node { children: Vec<T> } } }
    { pub enum T { Leaf, Node { children: Vec<T>, note: Option<u8> } } }
    r#"{"Node":{"children":["Leaf"]}}"# => r#"{"Node":{"children":["Leaf"],"note":null}}"#
}
