//! The bank account by hand: an enum, a match, serde_json bytes in a `Vec` per stream, and the
//! state kept warm beside them.
//!
//! It does what a store of events can not do without: every event has an id, a time and a name,
//! and its bytes. It has no expected versions, no global order, no queries, no retries: one process
//! under a lock needs none.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, RwLock};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub enum Event {
    Opened(Opened),
    Deposited(Deposited),
    Withdrawn(Withdrawn),
    Closed(Closed),
}

#[derive(Serialize, Deserialize)]
pub struct Opened {
    pub overdraft: bool,
}

#[derive(Serialize, Deserialize)]
pub struct Deposited {
    pub amount: u64,
}

#[derive(Serialize, Deserialize)]
pub struct Withdrawn {
    pub amount: u64,
}

#[derive(Serialize, Deserialize)]
pub struct Closed;

pub struct Record {
    pub id: Uuid,
    pub recorded_at: SystemTime,
    pub name: &'static str,
    pub payload: Vec<u8>,
}

#[derive(Debug)]
pub enum Error {
    InsufficientFunds,
    Overflow,
    Json(serde_json::Error),
    UnknownName(String),
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

impl Event {
    pub fn encode(&self) -> Result<(&'static str, Vec<u8>), Error> {
        Ok(match self {
            Self::Opened(event) => ("account.opened", serde_json::to_vec(event)?),
            Self::Deposited(event) => ("account.deposited", serde_json::to_vec(event)?),
            Self::Withdrawn(event) => ("account.withdrawn", serde_json::to_vec(event)?),
            Self::Closed(event) => ("account.closed", serde_json::to_vec(event)?),
        })
    }

    pub fn decode(name: &str, payload: &[u8]) -> Result<Self, Error> {
        Ok(match name {
            "account.opened" => Self::Opened(serde_json::from_slice(payload)?),
            "account.deposited" => Self::Deposited(serde_json::from_slice(payload)?),
            "account.withdrawn" => Self::Withdrawn(serde_json::from_slice(payload)?),
            "account.closed" => Self::Closed(serde_json::from_slice(payload)?),
            _ => return Err(Error::UnknownName(name.to_owned())),
        })
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
        match event {
            Event::Opened(event) => {
                self.open = true;
                self.overdraft = event.overdraft;
            }
            Event::Deposited(event) => self.balance += event.amount,
            Event::Withdrawn(event) => self.balance -= event.amount,
            Event::Closed(_) => self.open = false,
        }
    }

    pub fn replay(history: &[Record]) -> Result<Self, Error> {
        let mut account = Self::default();
        for record in history {
            account.apply(&Event::decode(record.name, &record.payload)?);
        }
        Ok(account)
    }

    fn deposit(&self, amount: u64) -> Result<Event, Error> {
        self.balance.checked_add(amount).ok_or(Error::Overflow)?;
        Ok(Event::Deposited(Deposited { amount }))
    }

    fn withdraw(&self, amount: u64) -> Result<Event, Error> {
        if self.balance < amount {
            return Err(Error::InsufficientFunds);
        }
        Ok(Event::Withdrawn(Withdrawn { amount }))
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
        self.execute(account, |account| account.deposit(amount))
    }

    pub fn withdraw(&self, account: u64, amount: u64) -> Result<usize, Error> {
        self.execute(account, |account| account.withdraw(amount))
    }

    fn execute(
        &self,
        account: u64,
        decide: impl FnOnce(&Account) -> Result<Event, Error>,
    ) -> Result<usize, Error> {
        let instance = self.instance(account);
        let mut instance = instance.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let event = decide(&instance.account)?;
        let (name, payload) = event.encode()?;
        let (id, recorded_at) = (Uuid::now_v7(), SystemTime::now());
        instance.history.push(Record { id, recorded_at, name, payload });
        instance.account.apply(&event);
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

/// A log in global order, as a projection by hand would read it.
pub struct Logged {
    pub account: u64,
    pub record: Record,
}

pub fn project(log: &[Logged]) -> Result<BTreeMap<u64, u64>, Error> {
    let mut balances = BTreeMap::<u64, u64>::new();
    for Logged { account, record } in log {
        match Event::decode(record.name, &record.payload)? {
            Event::Deposited(event) => *balances.entry(*account).or_default() += event.amount,
            Event::Withdrawn(event) => *balances.entry(*account).or_default() -= event.amount,
            Event::Opened(_) | Event::Closed(_) => {}
        }
    }
    Ok(balances)
}
