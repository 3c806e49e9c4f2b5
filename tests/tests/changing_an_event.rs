//! The chapter `docs/changing-an-event.md` shows messages as the compiler prints them. Its code runs as
//! doctests.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const MARK: &str = "<!-- message: ";

#[test]
fn every_message_in_the_chapter_is_what_the_compiler_prints() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    let cases = root.join("tests/ui/changing_an_event");
    let chapter = fs::read_to_string(root.join("docs/changing-an-event.md")).unwrap();
    let mut shown = BTreeSet::new();
    for part in chapter.split(MARK).skip(1) {
        let (case, rest) = part.split_once(" -->\n```text\n").unwrap();
        let (message, _) = rest.split_once("```").unwrap();
        let printed = fs::read_to_string(cases.join(case).with_extension("stderr")).unwrap();
        let printed = printed.replace(&format!("ui/changing_an_event/{case}.rs"), "src/account.rs");
        assert!(printed.starts_with(message), "`{case}` prints:\n{printed}\nnot:\n{message}");
        shown.insert(case.to_owned());
    }
    let cases: BTreeSet<_> = fs::read_dir(cases)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(shown, cases, "every case is shown");
    let messages = chapter.matches("```text\nerror").count();
    assert_eq!(messages, shown.len(), "every message has a case");
}
