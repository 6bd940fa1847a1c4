//! That a deployment from GitHub is the one that a developer makes: the workflow hands every variable on
//! that the parameters are filled in from, and makes no keys where there are some.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::modules;
use crate::repository::Repository;

const PATH: &str = ".github/workflows/azure-dev.yml";

/// What azd reads besides the parameters.
const OF_AZD: [&str; 4] = [
    "AZD_ALPHA_ENABLE_LANGUAGE_CUSTOM",
    "AZURE_CLIENT_ID",
    "AZURE_SUBSCRIPTION_ID",
    "AZURE_TENANT_ID",
];

pub(crate) fn complaints(repository: &Repository) -> Vec<String> {
    let yaml: Value = match serde_saphyr::from_str(repository.text(PATH)) {
        Ok(yaml) => yaml,
        Err(error) => return vec![format!("{PATH}: {error}")],
    };
    let job = &yaml["jobs"]["deploy"];
    let mut complaints = variables(repository, &job["env"]);
    complaints.extend(order(&job["steps"]));
    complaints
}

fn variables(repository: &Repository, env: &Value) -> Vec<String> {
    let given: BTreeSet<String> =
        env.as_object().map(|env| env.keys().cloned().collect()).unwrap_or_default();
    let mut read = modules::variables(repository);
    read.extend(OF_AZD.map(str::to_owned));
    let missing = read.difference(&given).map(|name| format!("{PATH}: {name} is not handed on"));
    let idle = given.difference(&read).map(|name| format!("{PATH}: nobody reads {name}"));
    let other = given.iter().filter(|name| {
        let value = env[name.as_str()].as_str().unwrap_or_default();
        !name.starts_with("AZD_") && value != format!("${{{{ vars.{name} }}}}")
    });
    let other = other.map(|name| format!("{PATH}: {name} must be the variable of that name"));
    missing.chain(idle).chain(other).collect()
}

/// The hook must know of a vault that is there, and packages need their target.
fn order(steps: &Value) -> Vec<String> {
    let runs: Vec<&str> = steps
        .as_array()
        .map(|steps| steps.iter().filter_map(|step| step["run"].as_str()).collect())
        .unwrap_or_default();
    let place = |command: &str| runs.iter().position(|run| run.contains(command));
    let pairs = [
        ("rustup target add x86_64-unknown-linux-musl", "azd package"),
        ("azd env refresh", "azd provision"),
    ];
    let wrong = pairs.into_iter().filter(|(first, then)| {
        let (first, then) = (place(first), place(then));
        first.is_none() || then.is_none() || first > then
    });
    wrong.map(|(first, then)| format!("{PATH}: {first} must come before {then}")).collect()
}
