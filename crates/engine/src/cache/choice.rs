//! What a policy that chooses among rules does now, and why.

use super::Cache;
use crate::config::{Policy, Weigh};
use crate::policy::Rule;

/// The rules of `auto` and how they do. Each shard chooses for itself: this is all of them together.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The rule in force in most shards.
    pub rule: Rule,
    /// What the shares of the rules are of.
    pub weigh: Weigh,
    /// Each rule: the share of the requests, weighed, that it would have hit of late, 0 to 1, by the
    /// shadows of the shards that have any; and the number of shards where it is in force.
    pub rules: Vec<(Rule, f64, usize)>,
    /// One key of so many is followed by shadows, where most are; `None` if none is: the cache has
    /// not evicted yet, has too few entries, or too few bytes.
    pub sampled: Option<u64>,
    /// How often the shadows were compared, and how often another rule came into force.
    pub judged: u64,
    /// See `judged`.
    pub switches: u64,
}

impl Cache {
    /// What rule is in force and why; `None` unless the policy is [`crate::Policy::Auto`].
    pub fn choice(&self) -> Option<Choice> {
        if self.policy != Policy::Auto {
            return None;
        }
        let mut rules = Rule::ALL.map(|rule| (rule, 0.0, 0)).to_vec();
        let (mut sampled, mut judged, mut switches, mut judges) = (None, 0, 0, 0.0);
        for shard in &self.shards {
            let report = shard.guarded.lock().order.report()?;
            rules.truncate(report.choices);
            rules[report.in_force].2 += 1;
            sampled = sampled.max(report.sampled);
            judged += report.judged;
            switches += report.switches;
            if report.judged > 0 {
                judges += 1.0;
                for (of_all, ratio) in rules.iter_mut().zip(report.ratios) {
                    of_all.1 += (ratio - of_all.1) / judges;
                }
            }
        }
        let most = rules.iter().map(|rule| rule.2).max();
        let rule = rules.iter().find(|rule| Some(rule.2) == most)?.0;
        Some(Choice { rule, weigh: self.weigh, rules, sampled, judged, switches })
    }
}
