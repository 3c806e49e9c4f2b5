//! A small crate goes through its releases, with cargo and `events.lock` as a user has them.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A crate in a folder of its own, which shares its build with the other runs of this test.
struct Crate {
    folder: PathBuf,
    target: PathBuf,
}

/// What cargo answered.
struct Answer {
    success: bool,
    /// Both of its outputs.
    text: String,
}

impl Crate {
    fn new() -> Self {
        let temporary = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = temporary.join("releases");
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        fs::create_dir_all(folder.join("src")).unwrap();
        // The versions of the workspace, so that nothing is fetched.
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        let manifest = format!(
            "[package]\nname = \"releases\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\nes-core = {{ path = {:?} }}\nserde = {{ version = \"1\", features = [\"derive\"] }}\n",
            root.join("es-core").canonicalize().unwrap()
        );
        fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        Self { folder, target: temporary.join("releases-target") }
    }

    /// Writes the source.
    fn source(&self, text: &str) {
        let text = format!("use es_core::prelude::*;\n\n{text}\nes_core::lock_test!();\n");
        fs::write(self.folder.join("src/lib.rs"), text).unwrap();
    }

    fn lock(&self) -> String {
        fs::read_to_string(self.folder.join("events.lock")).unwrap()
    }

    fn write_lock(&self, text: &str) {
        fs::write(self.folder.join("events.lock"), text).unwrap();
    }

    fn cargo(&self, arguments: &[&str], es_lock: Option<&str>) -> Answer {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap());
        command
            .args(arguments)
            .args(["--offline", "--quiet"])
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_TERM_COLOR", "never")
            .env_remove("ES_LOCK");
        if let Some(value) = es_lock {
            command.env("ES_LOCK", value);
        }
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        Answer { success: output.status.success(), text: String::from_utf8(text).unwrap() }
    }

    fn check(&self) -> Answer {
        self.cargo(&["check"], None)
    }

    fn test(&self) -> Answer {
        self.cargo(&["test", "--lib"], None)
    }

    fn update(&self) -> Answer {
        self.cargo(&["test", "--lib"], Some("update"))
    }
}

impl Answer {
    #[track_caller]
    fn agrees(self) -> Self {
        assert!(self.success, "{}", self.text);
        self
    }

    #[track_caller]
    fn refuses(self) -> Self {
        assert!(!self.success, "{}", self.text);
        self
    }

    #[track_caller]
    fn says(self, sentence: &str) -> Self {
        assert!(self.text.contains(sentence), "`{sentence}` is not in:\n{}", self.text);
        self
    }
}

#[track_caller]
fn holds_every_line_of(new: &str, old: &str) {
    for line in old.lines() {
        assert!(new.lines().any(|kept| kept == line), "`{line}` is gone from:\n{new}");
    }
}

const MONEY: &str = "
#[derive(EventData, Serialize, Deserialize)]
pub struct Money { pub value: u64, pub currency: String }
";

fn opened(fields: &str) -> String {
    format!(
        "#[derive(Event, Serialize, Deserialize)]\n#[event(name = \"account.opened\")]\npub struct Opened {{ pub owner: String, {fields} }}\n"
    )
}

fn deposited(attributes: &str, fields: &str) -> String {
    format!(
        "{MONEY}#[derive(Event, Serialize, Deserialize)]\n{attributes}\npub struct Deposited {{ {fields} }}\n"
    )
}

#[test]
fn a_crate_goes_through_its_releases() {
    let program = Crate::new();
    let first = "#[event(name = \"account.deposited\")]";

    // Before there is a lock nothing is checked, but the test asks for one.
    program.source(&(opened("") + &deposited(first, "pub amt: Money")));
    program.check().agrees();
    program.test().refuses().says("there is no `").says("ES_LOCK=update cargo test");
    program.cargo(&["test", "--lib"], Some("yes")).refuses().says("`ES_LOCK=yes` means nothing");

    // The first release.
    let added = "`account.opened` version 1: new: it is not in the lock";
    program.update().agrees().says("events.lock has news").says(added);
    let release = program.lock();
    assert!(release.contains("account.deposited 1 .amt.currency text\n"), "{release}");
    assert!(release.contains("account.opened 1 payload 1 is {\"owner\":\"text\"}\n"), "{release}");
    program.test().agrees();

    // A field more that may be missing is compatible, and must be recorded.
    program.source(&(opened("pub branch: Option<u32>") + &deposited(first, "pub amt: Money")));
    program.check().agrees();
    program
        .test()
        .refuses()
        .says("compatible: field `branch` is not in the lock; run `ES_LOCK=update");
    program.update().agrees().says("field `branch`");
    holds_every_line_of(&program.lock(), &release);
    let release = program.lock();
    program.test().agrees();
    let opened = opened("pub branch: Option<u32>");

    // A field that is renamed is not, and nothing records it.
    program.source(&(opened.clone() + &deposited(first, "pub amount: Money")));
    for answer in [program.check(), program.test(), program.update()] {
        answer
            .refuses()
            .says("field `amt` is called `amount` here")
            .says("write `version = 2` and `#[upcast(from = 1, rename(\"amt\" => \"amount\"))]`");
    }
    assert_eq!(program.lock(), release);

    // Neither is a change of a type that stands in an event.
    let changed = deposited(first, "pub amt: Money").replace("value: u64", "value: String");
    program.source(&(opened.clone() + &changed));
    program.check().refuses().says("field `amt.value` is u64 in version 1, but text here");

    // The second release: renamed with a step, and one more field.
    let second = "#[event(name = \"account.deposited\", version = 2)]
        #[upcast(from = 1, rename(\"amt\" => \"amount\"), add(by = \"teller\"))]";
    let fields = "pub amount: Money, pub by: String";
    program.source(&(opened.clone() + &deposited(second, fields)));
    program.test().refuses().says("`account.deposited` version 2: new");
    program.update().agrees().says("payload 1 of `account.deposited` version 1 becomes");
    holds_every_line_of(&program.lock(), &release);
    let release = program.lock();
    assert!(
        release.contains(
            "account.deposited 1 payload 1 becomes 1.1 account.deposited 2 {\"amount\":{\"value\":7,\"currency\":\"text\"},\"by\":\"teller\"}\n"
        ),
        "{release}"
    );
    program.test().agrees();

    // A step that does something else than it did.
    let other = second.replace("teller", "clerk");
    program.source(&(opened.clone() + &deposited(&other, fields)));
    program.check().agrees();
    for answer in [program.test(), program.update()] {
        answer.refuses().says("but it became `account.deposited` version 2, {\"amount\"");
    }
    assert_eq!(program.lock(), release);

    // The third release: another type, and a step that does not change it.
    let third = "#[event(name = \"account.deposited\", version = 3)]
        #[upcast(from = 1, rename(\"amt\" => \"amount\"), add(by = \"teller\"))]
        #[upcast(from = 2, with = in_cents)]";
    let forgotten = third.replace("with = in_cents", "add(note = null)");
    let fields = "pub amount: u64, pub by: String";
    let unchanged = deposited(&forgotten, "pub amount: u64, pub by: String, pub note: Option<u8>");
    program.source(&(opened.clone() + &unchanged));
    program
        .check()
        .refuses()
        .says("version 2 of released event `account.deposited` can not be read")
        .says("field `amount` is a struct in what the steps make of it, but u64 here");
    let in_cents = "
        fn in_cents(event: &mut es_core::JsonObject) -> Result<(), es_core::UpcastError> {
            let value = event.get(\"amount\").and_then(|amount| amount.get(\"value\")).cloned();
            event.insert(\"amount\".to_owned(), value.unwrap_or_default());
            Ok(())
        }";
    program.source(&(opened.clone() + in_cents + &deposited(third, fields)));
    program.update().agrees();
    holds_every_line_of(&program.lock(), &release);
    let release = program.lock();
    let becomes = "becomes 2.1 account.deposited 3 {\"amount\":7,\"by\":\"teller\"}\n";
    assert!(release.contains(&format!("account.deposited 1 payload 1 {becomes}")), "{release}");
    program.test().agrees();

    // The fourth release: an event that is gone is missed, one that is renamed is not.
    let deposited = in_cents.to_owned() + &deposited(third, fields);
    program.source(&deposited);
    let gone = "`account.opened` version 1: breaking: no event of this crate reads it";
    for answer in [program.test(), program.update()] {
        answer.refuses().says(gone).says("`alias = \"account.opened\"`");
    }
    let retiring = "
        #[derive(Aggregate, Default)]
        #[aggregate(
            name = \"account\",
            id = u64,
            events(Deposited),
            retired(\"account.opened\"),
            register = false
        )]
        pub struct Account {}
        impl Apply<Deposited> for Account {
            fn apply(&mut self, _: &Deposited) {}
        }";
    program.source(&(deposited.clone() + retiring));
    let new = "aggregate `account` reads `account.deposited`";
    program.test().refuses().says(new).says("ES_LOCK=update cargo test");
    program.update().agrees().says(new);
    program.test().agrees();
    let alias = "name = \"account.created\", alias = \"account.opened\"";
    let renamed = opened.replace("name = \"account.opened\"", alias);
    let events = renamed + &deposited;
    program.source(&events);
    for answer in [program.test(), program.update()] {
        answer.refuses().says("no aggregate of this crate is called `account`");
    }
    let reading = "
        #[derive(Aggregate, Default)]
        #[aggregate(name = \"account\", id = u64, events(Opened, Deposited))]
        pub struct Account {}
        impl Apply<Opened> for Account {
            fn apply(&mut self, _: &Opened) {}
        }
        impl Apply<Deposited> for Account {
            fn apply(&mut self, _: &Deposited) {}
        }";
    program.source(&(events.clone() + reading));
    program.update().agrees().says("aggregate `account` reads `account.created`");
    program.test().agrees();
    holds_every_line_of(&program.lock(), &release);
    assert!(program.lock().contains("\naccount reads account.opened\n"), "the name it had");

    // An event that leaves the list of an aggregate leaves its streams unreadable.
    program.source(
        &(events.clone() + &reading.replace("events(Opened, Deposited)", "events(Deposited)")),
    );
    program
        .check()
        .refuses()
        .says("aggregate `account` does not read `account.created`, which its streams may hold");
    program.source(&(events.clone() + reading));
    program.test().agrees();

    // An edit of the lock alone is noticed, and so is one that makes no sense.
    let release = program.lock();
    let edited = release.replace("account.created 1 .owner text", "account.created 1 .owner u64");
    program.write_lock(&edited);
    program.check().refuses().says("field `owner` is u64 in version 1, but text here");
    program.write_lock(&format!("{release}<<<<<<< HEAD\n"));
    let line = release.lines().count() + 1;
    program.check().refuses().says(&format!(
        "the lock of released events can not be read: line {line}: a merge left its marks"
    ));
    program.write_lock(&release);
    program.test().agrees();

    // Each variant is in a payload: a step that forgets one is noticed.
    let moved = "
        #[derive(EventData, Serialize, Deserialize)]
        pub enum Place { Floor, Shelf { row: u8 } }
        #[derive(Event, Serialize, Deserialize)]
        #[event(name = \"account.moved\")]
        pub struct Moved { pub place: Place }";
    program.source(&(events + reading + moved));
    program.update().agrees();
    let shelf = "account.moved 1 payload 2 is {\"place\":{\"Shelf\":{\"row\":7}}}\n";
    let release = program.lock();
    assert!(release.contains(shelf), "{release}");
    // A lock of before has only the first of them.
    program.write_lock(&release.replace(shelf, ""));
    program.test().agrees();
    program.update().agrees().says("payload 2 of `account.moved` version 1");
    assert_eq!(program.lock(), release);
}
