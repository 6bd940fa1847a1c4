//! That azure.yaml says what azd understands, and names what is there. `tests/infra/run` validates it
//! against the schema of azd.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::bicep::Bicep;
use crate::repository::Repository;

const PATH: &str = "azure.yaml";

/// Service, module that makes its app, package.
const SERVICES: [(&str, &str, &str, &str); 2] = [
    ("oauth", "infra/modules/oauth-fn.bicep", "oauth-fn", "dist/oauth-fn.zip"),
    ("mcp", "infra/modules/mcp-fn.bicep", "mcp-fn", "dist/mcp-fn.zip"),
];

/// Hook, whether it runs a file.
const HOOKS: [&str; 4] = ["postprovision", "predeploy", "prepackage", "preprovision"];

pub(crate) fn complaints(repository: &Repository) -> Vec<String> {
    let yaml: Value = match serde_saphyr::from_str(repository.text(PATH)) {
        Ok(yaml) => yaml,
        Err(error) => return vec![format!("{PATH}: {error}")],
    };
    let mut complaints =
        keys(&yaml, "", &["hooks", "metadata", "name", "requiredVersions", "services"]);
    complaints.extend(keys(&yaml["services"], "services", &["mcp", "oauth"]));
    complaints.extend(keys(&yaml["hooks"], "hooks", &HOOKS));
    complaints.extend(SERVICES.iter().flat_map(|service| of_service(repository, &yaml, service)));
    complaints
        .extend(HOOKS.iter().flat_map(|hook| of_hook(repository, &yaml["hooks"][hook], hook)));
    if yaml["hooks"]["predeploy"] != yaml["hooks"]["prepackage"] {
        complaints.push(format!("{PATH}: predeploy must build what prepackage builds"));
    }
    complaints
}

/// azd passes over keys that it does not know.
fn keys(object: &Value, place: &str, expected: &[&str]) -> Vec<String> {
    let found: BTreeSet<&str> = object
        .as_object()
        .map(|members| members.keys().map(String::as_str).collect())
        .unwrap_or_default();
    let expected: BTreeSet<&str> = expected.iter().copied().collect();
    let other = found.symmetric_difference(&expected);
    other.map(|key| format!("{PATH}: {place} must have {expected:?}, and {key} is amiss")).collect()
}

fn of_service(
    repository: &Repository,
    yaml: &Value,
    (name, module, project, dist): &(&str, &str, &str, &str),
) -> Vec<String> {
    let service = &yaml["services"][name];
    let mut complaints = keys(service, name, &["dist", "host", "language", "project"]);
    for (key, must) in
        [("host", "function"), ("language", "custom"), ("project", project), ("dist", dist)]
    {
        if service[key] != *must {
            complaints.push(format!("{PATH}: {key} of {name} must be {must}"));
        }
    }
    // By this tag azd finds the app that it deploys to.
    let bicep = Bicep::read(repository, module);
    let app = bicep.modules.iter().find(|of| of.name == "app");
    let tag = app.and_then(|app| app.body.at(&["params", "serviceName"]));
    if tag.map(crate::bicep::Value::written).as_deref() != Some(*name) {
        complaints.push(format!("{module}: serviceName must be {name}, as in {PATH}"));
    }
    complaints
}

fn of_hook(repository: &Repository, hook: &Value, name: &str) -> Vec<String> {
    let mut complaints = keys(hook, name, &["posix", "windows"]);
    for (system, shell, ending) in [("posix", "sh", ".sh"), ("windows", "pwsh", ".ps1")] {
        let part = &hook[system];
        complaints.extend(keys(part, &format!("{name}.{system}"), &["run", "shell"]));
        let run = part["run"].as_str().unwrap_or_default();
        if part["shell"] != shell {
            complaints.push(format!("{PATH}: {name}.{system} must run in {shell}"));
        }
        let is_file = run.starts_with("infra/hooks/");
        if is_file && (!run.ends_with(ending) || repository.find(run).is_none()) {
            complaints.push(format!("{PATH}: {run} is not there"));
        }
    }
    let same = |system: &str| {
        let run = hook[system]["run"].as_str().unwrap_or_default();
        run.trim_end_matches(".ps1").trim_end_matches(".sh").to_owned()
    };
    if same("posix") != same("windows") {
        complaints.push(format!("{PATH}: {name} must do the same on all systems"));
    }
    complaints
}
