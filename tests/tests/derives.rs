//! Right uses of the derives: everything here must compile, and does what it says.

use es_core::prelude::*;
use es_core::{EventType, Registry, Tags};

mod billing {
    use es_core::prelude::*;

    #[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq)]
    #[event(name = "billing.paid")]
    pub(crate) struct Paid {
        pub(crate) amount: u64,
    }
}

#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[event(name = "account.opened", version = 2, oldest = 2)]
#[serde(rename_all = "camelCase")]
struct Opened {
    #[event(tag)]
    owner_name: String,
    #[event(tag = "by")]
    referrer: Option<u64>,
    #[serde(rename = "kind")]
    #[event(tag)]
    r#type: char,
}

#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[event(name = "account.limit_set")]
struct LimitSet(#[event(tag = "limit")] u64);

#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[event(name = "account.priced")]
struct Priced<C, const N: usize> {
    currency: C,
}

#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
struct Eur;

#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq)]
#[event(name = "account.match")]
#[expect(non_camel_case_types, reason = "a keyword is lower case")]
struct r#match;

#[derive(AggregateId, Debug, Clone, PartialEq, Eq, Hash)]
struct AccountId(u64);

/// A state machine.
#[derive(Aggregate, Default, Debug, PartialEq)]
#[aggregate(
    name = "account",
    id = AccountId,
    events(Opened, billing::Paid as BillingPaid, LimitSet, Priced<Eur, 3>, r#match),
    derive(Debug, Clone, PartialEq)
)]
enum Account {
    #[default]
    Absent,
    Open {
        balance: u64,
    },
    Limited(u64),
}

impl Apply<Opened> for Account {
    fn apply(&mut self, _: &Opened) {
        *self = Self::Open { balance: 0 };
    }
}

impl Apply<billing::Paid> for Account {
    fn apply(&mut self, event: &billing::Paid) {
        if let Self::Open { balance } = self {
            *balance += event.amount;
        }
    }
}

impl Apply<LimitSet> for Account {
    fn apply(&mut self, event: &LimitSet) {
        *self = Self::Limited(event.0);
    }
}

impl Apply<Priced<Eur, 3>> for Account {
    fn apply(&mut self, _: &Priced<Eur, 3>) {}
}

impl Apply<r#match> for Account {
    fn apply(&mut self, _: &r#match) {
        *self = Self::Absent;
    }
}

#[derive(Command)]
#[command(aggregate = Account, creates)]
struct Open {
    #[command(id)]
    account: AccountId,
}

#[derive(Command)]
#[command(aggregate = Account, name = "account.import")]
struct Import<S>(S, #[command(id)] AccountId);

#[derive(EventSet, Debug)]
enum OwnEvent {
    Opened(Opened),
    Limit(LimitSet),
}

#[derive(Aggregate, Default, Debug)]
#[aggregate(name = "own", id = String, events = OwnEvent)]
struct Own {
    events: u64,
}

impl Apply<Opened> for Own {
    fn apply(&mut self, _: &Opened) {
        self.events += 1;
    }
}

impl Apply<LimitSet> for Own {
    fn apply(&mut self, _: &LimitSet) {
        self.events += 1;
    }
}

#[derive(Projection, Default)]
#[projection(name = "payments", version = 3, events(Opened, billing::Paid), enum = PaymentFact)]
struct Payments {
    total: u64,
}

impl Project<Opened> for Payments {
    fn project(&mut self, _: &Opened, _: &Recorded<'_>) -> Result<(), ProjectError> {
        Ok(())
    }
}

impl Project<billing::Paid> for Payments {
    fn project(&mut self, event: &billing::Paid, _: &Recorded<'_>) -> Result<(), ProjectError> {
        self.total += event.amount;
        Ok(())
    }
}

/// It has no `Default`, so it does not register itself.
#[derive(Projection)]
#[projection(name = "report", events(Opened), register = false)]
struct Report {
    title: String,
}

impl Project<Opened> for Report {
    fn project(&mut self, event: &Opened, _: &Recorded<'_>) -> Result<(), ProjectError> {
        self.title.push_str(&event.owner_name);
        Ok(())
    }
}

fn opened() -> Opened {
    Opened { owner_name: "Eva".to_owned(), referrer: Some(7), r#type: 'b' }
}

fn tags_of(event: &impl Event) -> Vec<String> {
    let mut tags = Tags::new();
    event.tags(&mut tags);
    tags.as_slice().iter().map(ToString::to_string).collect()
}

#[test]
fn names_and_versions_are_those_of_the_attribute() {
    assert_eq!((Opened::NAME, Opened::VERSION.get()), ("account.opened", 2));
    assert_eq!((LimitSet::NAME, LimitSet::VERSION.get()), ("account.limit_set", 1));
    assert_eq!((Account::NAME, Own::NAME), ("account", "own"));
    assert_eq!((Payments::NAME, Payments::VERSION), ("payments", 3));
    assert_eq!((Open::NAME, Open::CREATES), ("Open", true));
    assert_eq!((Import::<u8>::NAME, Import::<u8>::CREATES), ("account.import", false));
}

#[test]
fn marked_fields_become_tags() {
    assert_eq!(tags_of(&opened()), ["by:7", "owner_name:Eva", "type:b"]);
    assert_eq!(tags_of(&Opened { referrer: None, ..opened() }), ["owner_name:Eva", "type:b"]);
    assert_eq!(tags_of(&LimitSet(3)), ["limit:3"]);
    assert!(tags_of(&r#match).is_empty());
}

#[test]
fn an_event_is_read_back_as_the_variant_it_was_written_from() {
    let events = [
        AccountEvent::from(opened()),
        billing::Paid { amount: 5 }.into(),
        LimitSet(9).into(),
        Priced { currency: Eur }.into(),
        r#match.into(),
    ];
    for (event, event_type) in events.iter().zip(AccountEvent::EVENTS) {
        assert_eq!(event.event_type().name(), event_type.name());
        let encoded = event.encode(&mut Vec::new()).unwrap();
        assert_eq!(encoded.name, event_type.name());
        let stored = es_core::RecordedEvent {
            position: es_core::Position::new(1),
            stream: "account/7".parse().unwrap(),
            version: Version::new(1),
            event_id: es_core::EventId::from_uuid(es_core::uuid::Uuid::nil()),
            name: encoded.name.to_owned(),
            schema_version: encoded.schema_version,
            payload: encoded.payload,
            tags: encoded.tags,
            recorded_at: es_core::jiff::Timestamp::UNIX_EPOCH,
            occurred_at: None,
            metadata: es_core::Metadata::default(),
        };
        let read = AccountEvent::decode(&stored.as_recorded()).unwrap();
        assert_eq!(read.as_slice(), std::slice::from_ref(event));
        let unknown = PaymentFact::decode(&stored.as_recorded());
        let projected = ["account.opened", "billing.paid"].contains(&event_type.name());
        assert_eq!(unknown.is_ok(), projected);
    }
}

#[test]
fn applying_goes_to_the_apply_of_the_event() {
    let mut account = Account::default();
    account.apply_event(&opened().into());
    account.apply_event(&billing::Paid { amount: 5 }.into());
    assert_eq!(account, Account::Open { balance: 5 });
    account.apply_event(&AccountEvent::LimitSet(LimitSet(3)));
    assert_eq!(account, Account::Limited(3));

    let mut own = Own::default();
    own.apply_event(&OwnEvent::Opened(opened()));
    own.apply_event(&LimitSet(3).into());
    assert_eq!(own.events, 2);
}

#[test]
fn a_decision_may_answer_with_the_enum() {
    let mut events = Events::<Account>::new();
    events.push(AccountEvent::from(opened()));
    events.push(LimitSet(1));
    assert_eq!(events.as_slice().len(), 2);

    let mut events = Events::<Own>::new();
    events.push(OwnEvent::Limit(LimitSet(1)));
    assert_eq!(events.as_slice().len(), 1);
}

#[test]
fn a_command_names_the_instance_by_its_marked_field() {
    assert_eq!(Open { account: AccountId(7) }.aggregate_id(), &AccountId(7));
    assert_eq!(Import("source", AccountId(8)).aggregate_id(), &AccountId(8));
}

#[test]
fn an_id_prints_and_reads_back() {
    assert_eq!(AccountId(7).to_string(), "7");
    assert_eq!("7".parse(), Ok(AccountId(7)));
    assert!("x".parse::<AccountId>().is_err());
}

#[test]
fn aggregates_and_projections_register_themselves() {
    let registry = Registry::linked().expect_package("es-tests").build().unwrap();
    assert_eq!(registry.aggregates().collect::<Vec<_>>(), ["account", "own"]);
    assert_eq!(registry.projections().collect::<Vec<_>>(), ["payments"]);
    let explicit = Registry::builder().projection_with(|| Report { title: String::new() });
    assert_eq!(explicit.build().unwrap().projections().collect::<Vec<_>>(), ["report"]);
    let names: Vec<_> = ReportEvent::EVENTS.iter().map(EventType::name).collect();
    assert_eq!(names, ["account.opened"]);
}
