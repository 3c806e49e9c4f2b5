//! The bank's file of movements: read as a whole and checked before anything is done with it.
//!
//! A file is good or it is refused: the first mistake is reported with file, line and column, and
//! nothing of the file is imported. What a row *says* may still be refused by the account it is
//! about; see [`import`](crate::import).

use std::collections::HashMap;
use std::fmt::Display;
use std::fs;
use std::io;
use std::path::Path;
use std::str::FromStr;

use csv::{ByteRecord, ReaderBuilder};
use es_core::jiff::Timestamp;
use es_core::jiff::civil::Date;
use es_core::jiff::tz::TimeZone;

use crate::account::{AccountId, Purpose};

const SAMPLE: &[u8] = include_bytes!("../data/berka-sample.csv");

/// The movements of one file, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movements {
    /// The file, as messages name it.
    pub file: String,
    /// Its rows.
    pub rows: Vec<Movement>,
}

/// One movement of money: a row of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// The line of the file, counted from one.
    pub line: u64,
    /// The account that it changes.
    pub account: AccountId,
    /// Its number at the bank; no two movements of a file share one.
    pub transaction: u64,
    /// The midnight, in UTC, at which its day begins.
    pub occurred_at: Timestamp,
    /// Whether money comes in or goes out.
    pub direction: Direction,
    /// How much, in haléř.
    pub amount: u64,
    /// What for, if the file says so.
    pub purpose: Option<Purpose>,
    /// What the account holds after it, by the bank's books.
    pub balance: i64,
}

/// Whether money comes in or goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It comes in.
    Credit,
    /// It goes out.
    Debit,
}

impl Movements {
    /// Reads a file.
    ///
    /// # Errors
    /// When it can not be read or is not a sound file of movements.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        let file = path.display().to_string();
        match fs::read(path) {
            Ok(content) => Self::parse(file, &content),
            Err(error) => Err(InputError::Unreadable { file, error }),
        }
    }

    /// The sample that comes with the program: 2,771 movements of 30 accounts.
    ///
    /// # Errors
    /// Never, as a test of this package makes sure.
    pub fn sample() -> Result<Self, InputError> {
        Self::parse("berka-sample.csv (bundled)", SAMPLE)
    }

    /// Reads the content of a file that messages will call `file`.
    ///
    /// # Errors
    /// At the first mistake in it.
    pub fn parse(file: impl Into<String>, content: &[u8]) -> Result<Self, InputError> {
        let file = file.into();
        match parse_rows(content) {
            Ok(rows) => Ok(Self { file, rows }),
            Err(mistake) => Err(InputError::Mistake { file, mistake }),
        }
    }
}

/// Why a file of movements is refused.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file can not be read.
    #[error("{file}: can not be read: {error}")]
    Unreadable {
        /// The file.
        file: String,
        /// Why not.
        error: io::Error,
    },
    /// There is a mistake in it.
    #[error("{file}: {mistake}")]
    Mistake {
        /// The file.
        file: String,
        /// What and where.
        mistake: Mistake,
    },
}

/// What is wrong in a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column `{column}`: {problem}")]
pub struct Mistake {
    /// The line, counted from one, as an editor shows it.
    pub line: u64,
    /// The name of the column.
    pub column: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong in one place of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// There is nothing in the file.
    #[error("the file is empty; its first line must name the columns")]
    EmptyFile,
    /// The first line is not separated by commas.
    #[error("this column is missing; the first line names only `{found}`; commas separate columns")]
    OneColumn {
        /// What it names.
        found: String,
    },
    /// The first line does not name a column that is needed.
    #[error("this column is missing; the first line names {found}")]
    MissingColumn {
        /// What it names.
        found: String,
    },
    /// The first line names a column twice.
    #[error("the first line names this column twice")]
    RepeatedColumn,
    /// The row ends before the column.
    #[error("the row ends before it, after {found} of {expected} fields")]
    ShortRow {
        /// How many fields the row has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// The row goes on after the last column.
    #[error("the row goes on after this last column: {found} fields instead of {expected}")]
    LongRow {
        /// How many fields the row has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// The bytes are no text.
    #[error("this is not UTF-8 text")]
    NotText,
    /// The field has nothing in it.
    #[error("the field is empty; it takes {expected}")]
    EmptyField {
        /// What belongs there.
        expected: &'static str,
    },
    /// The field holds a number beyond what the bank can count.
    #[error("`{text}` is a larger number than the bank can count")]
    TooLarge {
        /// What it holds.
        text: String,
    },
    /// The field does not hold what belongs there.
    #[error("`{text}` is not {expected}")]
    Malformed {
        /// What it holds.
        text: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// The field names nothing that is known.
    #[error("`{text}` is unknown; it takes {known}")]
    Unknown {
        /// What it holds.
        text: String,
        /// What is known.
        known: String,
    },
    /// The row does not stand after the one that it should follow.
    #[error("{number} does not follow {before} on line {line}: the rows are not in order")]
    Unsorted {
        /// The number of the row.
        number: u64,
        /// The number of the row before.
        before: u64,
        /// The line of the row before.
        line: u64,
    },
    /// Two rows are one transaction.
    #[error("{number} was there before, on line {line}: a transaction is one row")]
    RepeatedTransaction {
        /// The transaction.
        number: u64,
        /// The line where it was.
        line: u64,
    },
}

/// The columns that are read. Others may stand between them, in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    GlobalSeq,
    AccountId,
    AccountSeq,
    TransId,
    Date,
    Direction,
    Purpose,
    Amount,
    Balance,
}

impl Column {
    const ALL: [Self; 9] = [
        Self::GlobalSeq,
        Self::AccountId,
        Self::AccountSeq,
        Self::TransId,
        Self::Date,
        Self::Direction,
        Self::Purpose,
        Self::Amount,
        Self::Balance,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::GlobalSeq => "global_seq",
            Self::AccountId => "account_id",
            Self::AccountSeq => "account_seq",
            Self::TransId => "trans_id",
            Self::Date => "date",
            Self::Direction => "direction",
            Self::Purpose => "purpose",
            Self::Amount => "amount",
            Self::Balance => "balance",
        }
    }
}

/// The first line: where each column stands.
struct Header {
    names: Vec<String>,
    places: [usize; Column::ALL.len()],
}

impl Header {
    fn read(line: u64, record: &ByteRecord) -> Result<Self, Mistake> {
        let names = record.iter().map(|name| str::from_utf8(name).map(str::to_owned));
        let Ok(names) = names.collect::<Result<Vec<_>, _>>() else {
            let column = Column::ALL[0].name().to_owned();
            return Err(Mistake { line, column, problem: Problem::NotText });
        };
        let mut places = [0; Column::ALL.len()];
        for column in Column::ALL {
            let mut found = names.iter().enumerate().filter(|(_, name)| *name == column.name());
            let problem = match (found.next(), found.next()) {
                (Some((place, _)), None) => {
                    places[column as usize] = place;
                    continue;
                }
                (Some(_), Some(_)) => Problem::RepeatedColumn,
                (None, _) if names.len() == 1 => Problem::OneColumn { found: shown(&names[0]) },
                (None, _) => Problem::MissingColumn { found: shown(&names.join(", ")) },
            };
            return Err(Mistake { line, column: column.name().to_owned(), problem });
        }
        Ok(Self { names, places })
    }
}

/// One row while it is read.
struct Row<'a> {
    header: &'a Header,
    line: u64,
    record: &'a ByteRecord,
}

impl<'a> Row<'a> {
    /// The row, if it has a field for each column.
    fn new(header: &'a Header, line: u64, record: &'a ByteRecord) -> Result<Self, Mistake> {
        let (found, expected) = (record.len(), header.names.len());
        let (place, problem) = match found {
            _ if found < expected => (found, Problem::ShortRow { found, expected }),
            _ if found > expected => (expected - 1, Problem::LongRow { found, expected }),
            _ => return Ok(Self { header, line, record }),
        };
        Err(Mistake { line, column: header.names[place].clone(), problem })
    }

    fn mistake(&self, column: Column, problem: Problem) -> Mistake {
        Mistake { line: self.line, column: column.name().to_owned(), problem }
    }

    fn text(&self, column: Column) -> Result<&'a str, Mistake> {
        let field = self.record.get(self.header.places[column as usize]).unwrap_or_default();
        str::from_utf8(field).map_err(|_| self.mistake(column, Problem::NotText))
    }

    /// Reads the field as what is `expected` there.
    fn parse<T: FromStr>(&self, column: Column, expected: &'static str) -> Result<T, Mistake> {
        let text = self.text(column)?;
        text.parse().map_err(|_| {
            let problem = if text.is_empty() {
                Problem::EmptyField { expected }
            } else {
                Problem::Malformed { text: shown(text), expected }
            };
            self.mistake(column, problem)
        })
    }

    /// Reads the field as a number; one that is too large is no malformed one.
    fn number_of<T: FromStr>(&self, column: Column, expected: &'static str) -> Result<T, Mistake> {
        self.parse(column, expected).map_err(|mistake| match self.text(column) {
            Ok(text) if is_too_large::<T>(text) => {
                self.mistake(column, Problem::TooLarge { text: shown(text) })
            }
            _ => mistake,
        })
    }

    fn number(&self, column: Column) -> Result<u64, Mistake> {
        self.number_of(column, "a whole number")
    }

    fn occurred_at(&self) -> Result<Timestamp, Mistake> {
        const EXPECTED: &str = "a date such as 1993-01-31";
        let date: Date = self.parse(Column::Date, EXPECTED)?;
        TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).map_err(|_| {
            let text = date.to_string();
            self.mistake(Column::Date, Problem::Malformed { text, expected: EXPECTED })
        })
    }

    fn direction(&self) -> Result<Direction, Mistake> {
        match self.text(Column::Direction)? {
            "credit" => Ok(Direction::Credit),
            "debit" => Ok(Direction::Debit),
            "" => {
                let problem = Problem::EmptyField { expected: "credit or debit" };
                Err(self.mistake(Column::Direction, problem))
            }
            other => Err(self.unknown(Column::Direction, other, "credit or debit")),
        }
    }

    fn purpose(&self) -> Result<Option<Purpose>, Mistake> {
        match self.text(Column::Purpose)? {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| {
                let known = Purpose::ALL.map(Purpose::as_str).join(", ");
                self.unknown(Column::Purpose, text, format_args!("nothing or one of {known}"))
            }),
        }
    }

    fn unknown(&self, column: Column, text: &str, known: impl Display) -> Mistake {
        let problem = Problem::Unknown { text: shown(text), known: known.to_string() };
        self.mistake(column, problem)
    }

    fn movement(&self) -> Result<Movement, Mistake> {
        Ok(Movement {
            line: self.line,
            account: AccountId(self.number(Column::AccountId)?),
            transaction: self.number(Column::TransId)?,
            occurred_at: self.occurred_at()?,
            direction: self.direction()?,
            amount: self
                .number_of(Column::Amount, "a whole number of haléř that is not negative")?,
            purpose: self.purpose()?,
            balance: self.number_of(Column::Balance, "a whole number of haléř")?,
        })
    }
}

/// The text as a message shows it: on one line, and not all of it when it is long.
fn shown(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST {
            shown.push('…');
            break;
        }
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Whether the text is a number of this kind in all but its size.
fn is_too_large<T: FromStr>(text: &str) -> bool {
    let digits = match text.strip_prefix('-') {
        Some(digits) if "-1".parse::<T>().is_ok() => digits,
        Some(_) => return false,
        None => text,
    };
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// What must hold between the rows of a file.
#[derive(Default)]
struct Order {
    /// The last `global_seq` and its line.
    last: Option<(u64, u64)>,
    /// The last `account_seq` of each account and its line.
    last_of_account: HashMap<AccountId, (u64, u64)>,
    /// The line of each transaction.
    transactions: HashMap<u64, u64>,
}

impl Order {
    fn check(&mut self, row: &Row<'_>, movement: &Movement) -> Result<(), Mistake> {
        let here = (row.number(Column::GlobalSeq)?, row.line);
        follows(row, Column::GlobalSeq, self.last.replace(here), here.0)?;
        let here = (row.number(Column::AccountSeq)?, row.line);
        let before = self.last_of_account.insert(movement.account, here);
        follows(row, Column::AccountSeq, before, here.0)?;
        match self.transactions.insert(movement.transaction, row.line) {
            None => Ok(()),
            Some(line) => {
                let problem = Problem::RepeatedTransaction { number: movement.transaction, line };
                Err(row.mistake(Column::TransId, problem))
            }
        }
    }
}

fn follows(
    row: &Row<'_>,
    column: Column,
    before: Option<(u64, u64)>,
    number: u64,
) -> Result<(), Mistake> {
    match before {
        Some((before, line)) if number <= before => {
            Err(row.mistake(column, Problem::Unsorted { number, before, line }))
        }
        _ => Ok(()),
    }
}

fn parse_rows(content: &[u8]) -> Result<Vec<Movement>, Mistake> {
    // Rows of a wrong length are reported here, with the column that is missing.
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(content);
    let mut lines = LineCounter::new(content);
    let mut record = ByteRecord::new();
    let mut next = |record: &mut ByteRecord| {
        // Reading from memory can not fail, and a row of any length is taken.
        let found = reader.read_byte_record(record).unwrap_or(false);
        found.then(|| lines.line_of(record))
    };
    let Some(line) = next(&mut record) else {
        let column = Column::GlobalSeq.name().to_owned();
        return Err(Mistake { line: 1, column, problem: Problem::EmptyFile });
    };
    let header = Header::read(line, &record)?;
    let (mut rows, mut order) = (Vec::new(), Order::default());
    while let Some(line) = next(&mut record) {
        let row = Row::new(&header, line, &record)?;
        let movement = row.movement()?;
        order.check(&row, &movement)?;
        rows.push(movement);
    }
    Ok(rows)
}

/// Knows on which line a record begins. The reader's own count is of where the record before it
/// ended, which is another line when the file has empty ones or ends its lines as Windows does.
struct LineCounter<'a> {
    content: &'a [u8],
    counted: usize,
    line: u64,
}

impl<'a> LineCounter<'a> {
    fn new(content: &'a [u8]) -> Self {
        Self { content, counted: 0, line: 1 }
    }

    /// Asked for records in their order.
    fn line_of(&mut self, record: &ByteRecord) -> u64 {
        let end = record.position().and_then(|at| usize::try_from(at.byte()).ok());
        let end = end.unwrap_or(self.counted);
        let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let rest = self.content.get(self.counted..).unwrap_or_default();
        let before = rest.len().min(end.saturating_sub(self.counted));
        let breaks = rest[before..].iter().take_while(|byte| is_break(byte)).count();
        let passed = &rest[..before + breaks];
        self.line += passed.iter().fold(0, |lines, byte| lines + u64::from(*byte == b'\n'));
        self.counted += passed.len();
        self.line
    }
}
