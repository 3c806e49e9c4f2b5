//! Files that are refused, and rows that are: through the program itself.

use crate::books::SAMPLE;
use crate::command_line::{bank, file};

/// The first rows of the sample, to be spoilt.
fn first_rows(rows: usize) -> Vec<Vec<String>> {
    let lines = SAMPLE.lines().take(rows + 1);
    lines.map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn column(name: &str) -> usize {
    first_rows(0)[0].iter().position(|column| column == name).unwrap()
}

fn joined(rows: &[Vec<String>], line_end: &str) -> String {
    rows.iter().map(|row| row.join(",") + line_end).collect()
}

/// The program refuses the content with this message, after the name of the file, and imports
/// nothing of it.
#[track_caller]
fn refused(name: &str, content: impl AsRef<[u8]>, message: &str) {
    let path = file(name, content);
    let path = path.to_str().unwrap();
    let balances = file(&format!("{name}.balances"), "untouched");
    for arguments in [
        ["import", path, "--balances", balances.to_str().unwrap()].as_slice(),
        &["demo", path],
        &["balances", "--from", path],
        &["statement", "1539", "--from", path],
        &["summary", "--from", path],
    ] {
        let run = bank(arguments);
        assert_eq!(run.err, format!("error: {path}: {message}\n"), "{arguments:?}");
        assert_eq!((run.code, run.out.as_str()), (Some(1), ""), "{arguments:?}");
    }
    assert_eq!(std::fs::read_to_string(balances).unwrap(), "untouched");
}

/// As [`refused`], for the first five rows with another text in one field.
#[track_caller]
fn refused_field(line: usize, name: &str, text: &str, problem: &str) {
    let mut rows = first_rows(5);
    text.clone_into(&mut rows[line - 1][column(name)]);
    let message = format!("line {line}, column `{name}`: {problem}");
    let case = format!("bad_{name}_{line}_{}.csv", text.len());
    refused(&case, joined(&rows, "\n"), &message);
    // The line is the one an editor shows, however lines end and whatever stands between them.
    refused(&case, joined(&rows, "\r\n"), &message);
    let message = format!("line {}, column `{name}`: {problem}", 2 * line - 1);
    if !problem.contains("on line") {
        refused(&case, joined(&rows, "\n\n"), &message);
        refused(&case, joined(&rows, "\r\n\r\n"), &message);
    }
}

#[test]
fn a_missing_file() {
    let run = bank(&["import", "no_such.csv"]);
    assert_eq!((run.code, run.out.as_str()), (Some(1), ""));
    assert!(run.err.starts_with("error: no_such.csv: can not be read: "), "{}", run.err);
}

#[test]
fn an_empty_file() {
    let problem = "the file is empty; its first line must name the columns";
    refused("empty.csv", "", &format!("line 1, column `global_seq`: {problem}"));
}

#[test]
fn a_missing_column() {
    for name in [
        "global_seq",
        "account_id",
        "account_seq",
        "trans_id",
        "date",
        "direction",
        "purpose",
        "amount",
        "balance",
    ] {
        let mut rows = first_rows(2);
        for row in &mut rows {
            row.remove(column(name));
        }
        let problem =
            format!("this column is missing; the first line names {}", rows[0].join(", "));
        let message = format!("line 1, column `{name}`: {problem}");
        refused(&format!("without_{name}.csv"), joined(&rows, "\n"), &message);
    }
}

#[test]
fn a_column_that_is_there_twice() {
    let mut rows = first_rows(2);
    rows[0][column("source")] = "amount".to_owned();
    let message = "line 1, column `amount`: the first line names this column twice";
    refused("amount_twice.csv", joined(&rows, "\n"), message);
}

#[test]
fn columns_in_another_order_and_unknown_ones_are_fine() {
    let mut rows = first_rows(5);
    for row in &mut rows {
        row.reverse();
        row.push("note".to_owned());
    }
    let path = file("reversed.csv", joined(&rows, "\n"));
    let run = bank(&["import", path.to_str().unwrap()]);
    assert_eq!(run.out, "accounts=2 movements=5 roundings=0 rejected=0\n", "{}", run.err);
}

#[test]
fn malformed_numbers() {
    refused_field(
        3,
        "amount",
        "40x00",
        "`40x00` is not a whole number of haléř that is not negative",
    );
    refused_field(
        4,
        "amount",
        "-447000",
        "`-447000` is not a whole number of haléř that is not negative",
    );
    refused_field(
        2,
        "amount",
        "600.00",
        "`600.00` is not a whole number of haléř that is not negative",
    );
    refused_field(2, "balance", "sixty", "`sixty` is not a whole number of haléř");
    refused_field(
        2,
        "balance",
        "9223372036854775808",
        "`9223372036854775808` is a larger number than the bank can count",
    );
    let negative = "`-9223372036854775809` is a larger number than the bank can count";
    refused_field(3, "balance", "-9223372036854775809", negative);
    let large = "`99999999999999999999` is a larger number than the bank can count";
    refused_field(3, "amount", "99999999999999999999", large);
    refused_field(6, "account_id", "A7", "`A7` is not a whole number");
    refused_field(6, "trans_id", " 7", "` 7` is not a whole number");
    refused_field(2, "global_seq", "one", "`one` is not a whole number");
    refused_field(2, "account_seq", "1st", "`1st` is not a whole number");
}

#[test]
fn empty_fields() {
    refused_field(
        3,
        "amount",
        "",
        "the field is empty; it takes a whole number of haléř that is not negative",
    );
    refused_field(3, "direction", "", "the field is empty; it takes credit or debit");
    refused_field(3, "date", "", "the field is empty; it takes a date such as 1993-01-31");
}

#[test]
fn dates_that_do_not_exist() {
    refused_field(5, "date", "1993-02-30", "`1993-02-30` is not a date such as 1993-01-31");
    refused_field(5, "date", "930131", "`930131` is not a date such as 1993-01-31");
}

#[test]
fn unknown_directions_and_purposes() {
    refused_field(4, "direction", "VYDAJ", "`VYDAJ` is unknown; it takes credit or debit");
    refused_field(
        4,
        "purpose",
        "gambling",
        "`gambling` is unknown; it takes nothing or one of household, insurance, interest, \
         loan_payment, pension, sanction_interest, statement_fee",
    );
}

#[test]
fn rows_that_are_not_in_order() {
    refused_field(4, "global_seq", "2", "2 does not follow 2 on line 3: the rows are not in order");
    refused_field(
        5,
        "account_seq",
        "1",
        "1 does not follow 2 on line 4: the rows are not in order",
    );
    let mut rows = first_rows(5);
    rows.swap(2, 3);
    let message =
        "line 4, column `global_seq`: 2 does not follow 3 on line 3: the rows are not in order";
    refused("swapped.csv", joined(&rows, "\n"), message);
}

#[test]
fn a_transaction_that_is_there_twice() {
    let problem = "452728 was there before, on line 2: a transaction is one row";
    refused_field(6, "trans_id", "452728", problem);
}

#[test]
fn rows_that_are_too_short_or_too_long() {
    let mut rows = first_rows(3);
    rows[2].truncate(11);
    let message = "line 3, column `balance`: the row ends before it, after 11 of 14 fields";
    refused("short.csv", joined(&rows, "\n"), message);
    let mut rows = first_rows(3);
    rows[3].push("more".to_owned());
    let message = "line 4, column `source`: the row goes on after this last column: \
                   15 fields instead of 14";
    refused("long.csv", joined(&rows, "\n"), message);
}

#[test]
fn bytes_that_are_no_text() {
    let mut content = joined(&first_rows(2), "\n").into_bytes();
    let at = content.windows(6).position(|window| window == b"credit").unwrap();
    content[at] = 0xff;
    refused("latin.csv", content, "line 2, column `direction`: this is not UTF-8 text");
}

#[test]
fn a_file_of_another_kind() {
    let problem = "line 1, column `global_seq`: this is not UTF-8 text";
    refused("picture.csv", b"\x89PNG\r\n\x1a\n\0\0", problem);
    // Nothing of the file reaches the terminal as it is.
    let problem = "this column is missing; the first line names";
    let message = format!(
        "line 1, column `global_seq`: {problem} only `\\u{{1b}}[2J`; commas separate columns"
    );
    refused("escape.csv", "\x1b[2J\n", &message);
    let long = format!("{}…", "x".repeat(200));
    let message =
        format!("line 1, column `global_seq`: {problem} only `{long}`; commas separate columns");
    refused("long_line.csv", "x".repeat(100_000), &message);
}

#[test]
fn columns_between_semicolons() {
    let content = "global_seq;account_id;amount\n1;2;3\n";
    let message = "line 1, column `global_seq`: this column is missing; the first line names only \
                   `global_seq;account_id;amount`; commas separate columns";
    refused("semicolons.csv", content, message);
}

#[test]
fn a_mistake_in_the_last_line_leaves_the_whole_file_out() {
    let mut rows = first_rows(2771);
    rows[2771][column("direction")] = "sideways".to_owned();
    let message = "line 2772, column `direction`: `sideways` is unknown; it takes credit or debit";
    refused("last_line.csv", joined(&rows, "\n"), message);
}

#[test]
fn a_balance_that_does_not_come_out_rejects_the_row_and_nothing_else() {
    let mut rows = first_rows(2771);
    rows[100][column("balance")].push('0');
    let (account, stated) =
        (rows[100][column("account_id")].clone(), rows[100][column("balance")].clone());
    let path = file("wrong_balance.csv", joined(&rows, "\n"));
    let path = path.to_str().unwrap();
    let run = bank(&["import", path]);
    let balance = &stated[..stated.len() - 1];
    assert_eq!(run.out, "accounts=30 movements=2771 roundings=137 rejected=1\n");
    assert_eq!(
        run.err,
        format!(
            "warning: {path}: line 101, column `balance`: refused by account {account}: the \
             statement says {stated} but the account holds {balance}, and rounding explains a \
             difference of 10 only\n\
             error: {path}: rows refused by their accounts: 1; see the warnings above\n"
        )
    );
    assert_eq!(run.code, Some(1));
}

#[test]
fn an_amount_that_is_wrong_rejects_what_comes_after_it_and_is_not_said_over_and_over() {
    let mut rows = first_rows(2771);
    rows[1][column("amount")] = "60500".to_owned();
    let path = file("wrong_amount.csv", joined(&rows, "\n"));
    let path = path.to_str().unwrap();
    let run = bank(&["import", path]);
    let account = &rows[1][column("account_id")];
    let count = rows.iter().filter(|row| row[column("account_id")] == *account).count();
    assert!(run.out.contains(&format!(" rejected={count}\n")), "{}", run.out);
    let said: Vec<_> = run.err.lines().collect();
    assert_eq!(said.len(), 22);
    assert!(said[0].starts_with(&format!("warning: {path}: line 2, column `balance`: ")));
    let more = count - 20;
    assert_eq!(said[20], format!("warning: {path}: and {more} more rows were refused"));
    assert_eq!(run.code, Some(1));
}
