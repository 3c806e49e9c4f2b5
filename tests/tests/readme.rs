//! The README says how little a domain takes; here it is counted.

/// Lines of the program of the README, from one line to another, that are neither fields nor rules: what
/// stands in no `impl` and declares no field.
fn beyond_fields_and_rules(program: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut in_a_rule = false;
    for line in program.lines().filter(|line| !line.trim().is_empty()) {
        in_a_rule |= line.starts_with("impl ");
        if !in_a_rule && !line.starts_with("pub struct ") {
            lines.push(line);
        }
        in_a_rule &= !line.starts_with('}');
    }
    lines
}

#[test]
fn a_whole_account_with_a_test_takes_at_most_25_lines_beyond_its_fields_and_rules() {
    let readme = include_str!("../../README.md");
    let between = |from: &str, to: &str| {
        let (_, rest) = readme.split_once(from).unwrap();
        let (inside, _) = rest.split_once(to).unwrap();
        format!("{from}{inside}")
    };
    let domain = between("use es_core::prelude::*;", "#[derive(Projection");
    let test = between("#[test]", "```");
    let program = domain + &test;
    let lines = beyond_fields_and_rules(&program);
    assert!(lines.len() > 15 && lines.len() <= 25, "{} lines:\n{}", lines.len(), lines.join("\n"));
}
