//! The bank account by hand: an enum, a match, serde_json bytes in a `Vec` per stream, and the
//! state kept warm beside them.
//!
//! It does what a store of events can not do without: every event has an id, a time and its bytes.
//! It has no expected versions, no global order, no queries, no retries, no indexes: one process
//! under a lock needs none.
//!
//! [`lean`] is the same with the name beside the payload instead of in it, which is the least that
//! a decoder of JSON can do. [`guarded`] adds what a store of events promises.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, RwLock};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Serialize, Deserialize)]
pub enum Event {
    Opened { overdraft: bool },
    Deposited { amount: u64 },
    Withdrawn { amount: u64 },
    Closed,
}

pub struct Record {
    pub id: Uuid,
    pub recorded_at: SystemTime,
    pub payload: Vec<u8>,
}

#[derive(Debug)]
pub enum Error {
    InsufficientFunds,
    Overflow,
    Conflict,
    Json(serde_json::Error),
    UnknownName,
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

impl Event {
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        Ok(serde_json::to_vec(self)?)
    }

    pub fn decode(payload: &[u8]) -> Result<Self, Error> {
        Ok(serde_json::from_slice(payload)?)
    }
}

#[derive(Default)]
pub struct Account {
    pub open: bool,
    pub overdraft: bool,
    pub balance: u64,
}

impl Account {
    pub fn apply(&mut self, event: &Event) {
        match *event {
            Event::Opened { overdraft } => {
                self.open = true;
                self.overdraft = overdraft;
            }
            Event::Deposited { amount } => self.balance += amount,
            Event::Withdrawn { amount } => self.balance -= amount,
            Event::Closed => self.open = false,
        }
    }

    pub fn replay(history: &[Record]) -> Result<Self, Error> {
        let mut account = Self::default();
        for record in history {
            account.apply(&Event::decode(&record.payload)?);
        }
        Ok(account)
    }

    fn deposit(&self, amount: u64) -> Result<Event, Error> {
        self.balance.checked_add(amount).ok_or(Error::Overflow)?;
        Ok(Event::Deposited { amount })
    }

    fn withdraw(&self, amount: u64) -> Result<Event, Error> {
        if self.balance < amount {
            return Err(Error::InsufficientFunds);
        }
        Ok(Event::Withdrawn { amount })
    }
}

#[derive(Default)]
pub struct Instance {
    pub account: Account,
    pub history: Vec<Record>,
}

#[derive(Default)]
pub struct Bank {
    accounts: RwLock<HashMap<u64, Arc<Mutex<Instance>>>>,
}

impl Bank {
    pub fn deposit(&self, account: u64, amount: u64) -> Result<usize, Error> {
        self.execute(account, |account| account.deposit(amount), |_| {})
    }

    pub fn withdraw(&self, account: u64, amount: u64) -> Result<usize, Error> {
        self.execute(account, |account| account.withdraw(amount), |_| {})
    }

    /// `recorded` is told the version while the account is locked.
    fn execute(
        &self,
        account: u64,
        decide: impl FnOnce(&Account) -> Result<Event, Error>,
        recorded: impl FnOnce(usize),
    ) -> Result<usize, Error> {
        let instance = self.instance(account);
        let mut instance = instance.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let event = decide(&instance.account)?;
        let payload = event.encode()?;
        let (id, recorded_at) = (Uuid::now_v7(), SystemTime::now());
        instance.history.push(Record { id, recorded_at, payload });
        instance.account.apply(&event);
        recorded(instance.history.len());
        Ok(instance.history.len())
    }

    pub fn instance(&self, account: u64) -> Arc<Mutex<Instance>> {
        let known = self.accounts.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(instance) = known.get(&account) {
            return Arc::clone(instance);
        }
        drop(known);
        let mut accounts = self.accounts.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        Arc::clone(accounts.entry(account).or_default())
    }
}

/// The same bank with the least that a global order can be: which account and version came when,
/// and nothing else.
#[derive(Default)]
pub struct Ordered {
    bank: Bank,
    order: Mutex<Vec<(u64, usize)>>,
}

impl Ordered {
    pub fn deposit(&self, account: u64, amount: u64) -> Result<usize, Error> {
        let recorded = |version| self.note(account, version);
        self.bank.execute(account, |account| account.deposit(amount), recorded)
    }

    pub fn withdraw(&self, account: u64, amount: u64) -> Result<usize, Error> {
        let recorded = |version| self.note(account, version);
        self.bank.execute(account, |account| account.withdraw(amount), recorded)
    }

    fn note(&self, account: u64, version: usize) {
        let mut order = self.order.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        order.push((account, version));
    }
}

/// A log in global order, as a projection by hand would read it.
pub struct Logged {
    pub account: u64,
    pub record: Record,
}

pub fn project(log: &[Logged]) -> Result<BTreeMap<u64, u64>, Error> {
    let mut balances = BTreeMap::<u64, u64>::new();
    for Logged { account, record } in log {
        match Event::decode(&record.payload)? {
            Event::Deposited { amount } => *balances.entry(*account).or_default() += amount,
            Event::Withdrawn { amount } => *balances.entry(*account).or_default() -= amount,
            Event::Opened { .. } | Event::Closed => {}
        }
    }
    Ok(balances)
}

/// The name beside the payload: a match finds the struct, and the payload is read straight into it.
pub mod lean {
    use serde::{Deserialize, Serialize};

    use super::{Account, Error, Event};

    #[derive(Serialize, Deserialize)]
    struct Opened {
        overdraft: bool,
    }

    #[derive(Serialize, Deserialize)]
    struct Amount {
        amount: u64,
    }

    pub struct Named {
        pub name: &'static str,
        pub payload: Vec<u8>,
    }

    impl Named {
        pub fn of(event: &Event) -> Result<Self, Error> {
            let (name, payload) = match *event {
                Event::Opened { overdraft } => {
                    ("opened", serde_json::to_vec(&Opened { overdraft })?)
                }
                Event::Deposited { amount } => {
                    ("deposited", serde_json::to_vec(&Amount { amount })?)
                }
                Event::Withdrawn { amount } => {
                    ("withdrawn", serde_json::to_vec(&Amount { amount })?)
                }
                Event::Closed => ("closed", Vec::new()),
            };
            Ok(Self { name, payload })
        }

        fn decode(&self) -> Result<Event, Error> {
            let payload = self.payload.as_slice();
            Ok(match self.name {
                "opened" => {
                    let Opened { overdraft } = serde_json::from_slice(payload)?;
                    Event::Opened { overdraft }
                }
                "deposited" => {
                    let Amount { amount } = serde_json::from_slice(payload)?;
                    Event::Deposited { amount }
                }
                "withdrawn" => {
                    let Amount { amount } = serde_json::from_slice(payload)?;
                    Event::Withdrawn { amount }
                }
                "closed" => Event::Closed,
                _ => return Err(Error::UnknownName),
            })
        }
    }

    pub fn replay(history: &[Named]) -> Result<Account, Error> {
        let mut account = Account::default();
        for named in history {
            account.apply(&named.decode()?);
        }
        Ok(account)
    }
}

/// The same bank over one log that keeps a store's promises: a global order that readers can follow,
/// an expected version that is checked, an id that is stored once and found again, and the events
/// of one stream or of one name without a look at the others.
pub mod guarded {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex, RwLock};
    use std::time::SystemTime;

    use uuid::Uuid;

    use super::lean::Named;
    use super::{Account, Error, Event};

    pub struct Record {
        pub id: Uuid,
        pub account: u64,
        pub version: u64,
        pub recorded_at: SystemTime,
        pub event: Named,
    }

    #[derive(Default)]
    struct Log {
        records: Vec<Record>,
        by_id: HashMap<Uuid, usize>,
        by_account: HashMap<u64, Vec<usize>>,
        by_name: HashMap<&'static str, Vec<usize>>,
    }

    impl Log {
        /// The position of the event, or `None` if somebody else was faster.
        fn append(&mut self, id: Uuid, account: u64, expected: u64, event: Named) -> Option<usize> {
            if let Some(&stored) = self.by_id.get(&id) {
                return Some(stored);
            }
            let stream = self.by_account.entry(account).or_default();
            if stream.len() as u64 != expected {
                return None;
            }
            let position = self.records.len();
            stream.push(position);
            self.by_name.entry(event.name).or_default().push(position);
            self.by_id.insert(id, position);
            let (version, recorded_at) = (expected + 1, SystemTime::now());
            self.records.push(Record { id, account, version, recorded_at, event });
            Some(position)
        }
    }

    #[derive(Default)]
    struct Instance {
        account: Account,
        version: u64,
    }

    #[derive(Default)]
    pub struct Bank {
        accounts: RwLock<HashMap<u64, Arc<Mutex<Instance>>>>,
        log: Mutex<Log>,
    }

    impl Bank {
        pub fn deposit(&self, account: u64, amount: u64) -> Result<usize, Error> {
            self.execute(account, |account| account.deposit(amount))
        }

        pub fn withdraw(&self, account: u64, amount: u64) -> Result<usize, Error> {
            self.execute(account, |account| account.withdraw(amount))
        }

        fn execute(
            &self,
            id: u64,
            decide: impl FnOnce(&Account) -> Result<Event, Error>,
        ) -> Result<usize, Error> {
            let instance = self.instance(id);
            let mut instance = instance.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let event = decide(&instance.account)?;
            let named = Named::of(&event)?;
            let event_id = Uuid::now_v7();
            let mut log = self.log.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let position =
                log.append(event_id, id, instance.version, named).ok_or(Error::Conflict)?;
            drop(log);
            instance.account.apply(&event);
            instance.version += 1;
            Ok(position)
        }

        fn instance(&self, account: u64) -> Arc<Mutex<Instance>> {
            let known = self.accounts.read().unwrap_or_else(|poisoned| poisoned.into_inner());
            if let Some(instance) = known.get(&account) {
                return Arc::clone(instance);
            }
            drop(known);
            let mut accounts =
                self.accounts.write().unwrap_or_else(|poisoned| poisoned.into_inner());
            Arc::clone(accounts.entry(account).or_default())
        }
    }
}
