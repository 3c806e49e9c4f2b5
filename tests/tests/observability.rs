//! What a program tells of itself: the chapter lists all of it, the names are as it says, and nothing
//! of a payload is told.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use es_core::{CommandId, Registry, Runtime};
use es_memory_store::MemoryStore;
use es_tests::counter::{Counter, LowerByOnes, Raise, Sums};
use es_tests::faulty::{Fault, FaultyStore};
use es_tests::tally::Tally;
use metrics_util::MetricKind;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use proc_macro2::{TokenStream, TokenTree};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

const CHAPTER: &str = include_str!("../../docs/observability.md");

/// The cells of each row of the tables whose head begins so.
fn table(head: &str) -> Vec<Vec<String>> {
    let (_, table) = CHAPTER.split_once(head).unwrap();
    table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().replace('`', "")).collect()
        })
        .collect()
}

fn list(cell: &str) -> BTreeSet<String> {
    cell.split(", ").filter(|name| !name.is_empty()).map(ToOwned::to_owned).collect()
}

/// What `tracing` macros there are: level, or `span`; name; fields.
type Told = BTreeMap<(String, String), BTreeSet<String>>;

fn told_by_the_source() -> Told {
    let mut told = Told::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../es-core/src")];
    while let Some(folder) = folders.pop() {
        for file in std::fs::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let source = std::fs::read_to_string(&path).unwrap();
                find(source.parse().unwrap(), &path, &mut told);
            }
        }
    }
    told
}

fn find(tokens: TokenStream, file: &Path, told: &mut Told) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    for (index, token) in tokens.iter().enumerate() {
        if let TokenTree::Group(group) = token {
            find(group.stream(), file, told);
        }
        let [TokenTree::Ident(krate), _, _, TokenTree::Ident(level), bang, TokenTree::Group(group)] =
            &tokens[index..(index + 6).min(tokens.len())]
        else {
            continue;
        };
        if krate != "tracing" || bang.to_string() != "!" {
            continue;
        }
        let level = level.to_string().replace("debug_span", "span");
        let (name, fields) = parts(group.stream(), file);
        told.entry((level, name)).or_default().extend(fields);
    }
}

/// The name of a span or the message of an event, and its fields.
fn parts(tokens: TokenStream, file: &Path) -> (String, Vec<String>) {
    let mut given: Vec<Vec<TokenTree>> = vec![Vec::new()];
    for token in tokens {
        match token {
            TokenTree::Punct(comma) if comma.as_char() == ',' => given.push(Vec::new()),
            token => given.last_mut().unwrap().push(token),
        }
    }
    let (mut name, mut fields, mut has_target) = (None, Vec::new(), false);
    for part in given.iter().filter(|part| !part.is_empty()) {
        match &part[..] {
            [TokenTree::Literal(text)] => name = Some(text.to_string().replace('"', "")),
            [TokenTree::Ident(target), TokenTree::Punct(colon), TokenTree::Ident(value)]
                if target == "target" && colon.as_char() == ':' =>
            {
                assert_eq!(value.to_string(), "TARGET", "in {}", file.display());
                has_target = true;
            }
            part => {
                let field = part.iter().find_map(|token| match token {
                    TokenTree::Ident(field) => Some(field.to_string()),
                    _ => None,
                });
                fields.push(field.unwrap());
            }
        }
    }
    assert!(has_target, "without the common target in {}: {name:?}", file.display());
    (name.unwrap(), fields)
}

#[test]
fn every_span_and_event_is_in_the_chapter_with_its_level_and_fields() {
    let mut listed = Told::new();
    for row in table("| span |") {
        listed.insert(("span".to_owned(), row[0].clone()), list(&row[2]));
    }
    for row in table("| level |") {
        listed.insert((row[0].clone(), row[1].clone()), list(&row[2]));
    }
    assert_eq!(told_by_the_source(), listed);
}

type Values = BTreeMap<(String, Vec<(String, String)>), DebugValue>;

fn values(snapshotter: &Snapshotter) -> Values {
    let metrics = snapshotter.snapshot().into_vec().into_iter();
    metrics
        .map(|(key, _, _, value)| {
            let (name, labels) = key.key().clone().into_parts();
            let labels = labels.iter();
            let labels = labels.map(|label| (label.key().to_owned(), label.value().to_owned()));
            ((name.as_str().to_owned(), labels.collect()), value)
        })
        .collect()
}

fn labels(labels: &[(&str, &str)]) -> Vec<(String, String)> {
    labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

async fn over(store: &Arc<FaultyStore>) -> Runtime<FaultyStore> {
    let registry = Registry::builder().aggregate::<Counter>().projection::<Sums>();
    let builder = Runtime::builder_shared(Arc::clone(store)).registry(registry.build().unwrap());
    builder.start().await.unwrap()
}

/// One of every outcome, an append that is tried again, and a race that is lost.
async fn run(store: &Arc<FaultyStore>) {
    let runtime = over(store).await;
    let id = CommandId::from_uuid(es_core::uuid::Uuid::from_u128(7));
    let raise = |by| runtime.execute(Raise { counter: 4711, by });
    raise(8_471_123).await.unwrap();
    raise(0).await.unwrap();
    raise(1).command_id(id).await.unwrap();
    raise(1).command_id(id).await.unwrap();
    runtime.execute(LowerByOnes { counter: 4711, by: 9_000_000 }).await.unwrap_err();
    store.next([Fault::LostRace]);
    let lost = raise(1).await.unwrap();
    assert_eq!(lost.attempts, 2);
    store.next([Fault::Transient]);
    raise(1).await.unwrap();
    store.next([Fault::Permanent]);
    raise(1).await.unwrap_err();
    runtime.wait_until_current::<Sums>().within(Duration::from_secs(30)).await.unwrap();
    runtime.shutdown().await;
}

#[tokio::test]
async fn every_metric_is_described_listed_and_counted() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    run(&Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())))).await;

    let metrics = snapshotter.snapshot().into_vec();
    let mut seen = BTreeMap::new();
    for (key, unit, description, _) in &metrics {
        let labels = key.key().labels().map(|label| label.key().to_owned());
        let kind = match key.kind() {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        assert!(description.is_some(), "{key:?}");
        let unit = unit.unwrap().as_str().to_owned();
        let name = key.key().name().to_owned();
        seen.insert(name, (kind.to_owned(), unit, labels.collect::<BTreeSet<String>>()));
    }
    let listed: BTreeMap<_, _> = table("| metric |")
        .into_iter()
        .map(|row| (row[0].clone(), (row[1].clone(), row[2].clone(), list(&row[3]))))
        .collect();
    assert_eq!(seen, listed);
}

#[tokio::test]
async fn commands_are_counted_once_by_what_became_of_them() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    run(&Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())))).await;
    let values = values(&snapshotter);
    let count = |name: &str, of: &[(&str, &str)]| match values.get(&(name.to_owned(), labels(of))) {
        Some(DebugValue::Counter(count)) => *count,
        other => panic!("{name} {of:?}: {other:?} in {values:?}"),
    };
    let raised =
        |outcome| count("es_commands_total", &[("command", "Raise"), ("outcome", outcome)]);
    assert_eq!(raised("accepted"), 4);
    assert_eq!(raised("unchanged"), 1);
    assert_eq!(raised("repeated"), 1);
    assert_eq!(raised("failed"), 1);
    let lowered = [("command", "LowerByOnes"), ("outcome", "rejected")];
    assert_eq!(count("es_commands_total", &lowered), 1);
    assert_eq!(count("es_conflicts_total", &[("aggregate", "counter")]), 1);
    assert_eq!(count("es_retries_total", &[("of", "command")]), 1);
    assert_eq!(count("es_retries_total", &[("of", "append")]), 1);
    let loads = |source| count("es_loads_total", &[("aggregate", "counter"), ("source", source)]);
    assert_eq!(loads("stream"), 2, "the first, and after the race");
    assert_eq!(loads("warm"), 7);
    assert_eq!(loads("tail"), 2, "a refusal and nothing are said on fresh state only");
    // Six commits were stored: one of them by whoever won the race.
    assert_eq!(count("es_projected_events_total", &[("projection", "sums")]), 5);
    let lag = ("es_projection_lag".to_owned(), labels(&[("projection", "sums")]));
    assert_eq!(values[&lag], DebugValue::Gauge(0.0.into()));
}

/// Spans and events as they come: name or message, and fields with their values.
#[derive(Default)]
struct Heard(Mutex<Vec<(String, BTreeMap<String, String>)>>);

struct Ears(Arc<Heard>);

#[derive(Default)]
struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl<S: Subscriber> Layer<S> for Ears {
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        assert_eq!(attributes.metadata().target(), "es_core");
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let name = attributes.metadata().name().to_owned();
        self.0.0.lock().unwrap().push((name, fields.0));
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        self.0.0.lock().unwrap().push(("recorded".to_owned(), fields.0));
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = fields.0.remove("message").unwrap_or_default();
        self.0.0.lock().unwrap().push((message, fields.0));
    }
}

#[tokio::test]
async fn spans_say_what_was_done_and_nothing_of_a_payload() {
    let heard = Arc::new(Heard::default());
    let subscriber = tracing_subscriber::registry().with(Ears(Arc::clone(&heard)));
    let guard = tracing::subscriber::set_default(subscriber);
    run(&Arc::new(FaultyStore::new(Arc::new(MemoryStore::new())))).await;
    drop(guard);
    let heard = heard.0.lock().unwrap();
    let of = |name: &str| -> Vec<_> {
        heard.iter().filter(|(of, _)| of == name).map(|(_, fields)| fields).collect()
    };
    let commands = of("execute");
    assert_eq!(commands.len(), 8);
    assert_eq!(commands[0]["command"], "\"Raise\"");
    assert_eq!(commands[0]["stream"], "counter/4711");
    let outcomes: Vec<_> =
        of("recorded").into_iter().filter_map(|it| it.get("outcome").cloned()).collect();
    let words = "accepted unchanged accepted repeated rejected accepted accepted failed";
    assert_eq!(outcomes, words.split(' ').map(|it| format!("{it:?}")).collect::<Vec<_>>());
    assert_eq!(of("command is decided again").len(), 1);
    assert_eq!(of("append is tried again").len(), 1);
    assert!(!of("load").is_empty() && !of("append").is_empty() && !of("project").is_empty());
    let everything = format!("{heard:?}");
    assert!(!everything.contains("8471123"), "a payload was told: {everything}");
}

#[tokio::test]
async fn a_durable_projection_is_counted_too() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let registry = Registry::builder().aggregate::<Counter>().projection::<Tally>();
    let builder = Runtime::builder(MemoryStore::new()).registry(registry.build().unwrap());
    let runtime = builder.start().await.unwrap();
    for _ in 0..3 {
        let waited = runtime.execute(Raise { counter: 1, by: 1 }).and_wait::<Tally>();
        waited.await.unwrap().projected.unwrap();
    }
    runtime.shutdown().await;
    let values = values(&snapshotter);
    let of_it = labels(&[("projection", "tally")]);
    let events = &values[&("es_projected_events_total".to_owned(), of_it)];
    assert_eq!(*events, DebugValue::Counter(3));
}
