//! The program as its users see it: what it prints and how it exits.

use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::books::{Expected, SAMPLE, expected, rows_by_account};

/// What a run of the program left behind.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bank"));
    // What is tested here is the same on every store; the file is tested in `durable`.
    if !arguments.iter().any(|argument| argument.starts_with("--store")) {
        command.arg("--store=memory");
    }
    // Nothing may depend on where the program is run.
    command.args(arguments).current_dir(env!("CARGO_TARGET_TMPDIR")).stdin(Stdio::null());
    command
}

pub(crate) fn bank(arguments: &[&str]) -> Run {
    let Output { status, stdout, stderr } = command(arguments).output().unwrap();
    Run {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// A run that goes well and has nothing to complain about.
fn printed_by(arguments: &[&str]) -> String {
    let run = bank(arguments);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{arguments:?}");
    run.out
}

/// A file for one test.
pub(crate) fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).unwrap();
    path
}

pub(crate) const SUMMARY_LINE: &str = "accounts=30 movements=2771 roundings=137 rejected=0\n";

pub(crate) fn balances_of_the_sample() -> String {
    let mut text = "account_id,balance,version\n".to_owned();
    for Expected { account_id, final_balance, transactions, roundings, .. } in expected() {
        writeln!(text, "{account_id},{final_balance},{}", 1 + transactions + roundings).unwrap();
    }
    text
}

#[test]
fn demo_prints_the_summary_line_and_the_balances() {
    assert_eq!(printed_by(&["demo"]), format!("{SUMMARY_LINE}{}", balances_of_the_sample()));
}

#[test]
fn demo_takes_a_file() {
    let lines: Vec<_> = SAMPLE.lines().take(3).collect();
    let path = file("two_rows.csv", lines.join("\n"));
    assert_eq!(
        printed_by(&["demo", path.to_str().unwrap()]),
        "accounts=2 movements=2 roundings=0 rejected=0\n\
         account_id,balance,version\n1539,60000,2\n9635,40000,2\n"
    );
}

#[test]
fn import_prints_the_summary_line_alone_and_writes_balances_where_it_is_told() {
    let sample = file("sample.csv", SAMPLE);
    let sample = sample.to_str().unwrap();
    assert_eq!(printed_by(&["import", sample]), SUMMARY_LINE);
    let balances = file("balances_of_import.csv", "to be replaced");
    let arguments = ["import", sample, "--balances", balances.to_str().unwrap(), "--tasks", "4"];
    assert_eq!(printed_by(&arguments), SUMMARY_LINE);
    assert_eq!(std::fs::read_to_string(balances).unwrap(), balances_of_the_sample());
}

#[test]
fn demo_writes_balances_where_it_is_told_too() {
    let balances = file("balances_of_demo.csv", "");
    printed_by(&["demo", "--balances", balances.to_str().unwrap()]);
    assert_eq!(std::fs::read_to_string(balances).unwrap(), balances_of_the_sample());
}

#[test]
fn balances_are_those_of_the_sample_or_of_the_file_that_is_given() {
    assert_eq!(printed_by(&["balances"]), balances_of_the_sample());
    let lines: Vec<_> = SAMPLE.lines().take(2).collect();
    let path = file("one_row.csv", lines.join("\r\n"));
    let path = path.to_str().unwrap();
    assert_eq!(
        printed_by(&["balances", "--from", path]),
        "account_id,balance,version\n1539,60000,2\n"
    );
}

#[test]
fn a_statement_has_every_row_of_the_books_with_its_balance() {
    for (account, rows) in rows_by_account().into_iter().take(3) {
        let mut wanted =
            format!("version,date,kind,amount,balance\n1,{},opened,0,0\n", rows[0].date);
        let mut version = 1;
        for row in rows {
            let kind = if row.direction == "credit" { "deposited" } else { "withdrawn" };
            version += 1;
            let before = row.balance - row.rounding;
            writeln!(wanted, "{version},{},{kind},{},{before}", row.date, row.amount).unwrap();
            if row.rounding != 0 {
                version += 1;
                let (date, delta) = (row.date, row.rounding);
                writeln!(wanted, "{version},{date},rounding_posted,{delta},{}", row.balance)
                    .unwrap();
            }
        }
        assert_eq!(printed_by(&["statement", &account.to_string()]), wanted);
    }
}

#[test]
fn a_statement_of_no_account_fails() {
    let run = bank(&["statement", "99"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert_eq!(run.err, "error: there is no account 99\n");
}

#[test]
fn numbers_of_the_command_line_are_explained() {
    for (arguments, message) in [
        (["statement", "abc"].as_slice(), "an account is a whole number, such as 1539"),
        (&["demo", "--tasks", "0"], "it takes a whole number from 1 on"),
    ] {
        let run = bank(arguments);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
        assert!(run.err.contains(message), "{}", run.err);
    }
}

#[test]
fn a_summary_has_totals_per_purpose_and_per_day() {
    let summary = printed_by(&["summary"]);
    let lines: Vec<_> = summary.lines().collect();
    assert_eq!(lines[0], "kind,key,credits,debits,count");
    assert_eq!(lines[1], "purpose,none,1341134600,1145977900,1563");
    assert_eq!(lines[4], "purpose,interest,7734350,0,487");
    assert_eq!(lines[9], "day,1993-01-03,60000,0,1");
    for kind in ["purpose,", "day,"] {
        let counts = lines.iter().filter(|line| line.starts_with(kind));
        let counts = counts.map(|line| line.rsplit(',').next().unwrap().parse::<u64>().unwrap());
        assert_eq!(counts.sum::<u64>(), 2771);
    }
}

#[test]
fn the_store_is_named_before_or_after_the_subcommand() {
    let wanted = printed_by(&["balances"]);
    assert_eq!(printed_by(&["--store", "memory", "balances"]), wanted);
    assert_eq!(printed_by(&["balances", "--store", "memory"]), wanted);
    assert_eq!(printed_by(&["balances", "--store=memory"]), wanted);
}

#[test]
fn a_store_that_does_not_exist_is_refused_with_those_that_do() {
    for arguments in [["--store", "paper", "demo"], ["demo", "--store", "paper"]] {
        let run = bank(&arguments);
        assert_eq!((run.code, run.out.as_str()), (Some(2), ""));
        assert!(
            run.err.contains("'paper'") && run.err.contains("`memory` or `sqlite:FILE`"),
            "{}",
            run.err
        );
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child =
        command(&["summary"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn balances_are_not_written_over_the_file_that_is_imported_or_that_of_the_accounts() {
    let content = SAMPLE.as_bytes();
    let movements = file("imported-and-written.csv", content);
    let movements = movements.to_str().unwrap();
    let again = movements.replace("imported-and-written", "./imported-and-written");
    let accounts = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kept-and-written.db");
    let accounts = accounts.to_str().unwrap();
    let store = format!("--store=sqlite:{accounts}");
    for arguments in [
        ["import", movements, "--balances", movements, "--store=memory"],
        ["demo", movements, "--balances", again.as_str(), "--store=memory"],
        ["import", movements, "--balances", accounts, store.as_str()],
    ] {
        let run = bank(&arguments);
        let message = format!(
            "error: {}: `--balances` would write over what is read or kept there; name another file\n",
            arguments[3]
        );
        assert_eq!((run.code, run.out.as_str(), run.err), (Some(1), "", message));
    }
    assert_eq!(std::fs::read(movements).unwrap(), content);
    assert!(!Path::new(accounts).exists());
}

#[test]
fn balances_that_can_not_be_written_are_an_error_that_names_the_file() {
    let run = bank(&["demo", "--balances", "no/such/directory.csv"]);
    assert_eq!(run.code, Some(1));
    assert!(
        run.err.starts_with("error: no/such/directory.csv: can not be written: "),
        "{}",
        run.err
    );
}
