//! What happened in the cases, counted: a path that nothing took proves nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Debug};

use crate::model::{Accident, Answer, Operation};

/// Counts of what was done, what befell it, and how it was answered.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) cases: u64,
    pub(crate) steps: u64,
    /// How often a cache took a token that was good a moment ago.
    pub(crate) remembered: u64,
    answers: BTreeMap<(String, Answer), u64>,
    accidents: BTreeMap<Accident, u64>,
    races: BTreeMap<(String, Answer), u64>,
}

impl Tally {
    pub(crate) fn step(&mut self, operation: Operation, accident: Accident, answer: Answer) {
        self.steps += 1;
        *self.answers.entry((name(&operation), answer)).or_default() += 1;
        *self.accidents.entry(accident).or_default() += 1;
    }

    /// How often an operation was so answered.
    pub(crate) fn answered(&self, operation: &str, answer: Answer) -> u64 {
        self.answers.get(&(operation.to_owned(), answer)).copied().unwrap_or_default()
    }

    pub(crate) fn race(&mut self, operation: Operation, answer: Answer) {
        self.steps += 1;
        *self.races.entry((name(&operation), answer)).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.steps += other.steps;
        self.remembered += other.remembered;
        let sum = |to: &mut BTreeMap<(String, Answer), u64>, from: BTreeMap<_, u64>| {
            for (key, count) in from {
                *to.entry(key).or_default() += count;
            }
        };
        sum(&mut self.answers, other.answers);
        sum(&mut self.races, other.races);
        for (accident, count) in other.accidents {
            *self.accidents.entry(accident).or_default() += count;
        }
    }

    /// What was to happen and never did.
    pub(crate) fn missing(&self) -> Vec<String> {
        let seen: BTreeSet<_> = self.answers.keys().map(|(name, _)| name.as_str()).collect();
        let raced: BTreeSet<_> = self.races.keys().map(|(name, _)| name.as_str()).collect();
        let answers: BTreeSet<_> = self.answers.keys().map(|(_, answer)| *answer).collect();
        let absent = |names: &[&str], seen: &BTreeSet<&str>, kind: &str| {
            let absent = names.iter().filter(|name| !seen.contains(**name));
            absent.map(|name| format!("{kind} {name}")).collect::<Vec<_>>()
        };
        let mut missing = absent(&OPERATIONS, &seen, "operation");
        missing.extend(absent(&RACERS, &raced, "race of"));
        let unanswered = ANSWERS.iter().filter(|answer| !answers.contains(answer));
        missing.extend(unanswered.map(|answer| format!("answer {answer:?}")));
        let spared = ACCIDENTS.iter().filter(|accident| !self.accidents.contains_key(accident));
        missing.extend(spared.map(|accident| format!("accident {accident:?}")));
        if self.remembered == 0 {
            missing.push("a token that a cache remembered".to_owned());
        }
        missing
    }
}

const OPERATIONS: [&str; 15] = [
    "Authorize",
    "Look",
    "Decide",
    "SignIn",
    "Callback",
    "Redeem",
    "Refresh",
    "RevokeRefresh",
    "RevokeAccess",
    "RevokeAll",
    "Call",
    "Misuse",
    "Wait",
    "Disable",
    "Enable",
];
const RACERS: [&str; 6] =
    ["Callback", "Redeem", "Refresh", "RevokeRefresh", "RevokeAccess", "RevokeAll"];
const ACCIDENTS: [Accident; 7] = [
    Accident::None,
    Accident::UpstreamAway,
    Accident::AnswerLost,
    Accident::CookiesKept,
    Accident::ClientGone,
    Accident::StoreFailed,
    Accident::ProcessDied,
];
const ANSWERS: [Answer; 17] = [
    Answer::ToConsent,
    Answer::Shown,
    Answer::ToSignIn,
    Answer::Code,
    Answer::SentBack("access_denied"),
    Answer::SentBack("server_error"),
    Answer::SentBack("temporarily_unavailable"),
    Answer::Unusable,
    Answer::Forbidden,
    Answer::Tokens,
    Answer::InvalidGrant,
    Answer::Revoked,
    Answer::TryAgain,
    Answer::Served,
    Answer::NotLetIn,
    Answer::Nothing,
    Answer::Done,
];

/// The first word of how something shows itself.
fn name(thing: &impl Debug) -> String {
    format!("{thing:?}").split([' ', '(']).next().unwrap_or_default().to_owned()
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{} cases, {} steps", self.cases, self.steps)?;
        for ((name, answer), count) in &self.answers {
            writeln!(formatter, "  {name:14} {answer:?} {count}")?;
        }
        for ((name, answer), count) in &self.races {
            writeln!(formatter, "  at once: {name:14} {answer:?} {count}")?;
        }
        for (accident, count) in &self.accidents {
            writeln!(formatter, "  accident {accident:?} {count}")?;
        }
        write!(formatter, "  {} tokens taken from a cache only", self.remembered)
    }
}
