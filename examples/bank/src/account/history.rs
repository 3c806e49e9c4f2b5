//! What the bank recorded in earlier years, and how that becomes today's events.
//!
//! The first program recorded movements in either direction as one event, with the Czech words of
//! the bank's files and amounts as decimal text. The second told the directions apart. Both are in
//! the books for ever; nothing records them any more.

use es_core::prelude::*;
use es_core::{JsonObject, Split, UpcastError};
use serde_json::Value;

use super::events::{Deposited, Purpose, Withdrawn};

/// Money came in or went out: what the first program recorded.
#[derive(Event, Serialize, Deserialize, Debug, Clone, PartialEq, Eq)]
#[event(name = "account.moved", version = 2)]
#[upcast(from = 1, split(into(Deposited, Withdrawn), with = by_direction))]
pub struct Moved {}

/// `PRIJEM` is what comes in; `VYDAJ` and `VYBER`, taken in cash, go out.
fn by_direction(mut moved: JsonObject) -> Result<Split, UpcastError> {
    let direction = moved.remove("typ");
    match direction.as_ref().and_then(Value::as_str) {
        Some("PRIJEM") => Ok(Split::new().version::<Deposited>(1, moved)),
        Some("VYDAJ" | "VYBER") => Ok(Split::new().version::<Withdrawn>(1, moved)),
        _ => Err(UpcastError::new("neither `PRIJEM` nor `VYDAJ` nor `VYBER`").at("typ")),
    }
}

/// Turns the decimal text of an amount into haléř, and the word for what it was for into ours.
pub(super) fn in_our_words(movement: &mut JsonObject) -> Result<(), UpcastError> {
    let amount = movement.get("castka").and_then(Value::as_str).and_then(haler);
    let amount =
        amount.ok_or_else(|| UpcastError::new("no amount such as `12.50`").at("castka"))?;
    movement.insert("castka".to_owned(), amount.into());
    match movement.remove("k_symbol") {
        None | Some(Value::Null) => {}
        Some(word) => {
            let purpose = word.as_str().and_then(purpose);
            let purpose = purpose
                .ok_or_else(|| UpcastError::new(format!("{word} is no purpose")).at("k_symbol"))?;
            movement.insert("k_symbol".to_owned(), purpose.as_str().into());
        }
    }
    Ok(())
}

/// `12.5` as 1250.
fn haler(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 2 {
        return None;
    }
    let fraction = format!("{fraction:0<2}").parse::<u64>().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(fraction)
}

/// The words of the bank's files.
fn purpose(word: &str) -> Option<Purpose> {
    Some(match word {
        "SIPO" => Purpose::Household,
        "POJISTNE" => Purpose::Insurance,
        "UROK" => Purpose::Interest,
        "UVER" => Purpose::LoanPayment,
        "DUCHOD" => Purpose::Pension,
        "SANKC. UROK" => Purpose::SanctionInterest,
        "SLUZBY" => Purpose::StatementFee,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_read_to_the_last_haler_or_not_at_all() {
        for (text, amount) in [("0.1", 10), ("700", 70_000), ("3372.70", 337_270), ("0.00", 0)] {
            assert_eq!(haler(text), Some(amount), "{text}");
        }
        for text in
            ["", ".", "1.", ".5", "1.234", "-1", "+1", "1,5", "1e3", "184467440737095516.16"]
        {
            assert_eq!(haler(text), None, "{text}");
        }
    }
}
