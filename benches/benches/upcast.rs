//! `cargo bench -p es-benches --bench upcast`: reading old versions of an event, beside code written
//! by hand that matches on the version, and beside serde's untagged enum, in one run.

#![allow(clippy::duplicated_attributes, reason = "each step begins with another version")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark that fails has nothing to say")]

use std::hint::black_box;
use std::time::Duration;

use es_benches::measure::{compare, time};
use es_core::bytes::Bytes;
use es_core::jiff::Timestamp;
use es_core::prelude::*;
use es_core::{EventId, EventSet, Metadata, Page, Position, RecordedEvent, SchemaVersion, Tags};

/// The newest of eleven versions, with steps over the stored object.
#[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
#[event(name = "paid", version = 11)]
#[upcast(from = 1, rename("amt" => "amount"))]
#[upcast(from = 2, add(currency = "CZK"))]
#[upcast(from = 3, rename("who" => "payer"))]
#[upcast(from = 4, add(express = false))]
#[upcast(from = 5, rename("ref" => "reference"))]
#[upcast(from = 6, remove(legacy))]
#[upcast(from = 7, add(fee = 0))]
#[upcast(from = 8, rename("memo" => "note"))]
#[upcast(from = 9, add(channel = "branch"))]
#[upcast(from = 10, rename("payer" => "paid_by"))]
struct Paid {
    amount: u64,
    currency: String,
    paid_by: String,
    express: bool,
    reference: u64,
    fee: u64,
    note: String,
    channel: String,
}

/// The same, with a struct for every version.
#[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
#[event(name = "paid", version = 11)]
#[upcast(from = 1, via = V1)]
#[upcast(from = 2, via = V2)]
#[upcast(from = 3, via = V3)]
#[upcast(from = 4, via = V4)]
#[upcast(from = 5, via = V5)]
#[upcast(from = 6, via = V6)]
#[upcast(from = 7, via = V7)]
#[upcast(from = 8, via = V8)]
#[upcast(from = 9, via = V9)]
#[upcast(from = 10, via = V10)]
struct TypedPaid {
    amount: u64,
    currency: String,
    paid_by: String,
    express: bool,
    reference: u64,
    fee: u64,
    note: String,
    channel: String,
}

#[derive(EventSet)]
enum Steps {
    Paid(Paid),
}

#[derive(EventSet)]
enum Structs {
    Paid(TypedPaid),
}

/// A struct of old, and how it becomes the next.
macro_rules! versions {
    ($($old:ident { $($field:ident: $ty:ty),* } => $next:ident { $($to:ident: $from:expr),* } in $v:ident;)*) => {
        $(
            #[derive(Deserialize)]
            #[allow(dead_code, reason = "it was stored")]
            struct $old {
                $($field: $ty),*
            }

            impl From<$old> for $next {
                fn from($v: $old) -> Self {
                    Self { $($to: $from),* }
                }
            }
        )*
    };
}

versions! {
    V1 { amt: u64, who: String, r#ref: u64, legacy: u64, memo: String }
        => V2 { amount: v.amt, who: v.who, r#ref: v.r#ref, legacy: v.legacy, memo: v.memo } in v;
    V2 { amount: u64, who: String, r#ref: u64, legacy: u64, memo: String }
        => V3 { amount: v.amount, currency: "CZK".to_owned(), who: v.who, r#ref: v.r#ref, legacy: v.legacy, memo: v.memo } in v;
    V3 { amount: u64, currency: String, who: String, r#ref: u64, legacy: u64, memo: String }
        => V4 { amount: v.amount, currency: v.currency, payer: v.who, r#ref: v.r#ref, legacy: v.legacy, memo: v.memo } in v;
    V4 { amount: u64, currency: String, payer: String, r#ref: u64, legacy: u64, memo: String }
        => V5 { amount: v.amount, currency: v.currency, payer: v.payer, express: false, r#ref: v.r#ref, legacy: v.legacy, memo: v.memo } in v;
    V5 { amount: u64, currency: String, payer: String, express: bool, r#ref: u64, legacy: u64, memo: String }
        => V6 { amount: v.amount, currency: v.currency, payer: v.payer, express: v.express, reference: v.r#ref, legacy: v.legacy, memo: v.memo } in v;
    V6 { amount: u64, currency: String, payer: String, express: bool, reference: u64, legacy: u64, memo: String }
        => V7 { amount: v.amount, currency: v.currency, payer: v.payer, express: v.express, reference: v.reference, memo: v.memo } in v;
    V7 { amount: u64, currency: String, payer: String, express: bool, reference: u64, memo: String }
        => V8 { amount: v.amount, currency: v.currency, payer: v.payer, express: v.express, reference: v.reference, fee: 0, memo: v.memo } in v;
    V8 { amount: u64, currency: String, payer: String, express: bool, reference: u64, fee: u64, memo: String }
        => V9 { amount: v.amount, currency: v.currency, payer: v.payer, express: v.express, reference: v.reference, fee: v.fee, note: v.memo } in v;
    V9 { amount: u64, currency: String, payer: String, express: bool, reference: u64, fee: u64, note: String }
        => V10 { amount: v.amount, currency: v.currency, payer: v.payer, express: v.express, reference: v.reference, fee: v.fee, note: v.note, channel: "branch".to_owned() } in v;
    V10 { amount: u64, currency: String, payer: String, express: bool, reference: u64, fee: u64, note: String, channel: String }
        => TypedPaid { amount: v.amount, currency: v.currency, paid_by: v.payer, express: v.express, reference: v.reference, fee: v.fee, note: v.note, channel: v.channel } in v;
}

/// By hand: a match on the version, each straight into the newest.
mod by_hand {
    use super::{Paid, V1, V8, V10};

    fn text(payload: &[u8]) -> &str {
        std::str::from_utf8(payload).unwrap()
    }

    pub(super) fn decode(version: u32, payload: &[u8]) -> Paid {
        match version {
            11 => serde_json::from_str(text(payload)).unwrap(),
            10 => from_10(serde_json::from_str(text(payload)).unwrap()),
            8 => from_8(serde_json::from_str(text(payload)).unwrap()),
            1 => from_1(serde_json::from_str(text(payload)).unwrap()),
            other => panic!("version {other}"),
        }
    }

    /// Serde tries one after another.
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum AnyVersion {
        V11(Paid),
        V10(V10),
        V8(V8),
        V1(V1),
    }

    pub(super) fn decode_untagged(payload: &[u8]) -> Paid {
        match serde_json::from_str(text(payload)).unwrap() {
            AnyVersion::V11(paid) => paid,
            AnyVersion::V10(old) => from_10(old),
            AnyVersion::V8(old) => from_8(old),
            AnyVersion::V1(old) => from_1(old),
        }
    }

    fn from_10(old: V10) -> Paid {
        Paid {
            amount: old.amount,
            currency: old.currency,
            paid_by: old.payer,
            express: old.express,
            reference: old.reference,
            fee: old.fee,
            note: old.note,
            channel: old.channel,
        }
    }

    fn from_8(old: V8) -> Paid {
        Paid {
            amount: old.amount,
            currency: old.currency,
            paid_by: old.payer,
            express: old.express,
            reference: old.reference,
            fee: old.fee,
            note: old.memo,
            channel: "branch".to_owned(),
        }
    }

    fn from_1(old: V1) -> Paid {
        Paid {
            amount: old.amt,
            currency: "CZK".to_owned(),
            paid_by: old.who,
            express: false,
            reference: old.r#ref,
            fee: 0,
            note: old.memo,
            channel: "branch".to_owned(),
        }
    }
}

const EVENTS: u64 = 100_000;

/// So many events of one version as a store gives them.
fn page(version: u32) -> Page {
    let payload = |index: u64| match version {
        11 => format!(
            r#"{{"amount":{index},"currency":"CZK","paid_by":"owner {index}","express":false,"reference":{index},"fee":0,"note":"for {index}","channel":"branch"}}"#
        ),
        10 => format!(
            r#"{{"amount":{index},"currency":"CZK","payer":"owner {index}","express":false,"reference":{index},"fee":0,"note":"for {index}","channel":"branch"}}"#
        ),
        8 => format!(
            r#"{{"amount":{index},"currency":"CZK","payer":"owner {index}","express":false,"reference":{index},"fee":0,"memo":"for {index}"}}"#
        ),
        _ => format!(
            r#"{{"amt":{index},"who":"owner {index}","ref":{index},"legacy":1,"memo":"for {index}"}}"#
        ),
    };
    let events: Vec<_> = (0..EVENTS)
        .map(|index| RecordedEvent {
            position: Position::new(index + 1),
            stream: "payments/1".parse().unwrap(),
            version: Version::new(index + 1),
            event_id: EventId::from_uuid(uuid::Uuid::nil()),
            name: "paid".to_owned(),
            schema_version: SchemaVersion::try_from(version).unwrap(),
            payload: Bytes::from(payload(index)),
            tags: Tags::new(),
            recorded_at: Timestamp::UNIX_EPOCH,
            occurred_at: None,
            metadata: Metadata::EMPTY,
        })
        .collect();
    events.iter().map(RecordedEvent::as_recorded).collect()
}

fn ours<S: EventSet>(page: &Page) -> Duration {
    time(|| {
        for recorded in page.iter() {
            assert_eq!(black_box(S::decode(&recorded).unwrap()).as_slice().len(), 1);
        }
    })
}

fn theirs(page: &Page, decode: impl Fn(u32, &[u8]) -> Paid) -> Duration {
    time(|| {
        for recorded in page.iter() {
            let version = recorded.schema_version.get();
            black_box(decode(version, recorded.payload.as_bytes()));
        }
    })
}

/// All sides read the same.
fn check<E: Into<(u64, String, String)>>(page: &Page, read: impl Fn(&Recorded<'_>) -> E) {
    for recorded in page.iter().take(100) {
        let by_hand = by_hand::decode(recorded.schema_version.get(), recorded.payload.as_bytes());
        assert_eq!(read(&recorded).into(), by_hand.into());
    }
}

impl From<Paid> for (u64, String, String) {
    fn from(paid: Paid) -> Self {
        (paid.amount, paid.paid_by, paid.note)
    }
}

impl From<TypedPaid> for (u64, String, String) {
    fn from(paid: TypedPaid) -> Self {
        (paid.amount, paid.paid_by, paid.note)
    }
}

fn main() {
    println!(
        "{:<46} {:>9} {:>9}   {:<11} {:>8} {:>8}",
        "", "ours", "by hand", "", "ratio", "target"
    );
    let unit = "events/s";
    for (steps, version, [objects, structs, untagged]) in [
        (0, 11, ["current", "current, beside structs", "current (serde untagged)"]),
        (1, 10, ["1 step", "1 struct of old", "1 step (serde untagged)"]),
        (3, 8, ["3 steps", "3 structs of old", "3 steps (serde untagged)"]),
        (10, 1, ["10 steps", "10 structs of old", "10 steps (serde untagged)"]),
    ] {
        let page = page(version);
        check::<Paid>(&page, |recorded| match Steps::decode(recorded).unwrap().one().unwrap() {
            Steps::Paid(paid) => paid,
        });
        check::<TypedPaid>(&page, |recorded| {
            match Structs::decode(recorded).unwrap().one().unwrap() {
                Structs::Paid(paid) => paid,
            }
        });
        check::<Paid>(&page, |recorded| by_hand::decode_untagged(recorded.payload.as_bytes()));
        let target = if steps == 0 { ">= 0.95" } else { "" };
        let by_hand = |_| theirs(&page, by_hand::decode);
        compare(objects, unit, EVENTS, target, |_| ours::<Steps>(&page), by_hand);
        compare(structs, unit, EVENTS, target, |_| ours::<Structs>(&page), by_hand);
        compare(
            untagged,
            unit,
            EVENTS,
            "",
            |_| ours::<Steps>(&page),
            |_| theirs(&page, |_, payload| by_hand::decode_untagged(payload)),
        );
    }
}
