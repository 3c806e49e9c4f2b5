//! What differs between what was released and what there is today, and what to do about it.

use std::collections::BTreeSet;
use std::fmt;

use es_lock::{Lock, Text, differences};

/// Something that differs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The stored name of the event.
    pub event: String,
    /// Its version.
    pub version: u32,
    /// What it means.
    pub verdict: Verdict,
    /// What differs, in a sentence.
    pub what: String,
}

/// What a difference means for what is stored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It was not released yet.
    New,
    /// What is stored is read as before.
    Compatible,
    /// What is stored is read only through a step.
    NeedsVersion {
        /// The version to raise the event to.
        version: u32,
        /// The attribute to write above the struct.
        attribute: String,
    },
    /// What is stored can not be read any more.
    Breaking {
        /// What to do.
        help: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { event, version, verdict, what } = self;
        let meaning = match verdict {
            Verdict::New => "new",
            Verdict::Compatible => "compatible",
            Verdict::NeedsVersion { .. } => "needs a version",
            Verdict::Breaking { .. } => "breaking",
        };
        write!(formatter, "`{event}` version {version}: {meaning}: {what}")?;
        match verdict {
            Verdict::New | Verdict::Compatible => Ok(()),
            Verdict::NeedsVersion { version, attribute } => {
                write!(formatter, "; write `version = {version}` and `{attribute}`")
            }
            Verdict::Breaking { help } => write!(formatter, "; {help}"),
        }
    }
}

/// Compares what was released with what there is today: the newest version of each event.
///
/// `retired` are the names that are read and mean nothing any more, and the names that an event had
/// before.
///
/// ```
/// use es_core::lock::{Lock, Verdict, diff};
///
/// let lock = |fields: &str| -> Result<Lock, es_core::lock::LockError> {
///     format!("events.lock 1\naccount.deposited 1 struct\n{fields}").parse()
/// };
/// let released = lock("account.deposited 1 .amount u32")?;
///
/// let wider = diff(&released, &lock("account.deposited 1 .amount u64")?, &[]);
/// assert_eq!(wider[0].verdict, Verdict::Compatible);
///
/// let renamed = diff(&released, &lock("account.deposited 1 .sum u32")?, &[]);
/// assert_eq!(
///     renamed[0].to_string(),
///     "`account.deposited` version 1: needs a version: field `amount` is in the lock, but not here; \
///      write `version = 2` and `#[upcast(from = 1, remove(amount))]`"
/// );
/// # Ok::<(), es_core::lock::LockError>(())
/// ```
pub fn diff(released: &Lock, today: &Lock, retired: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for ((event, version), entry) in &today.entries {
        let mut found = |verdict, what: String| {
            findings.push(Finding { event: event.clone(), version: *version, verdict, what });
        };
        let latest = released.versions_of(event).last().map(|(latest, _)| latest);
        if let Some(latest) = latest.filter(|latest| latest > version) {
            let help = format!("write `version = {latest}`");
            found(Verdict::Breaking { help }, format!("version {latest} is in the lock"));
            continue;
        }
        let Some(locked) = released.entries.get(&(event.clone(), *version)) else {
            found(Verdict::New, "it is not in the lock".to_owned());
            continue;
        };
        let needs_version = |step: &str| Verdict::NeedsVersion {
            version: version + 1,
            attribute: format!("#[upcast(from = {version}, {step})]"),
        };
        if locked.codec != entry.codec {
            let step = "via = OldStruct";
            found(needs_version(step), "it is written by another codec".to_owned());
        }
        for difference in differences(&locked.shape, &entry.shape) {
            let what = difference.describe(Text::new(), "the lock").as_str().to_owned();
            // Compatible is what reads by names, which JSON has and not every codec.
            let verdict = if difference.is_refused(entry.codec.is_some()) {
                needs_version(difference.step(Text::new()).as_str())
            } else {
                Verdict::Compatible
            };
            found(verdict, what);
        }
    }
    let names = |lock: &Lock| -> BTreeSet<String> {
        lock.entries.keys().map(|(event, _)| event.clone()).collect()
    };
    for gone in names(released).difference(&names(today)) {
        if retired.contains(&gone.as_str()) {
            continue;
        }
        let version = released.versions_of(gone).last().map_or(1, |(latest, _)| latest);
        findings.push(Finding {
            event: gone.clone(),
            version,
            verdict: Verdict::Breaking {
                help: format!(
                    "keep it, write `alias = \"{gone}\"` on the event that it is called now, or `retired(\"{gone}\")` on the aggregate that does not need it any more"
                ),
            },
            what: "no event of this crate reads it".to_owned(),
        });
    }
    findings
}
