//! That each app is given every setting that it needs, and none that it does not read; and that it
//! starts with them.

use std::collections::{BTreeMap, BTreeSet};

use shared::azure::{AssertionAudience, AzureIdentity, StorageEndpoint, StorageService};
use shared::config::{Env, Settings};

use crate::bicep::{Bicep, Value};
use crate::repository::Repository;

const HOST: &str = "infra/modules/function-app.bicep";

/// What the platform itself reads or sets.
const OF_THE_PLATFORM: [&str; 8] = [
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
    "APPLICATIONINSIGHTS_CONNECTION_STRING",
    "AzureWebJobsStorage__accountName",
    "AzureWebJobsStorage__clientId",
    "AzureWebJobsStorage__credential",
    "FUNCTIONS_CUSTOMHANDLER_PORT",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
];

/// What an expression of Bicep may come to in Azure.
const EXAMPLES: [(&str, &str); 13] = [
    ("ALLOWED_TENANTS", "11111111-2222-3333-4444-555555555555"),
    ("AZURE_CLIENT_ID", "7d1ea1e6-3b34-4cd7-a53d-a2a9a4ed0e6a"),
    ("BLOBS_ENDPOINT", "https://stmcp.blob.core.windows.net/"),
    ("GRANT_KEYS", "k1:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="),
    ("IDENTITY_ENDPOINT", "http://127.0.0.1:42/msi/token"),
    ("IDENTITY_HEADER", "header"),
    ("LEGACY_SSE", "on"),
    ("PUBLIC_BASE_URL", "https://apim-x.azure-api.net"),
    ("RELAY_TABLES_ENDPOINT", "https://stmcp.table.core.windows.net/"),
    ("SESSION_KEYS", "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    ("SESSION_TABLES_ENDPOINT", "https://stoauth.table.core.windows.net/"),
    ("UPSTREAM_ASSERTION_AUDIENCE", "api://AzureADTokenExchange"),
    (
        "UPSTREAM_ISSUER",
        "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0",
    ),
];

pub(crate) fn complaints(repository: &Repository) -> Vec<String> {
    let mut complaints = Vec::new();
    for app in ["oauth-fn", "mcp-fn"] {
        let path = format!("infra/modules/{app}.bicep");
        let given = given(repository, &path);
        let documented = documented(repository, app);
        for (name, required) in &documented {
            if *required && !given.contains_key(name) && !OF_THE_PLATFORM.contains(&name.as_str()) {
                complaints.push(format!("{path}: {app} needs {name}"));
            }
        }
        let idle = given.keys().filter(|name| {
            let text = name.as_str();
            !documented.contains_key(*name) && !OF_THE_PLATFORM.contains(&text)
        });
        complaints.extend(idle.map(|name| format!("{path}: {app} does not read {name}")));
        complaints.extend(starts(app, &given).err().map(|faults| format!("{path}: {faults}")));
    }
    complaints
}

/// Every setting of the app whose module is at `path`.
fn given(repository: &Repository, path: &str) -> BTreeMap<String, Value> {
    let own = Bicep::read(repository, path).variable("settings").cloned();
    let hosts = Bicep::read(repository, HOST).variable("hostSettings").cloned();
    let objects = [own, hosts].into_iter().flatten().filter_map(|value| match value {
        Value::Object(properties) => Some(properties),
        _ => None,
    });
    objects.flatten().collect()
}

/// The settings that docs/settings.md lists for `app`, and whether they are required.
fn documented(repository: &Repository, app: &str) -> BTreeMap<String, bool> {
    let sections = repository.text("docs/settings.md").split("\n## ");
    let of_app = sections.filter(|section| {
        section.starts_with("Both apps\n") || section.starts_with(&format!("{app}\n"))
    });
    let rows = of_app.flat_map(str::lines).filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let (name, rest) = row.split_once('`').unwrap();
        (name.to_owned(), rest.starts_with(" | required"))
    })
    .collect()
}

/// Whether the app takes its settings, texts as they are written and expressions by their examples.
fn starts(app: &str, given: &BTreeMap<String, Value>) -> Result<(), String> {
    let env = Given(given);
    let mut settings = Settings::new(&env);
    let settings_read = if app == "oauth-fn" {
        let audience = AssertionAudience::read(&mut settings);
        oauth_fn::Config::read(&mut settings).zip(audience).map(drop)
    } else {
        let blobs = StorageEndpoint::read(&mut settings, "BLOBS_ENDPOINT", StorageService::Blob);
        let relay =
            StorageEndpoint::read(&mut settings, "RELAY_TABLES_ENDPOINT", StorageService::Table);
        mcp_fn::config::Config::read(&mut settings).zip(blobs).zip(relay).map(drop)
    };
    let identity = AzureIdentity::read(&mut settings);
    let tables =
        StorageEndpoint::read(&mut settings, "SESSION_TABLES_ENDPOINT", StorageService::Table);
    let all = settings_read.zip(identity).zip(tables).map(drop);
    settings.finish(all).map_err(|faults| faults.to_string())
}

struct Given<'a>(&'a BTreeMap<String, Value>);

impl Env for Given<'_> {
    fn get(&self, name: &str) -> Option<String> {
        let example = EXAMPLES.iter().find(|(of, _)| *of == name).map(|(_, text)| *text);
        match self.0.get(name) {
            Some(Value::Text(text)) if !text.contains("${") => Some(text.clone()),
            Some(_) => Some(example.unwrap_or("example").to_owned()),
            None if OF_THE_PLATFORM.contains(&name) => example.map(str::to_owned),
            None => None,
        }
    }
}

#[test]
fn the_settings_of_each_app_are_found_in_both_places() {
    let repository = Repository::read();

    let given = given(&repository, "infra/modules/mcp-fn.bicep");
    let documented = documented(&repository, "mcp-fn");

    assert!(given.contains_key("BLOBS_ENDPOINT") && given.contains_key("AZURE_CLIENT_ID"));
    let required: BTreeSet<_> = documented.iter().filter(|(_, required)| **required).collect();
    assert!(required.len() > 4 && documented.len() > required.len(), "{documented:?}");
    assert!(!documented.contains_key("GRANT_KEYS"));
}
