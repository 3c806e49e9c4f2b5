//! Stored versions of events become today's: every kind of step, alone and in chains.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use es_core::prelude::*;
use es_core::{DecodeProblem, Decoded, EventSet, JsonObject, SchemaVersion, Split, UpcastError};
use es_tests::history::{read, recorded};
use serde_json::{Value, json};

/// Every operation on the stored object, over four versions.
#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[event(name = "order.placed", version = 5, alias = "order.created", alias = "order")]
#[upcast(from = 3, rename("address.zip" => "address.postcode"), rename("lines[].amt" => "lines[].amount"))]
#[upcast(from = 1, rename("amt" => "amount"), remove(legacy, "address.planet"))]
#[upcast(from = 2, add(currency = "CZK", "lines[].unit" = unit_of, placed_by = placed_by))]
#[upcast(from = 4, with = whole_cents, add(discount = -5, rate = 0.5, gift = false, note = null))]
#[serde(rename_all = "camelCase")]
struct Placed {
    amount: u64,
    currency: String,
    lines: Vec<Line>,
    address: Option<Address>,
    #[serde(rename = "placed_by")]
    placed_by: String,
    discount: i64,
    rate: f64,
    gift: bool,
    note: Option<String>,
}

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
struct Line {
    amount: u64,
    unit: String,
}

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
struct Address {
    postcode: String,
}

fn unit_of(line: &JsonObject) -> &'static str {
    if line.contains_key("kg") { "kg" } else { "piece" }
}

fn placed_by(_: &JsonObject, recorded: &Recorded<'_>) -> String {
    recorded.metadata.actor().unwrap_or("nobody").to_owned()
}

fn whole_cents(event: &mut JsonObject) -> Result<(), UpcastError> {
    let amount = event.get("amount").and_then(Value::as_str);
    let amount = amount.ok_or_else(|| UpcastError::new("there is no text").at("amount"))?;
    let (whole, cents) = amount.split_once('.').unwrap_or((amount, "00"));
    let amount = whole.parse::<u64>()? * 100 + cents.parse::<u64>()?;
    event.insert("amount".to_owned(), amount.into());
    Ok(())
}

#[derive(EventSet, Debug, PartialEq)]
#[event_set(retired("order.audited"))]
enum OrderEvent {
    Placed(Placed),
}

fn placed() -> Placed {
    Placed {
        amount: 1250,
        currency: "CZK".to_owned(),
        lines: vec![
            Line { amount: 1, unit: "piece".to_owned() },
            Line { amount: 2, unit: "kg".to_owned() },
        ],
        address: Some(Address { postcode: "11000".to_owned() }),
        placed_by: "teller 7".to_owned(),
        discount: -5,
        rate: 0.5,
        gift: false,
        note: None,
    }
}

/// The same order as each version stored it.
fn versions() -> [Value; 5] {
    [
        json!({
            "amt": "12.50", "legacy": [1], "lines": [{ "amt": 1 }, { "amt": 2, "kg": true }],
            "address": { "zip": "11000", "planet": "Earth" },
        }),
        json!({
            "amount": "12.50", "lines": [{ "amt": 1 }, { "amt": 2, "kg": true }],
            "address": { "zip": "11000" },
        }),
        json!({
            "amount": "12.50", "currency": "CZK", "placed_by": "teller 7",
            "lines": [{ "amt": 1, "unit": "piece" }, { "amt": 2, "unit": "kg" }],
            "address": { "zip": "11000" },
        }),
        json!({
            "amount": "12.50", "currency": "CZK", "placed_by": "teller 7",
            "lines": [{ "amount": 1, "unit": "piece" }, { "amount": 2, "unit": "kg" }],
            "address": { "postcode": "11000" },
        }),
        serde_json::to_value(placed()).unwrap(),
    ]
}

#[test]
fn every_version_becomes_the_newest() {
    for (version, payload) in (1..).zip(versions()) {
        for name in ["order.placed", "order.created", "order"] {
            let events = read::<OrderEvent>(name, version, &payload.to_string());
            assert_eq!(events, Ok(vec![placed().into()]), "version {version} as `{name}`");
        }
    }
}

#[test]
fn what_a_path_does_not_reach_stays_as_it_is() {
    let payload = r#"{ "amt": "1", "lines": [], "address": null }"#;
    let events = read::<OrderEvent>("order.placed", 1, payload).unwrap();
    let OrderEvent::Placed(placed) = &events[0];
    assert_eq!((placed.amount, &placed.address, placed.lines.len()), (100, &None, 0));
}

#[test]
fn a_query_finds_an_event_by_every_name_that_it_had() {
    let query = OrderEvent::query();
    assert_eq!(query.items()[0].names(), ["order", "order.created", "order.placed"]);
}

#[test]
fn a_retired_event_is_read_as_none() {
    let recorded = recorded("order.audited", 9, "what it was");
    assert_eq!(OrderEvent::decode(&recorded.as_recorded()).unwrap(), Decoded::Retired);
}

#[test]
fn a_failing_step_says_where_it_stands_and_at_which_field() {
    let error =
        |version, payload| read::<OrderEvent>("order.placed", version, payload).unwrap_err();
    assert_eq!(
        error(2, r#"{ "amount": "12,50", "lines": [] }"#),
        "event `order.placed` (schema version 2) at version 3 of stream `account/7`, position 70: \
         the step from version 4 to 5, `#[upcast(from = 4, with = whole_cents, add(discount = -5, \
         rate = 0.5, gift = false, note = null))]`, failed: invalid digit found in string"
    );
    assert_eq!(
        error(4, r#"{ "amount": 1250 }"#),
        "event `order.placed` (schema version 4) at version 3 of stream `account/7`, position 70: \
         the step from version 4 to 5, `#[upcast(from = 4, with = whole_cents, add(discount = -5, \
         rate = 0.5, gift = false, note = null))]`, failed: field `amount`: there is no text"
    );
    assert_eq!(
        error(3, r#"{ "lines": 7 }"#),
        "event `order.placed` (schema version 3) at version 3 of stream `account/7`, position 70: \
         the step from version 3 to 4, `#[upcast(from = 3, rename(\"address.zip\" => \
         \"address.postcode\"), rename(\"lines[].amt\" => \"lines[].amount\"))]`, failed: \
         field `lines[].amt`: `lines` holds a number, not a list"
    );
    assert_eq!(
        error(1, r#"{ "amt": 1, "amount": 2 }"#),
        "event `order.placed` (schema version 1) at version 3 of stream `account/7`, position 70: \
         the step from version 1 to 2, `#[upcast(from = 1, rename(\"amt\" => \"amount\"), \
         remove(legacy, \"address.planet\"))]`, failed: field `amt`: `amt` can not become \
         `amount`: the event has both"
    );
}

#[test]
fn what_the_steps_made_and_what_is_missing_in_it_is_said() {
    let error = read::<OrderEvent>("order.placed", 4, r#"{ "amount": "1" }"#).unwrap_err();
    assert_eq!(
        error,
        "event `order.placed` (schema version 4) at version 3 of stream `account/7`, position 70: \
         what the steps made of it is not version 5: missing field `currency`"
    );
}

#[test]
fn a_payload_that_is_no_object_is_an_error() {
    for payload in ["[]", "7", "\"text\"", "{", "{} {}", ""] {
        let error = read::<OrderEvent>("order.placed", 1, payload).unwrap_err();
        assert!(error.contains("the payload does not hold it: "), "{error}");
    }
}

#[test]
fn a_version_from_a_newer_program_says_what_to_do() {
    let recorded = recorded("order.placed", 6, "{}");
    let error = OrderEvent::decode(&recorded.as_recorded()).unwrap_err();
    let known = SchemaVersion::try_from(5).unwrap();
    assert!(matches!(error.problem(), DecodeProblem::NewerVersion { known: it } if *it == known));
    assert!(error.to_string().ends_with("so deploy the newer program here first"), "{error}");
}

/// Versions one and two were never released.
#[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
#[event(name = "lamp.lit", version = 4, oldest = 3)]
#[upcast(from = 3, remove(watts))]
struct Lit;

/// It starts at version 2.
#[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
#[event(name = "lamp.dimmed", version = 2, oldest = 2)]
struct Dimmed {
    to: u8,
}

#[derive(EventSet, Debug, PartialEq)]
enum LampEvent {
    Lit(Lit),
    Dimmed(Dimmed),
}

#[test]
fn a_version_below_the_oldest_is_an_error_of_its_own() {
    for (name, oldest) in [("lamp.lit", 3), ("lamp.dimmed", 2)] {
        for version in 1..oldest {
            let recorded = recorded(name, version, "{}");
            let error = LampEvent::decode(&recorded.as_recorded()).unwrap_err();
            let oldest = SchemaVersion::try_from(oldest).unwrap();
            let problem = error.problem();
            assert!(
                matches!(problem, DecodeProblem::BelowOldest { oldest: it } if *it == oldest),
                "{error}"
            );
        }
    }
}

#[test]
fn an_event_may_lose_its_last_field() {
    assert_eq!(read::<LampEvent>("lamp.lit", 3, r#"{"watts":7}"#), Ok(vec![Lit.into()]));
    assert_eq!(read::<LampEvent>("lamp.lit", 4, "null"), Ok(vec![Lit.into()]));
}

mod typed {
    use super::*;

    /// It began without fields, got them as an object, and is a newtype today.
    #[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
    #[event(name = "limit.set", version = 5)]
    #[upcast(from = 4, via = V4)]
    #[upcast(from = 3, via = V3)]
    #[upcast(from = 1, add(limit = 100))]
    #[upcast(from = 2, rename("limit" => "cents"))]
    pub(super) struct LimitSet(pub(super) u64);

    #[derive(Deserialize)]
    struct V3 {
        cents: i64,
    }

    #[derive(Deserialize)]
    struct V4 {
        haler: u64,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("a limit of {0} is no limit")]
    pub(super) struct NoLimit(i64);

    impl TryFrom<V3> for V4 {
        type Error = NoLimit;

        fn try_from(old: V3) -> Result<Self, NoLimit> {
            Ok(Self { haler: u64::try_from(old.cents).map_err(|_| NoLimit(old.cents))? })
        }
    }

    impl From<V4> for LimitSet {
        fn from(old: V4) -> Self {
            Self(old.haler)
        }
    }
}

use typed::LimitSet;

#[derive(EventSet, Debug, PartialEq)]
enum LimitEvent {
    Set(LimitSet),
}

#[test]
fn structs_of_old_become_each_the_next() {
    for (version, payload) in
        (1..).zip(["null", r#"{"limit":100}"#, r#"{"cents":100}"#, r#"{"haler":100}"#, "100"])
    {
        let events = read::<LimitEvent>("limit.set", version, payload);
        assert_eq!(events, Ok(vec![LimitSet(100).into()]), "version {version}");
    }
}

#[test]
fn a_struct_of_old_that_can_not_become_the_next_says_why() {
    let error = read::<LimitEvent>("limit.set", 2, r#"{"limit":-1}"#).unwrap_err();
    assert_eq!(
        error,
        "event `limit.set` (schema version 2) at version 3 of stream `account/7`, position 70: \
         the step from version 3 to 4, `#[upcast(from = 3, via = V3)]`, failed: \
         a limit of -1 is no limit"
    );
    let error = read::<LimitEvent>("limit.set", 3, r#"{"limit":-1}"#).unwrap_err();
    assert!(error.contains("the payload does not hold it: missing field `cents`"), "{error}");
}

mod splitting {
    use super::*;

    /// Gone: each was two movements.
    #[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
    #[event(name = "account.moved", version = 3, alias = "account.transferred")]
    #[upcast(from = 1, rename("sum" => "amount"))]
    #[upcast(from = 2, split(into(Deposited, Withdrawn), with = two_movements))]
    pub(super) struct Moved {}

    #[derive(Deserialize)]
    struct Movement {
        amount: i64,
    }

    fn two_movements(old: Movement, recorded: &Recorded<'_>) -> Result<Split, UpcastError> {
        assert_eq!(recorded.version, Version::new(3));
        let amount = old.amount.unsigned_abs();
        match old.amount {
            0 => Ok(Split::new()),
            1.. => Ok(Split::new().event(Deposited { amount })),
            _ => {
                let mut withdrawn = JsonObject::new();
                withdrawn.insert("amount".to_owned(), (amount + 1).into());
                Ok(Split::new().event(Deposited { amount }).version::<Withdrawn>(1, withdrawn))
            }
        }
    }

    #[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
    #[event(name = "account.deposited", split_from(Moved))]
    pub(super) struct Deposited {
        pub(super) amount: u64,
    }

    /// Of its first version the fee was a part.
    #[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
    #[event(name = "account.withdrawn", version = 2, split_from(Moved))]
    #[upcast(from = 1, split(into(Withdrawn, FeeCharged), with = fee_apart))]
    pub(super) struct Withdrawn {
        pub(super) amount: u64,
    }

    fn fee_apart(mut old: JsonObject) -> Result<Split, UpcastError> {
        let amount = old.get("amount").and_then(Value::as_u64).unwrap_or_default();
        old.insert("amount".to_owned(), amount.saturating_sub(1).into());
        Ok(Split::new().version::<Withdrawn>(2, old).event(FeeCharged { amount: 1 }))
    }

    #[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
    #[event(name = "account.fee_charged", split_from(Withdrawn, Moved))]
    pub(super) struct FeeCharged {
        pub(super) amount: u64,
    }
}

use splitting::{Deposited, FeeCharged, Withdrawn};

#[derive(EventSet, Debug, PartialEq)]
enum AccountEvent {
    Deposited(Deposited),
    Withdrawn(Withdrawn),
    FeeCharged(FeeCharged),
}

#[derive(EventSet, Debug, PartialEq)]
enum FeeEvent {
    FeeCharged(FeeCharged),
}

#[test]
fn one_stored_event_becomes_several_and_they_are_split_further() {
    let wanted = || {
        vec![
            Deposited { amount: 5 }.into(),
            Withdrawn { amount: 5 }.into(),
            FeeCharged { amount: 1 }.into(),
        ]
    };
    for (version, field) in [(1, "sum"), (2, "amount")] {
        for name in ["account.moved", "account.transferred"] {
            let payload = format!(r#"{{"{field}":-5}}"#);
            assert_eq!(read::<AccountEvent>(name, version, &payload), Ok(wanted()));
        }
    }
    let one = read::<AccountEvent>("account.moved", 2, r#"{"amount":5}"#);
    assert_eq!(one, Ok(vec![Deposited { amount: 5 }.into()]));
    assert_eq!(read::<AccountEvent>("account.moved", 2, r#"{"amount":0}"#), Ok(vec![]));
    let withdrawn = read::<AccountEvent>("account.withdrawn", 1, r#"{"amount":3}"#);
    let parts = vec![Withdrawn { amount: 2 }.into(), FeeCharged { amount: 1 }.into()];
    assert_eq!(withdrawn, Ok(parts));
}

#[test]
fn who_lists_only_a_part_reads_it_out_of_what_was_stored_as_the_whole() {
    let query = FeeEvent::query();
    assert_eq!(
        query.items()[0].names(),
        ["account.fee_charged", "account.moved", "account.transferred", "account.withdrawn"]
    );
    let fee = || Ok(vec![FeeCharged { amount: 1 }.into()]);
    assert_eq!(read::<FeeEvent>("account.fee_charged", 1, r#"{"amount":1}"#), fee());
    assert_eq!(read::<FeeEvent>("account.withdrawn", 1, r#"{"amount":3}"#), fee());
    assert_eq!(read::<FeeEvent>("account.moved", 1, r#"{"sum":-5}"#), fee());
    assert_eq!(read::<FeeEvent>("account.moved", 2, r#"{"amount":5}"#), Ok(vec![]));
    // One that was stored without a fee in it is none of its.
    let whole = recorded("account.withdrawn", 2, r#"{"amount":3}"#);
    assert_eq!(FeeEvent::decode(&whole.as_recorded()).unwrap(), Decoded::Unlisted);
    let unknown = read::<FeeEvent>("account.deposited", 1, r#"{"amount":1}"#);
    assert!(unknown.unwrap_err().contains("knows no event of this name"));
}

#[test]
fn a_newer_version_of_what_is_split_is_an_error_too() {
    let error = read::<AccountEvent>("account.moved", 4, "{}").unwrap_err();
    assert!(error.contains("deploy the newer program here first"), "{error}");
}

mod endless {
    use super::*;

    #[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
    #[event(name = "ping", version = 2, split_from(Pong))]
    #[upcast(from = 1, split(into(Pong), with = to_pong))]
    pub(super) struct Ping {}

    #[derive(Event, Serialize, Deserialize, Debug, PartialEq)]
    #[event(name = "pong", version = 2, split_from(Ping))]
    #[upcast(from = 1, split(into(Ping, Pong), with = to_ping))]
    pub(super) struct Pong {}

    fn to_pong(old: JsonObject) -> Result<Split, UpcastError> {
        if old.contains_key("other") {
            return Ok(Split::new().event(Ping {}));
        }
        if old.contains_key("version") {
            return Ok(Split::new().version::<Pong>(3, old));
        }
        Ok(Split::new().version::<Pong>(1, old))
    }

    fn to_ping(old: JsonObject) -> Result<Split, UpcastError> {
        if old.contains_key("same") {
            return Ok(Split::new().version::<Pong>(1, old));
        }
        Ok(Split::new().version::<Ping>(1, old))
    }
}

#[derive(EventSet, Debug, PartialEq)]
enum Rally {
    Ping(endless::Ping),
    Pong(endless::Pong),
}

#[test]
fn a_split_without_end_is_an_error() {
    let error = |name, payload| read::<Rally>(name, 1, payload).unwrap_err();
    assert!(error("ping", "{}").contains("its parts are split again and again"));
    assert!(error("pong", r#"{"same":1}"#).contains("which would be split again"));
    assert!(
        error("ping", r#"{"other":1}"#).contains("made `ping`, which `into(..)` does not list")
    );
    assert!(error("ping", r#"{"version":1}"#).contains("`pong` has no version 3"));
}
