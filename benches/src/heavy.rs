//! Events that take long to decode, and a projection that does next to nothing with them.

use std::collections::BTreeMap;

use es_core::prelude::*;

/// A customer's file: about two kilobytes of JSON.
#[derive(Event, Serialize, Deserialize, Clone)]
#[event(name = "file.assessed")]
pub struct Assessed {
    pub scores: BTreeMap<String, f64>,
    pub findings: Vec<Finding>,
}

#[derive(EventData, Serialize, Deserialize, Clone)]
pub struct Finding {
    pub rule: String,
    pub weight: u32,
    pub remarks: Vec<String>,
}

impl Assessed {
    pub fn sample(number: u64) -> Self {
        let scores = (0..20).map(|index| (format!("criterion-{index}"), number as f64 / 7.0));
        let findings = (0..15).map(|index| Finding {
            rule: format!("rule-{}", number % 100 + index),
            weight: index as u32,
            remarks: vec![format!("remark {index} of {number}"), "seen by two people".to_owned()],
        });
        Self { scores: scores.collect(), findings: findings.collect() }
    }
}

#[derive(Projection, Default)]
#[projection(name = "findings", events(Assessed), register = false)]
pub struct Findings {
    pub count: usize,
}

impl Project<Assessed> for Findings {
    fn project(&mut self, event: &Assessed, _: &Recorded<'_>) -> Result<(), ProjectError> {
        self.count += event.findings.len();
        Ok(())
    }
}
