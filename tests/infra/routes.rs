//! That what the routers serve, the OpenAPI documents say and API Management imports is the same, and
//! that each path leads to its app.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use crate::bicep::{Bicep, Value};
use crate::repository::Repository;

const APIS: &str = "infra/modules/gateway-apis.bicep";
pub(crate) const OAUTH: &str = "infra/apim/oauth.openapi.json";
pub(crate) const MCP: &str = "infra/apim/mcp.openapi.json";

/// Document, and where the routes that it documents are written.
const ROUTERS: [(&str, &[&str]); 2] = [
    (OAUTH, &["oauth-fn/src/endpoints/mod.rs"]),
    (MCP, &["mcp-fn/src/lib.rs", "mcp-fn/src/metadata.rs", "mcp-fn/src/transport/sse/mod.rs"]),
];

/// API, the app behind it, its policy.
const TARGETS: [(&str, &str, &str, &str); 3] = [
    ("oauth", "https://${oauthHostName}", "oauthPolicy", "oauth.xml"),
    ("mcp", "https://${mcpHostName}", "mcpPolicy", "mcp.xml"),
    ("resourceMetadata", "https://${mcpHostName}", "metadataPolicy", "metadata.xml"),
];

pub(crate) fn complaints(repository: &Repository) -> Vec<String> {
    let apis = Bicep::read(repository, APIS);
    let mut complaints = undocumented(repository);
    complaints.extend(unpublished(repository, &apis));
    complaints.extend(TARGETS.iter().flat_map(|target| astray(&apis, target)));
    complaints.extend(unknown_operations(repository, &apis));
    complaints
}

/// Routes that a router serves and no document has.
fn undocumented(repository: &Repository) -> Vec<String> {
    let mut complaints = Vec::new();
    for (document, sources) in ROUTERS {
        let documented = paths(repository, document);
        for source in sources {
            let code = repository.text(source).split("\nmod tests {").next().unwrap_or_default();
            let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            let literals = code.flat_map(|line| line.split('"').skip(1).step_by(2));
            for route in literals.filter(|text| text.starts_with('/')) {
                // The Functions host polls each app at `/`; the public one is oauth-fn's.
                let polled = document == MCP && route == "/";
                if !polled && !documented.contains(route) {
                    complaints.push(format!("{document}: {source} serves {route}"));
                }
            }
        }
    }
    complaints
}

/// Paths of the document of mcp-fn that no API takes over, or not as they are.
fn unpublished(repository: &Repository, apis: &Bicep) -> Vec<String> {
    let documented: BTreeSet<String> = paths(repository, MCP);
    let mut published = BTreeSet::new();
    let mut complaints = Vec::new();
    for (api, variable) in [("mcp", "mcpPaths"), ("resourceMetadata", "metadataPaths")] {
        let written = |path: &[&str]| of(apis, api, path);
        if !written(&["properties", "value"]).contains(&format!("paths: {variable}")) {
            complaints.push(format!("{APIS}: {api} must import {variable}"));
        }
        let root = written(&["properties", "path"]);
        let Some(Value::Object(entries)) = apis.variable(variable) else {
            complaints.push(format!("{APIS}: {variable} is gone"));
            continue;
        };
        for (template, taken) in entries {
            let public = format!("/{root}{}", template.trim_end_matches('/'));
            if taken.written() != format!("mcpDocument.paths['{public}']") {
                complaints.push(format!("{APIS}: {public} is not {}", taken.written()));
            }
            published.insert(public);
        }
    }
    let missing = documented.difference(&published);
    complaints.extend(missing.map(|path| format!("{APIS}: {path} is in no API")));
    let beyond = published.difference(&documented);
    complaints.extend(beyond.map(|path| format!("{MCP}: {path} is missing")));
    complaints
}

/// What is wrong with where an API leads to.
fn astray(apis: &Bicep, target: &(&str, &str, &str, &str)) -> Vec<String> {
    let (api, app, policy, file) = target;
    let rules = [
        (*api, "serviceUrl", (*app).to_owned()),
        (*api, "subscriptionRequired", "false".to_owned()),
        (*api, "protocols", "https".to_owned()),
        (*api, "translateRequiredQueryParameters", "query".to_owned()),
        (*policy, "format", "xml".to_owned()),
        (*policy, "value", format!("loadTextContent('../apim/policies/{file}')")),
    ];
    let broken = rules
        .iter()
        .filter(|(name, property, must)| of(apis, name, &["properties", property]) != *must);
    let mut complaints: Vec<String> = broken
        .map(|(name, property, must)| format!("{APIS}: {property} of {name} must be {must}"))
        .collect();
    if of(apis, policy, &["parent"]) != *api {
        complaints.push(format!("{APIS}: {policy} must be the policy of {api}"));
    }
    if *api == "oauth" && of(apis, "oauth", &["properties", "value"]) != "string(oauthDocument)" {
        complaints.push(format!("{APIS}: oauth must import the whole document"));
    }
    complaints
}

fn unknown_operations(repository: &Repository, apis: &Bicep) -> Vec<String> {
    let documented: BTreeSet<String> =
        operations(repository, OAUTH).into_iter().map(|operation| operation.id).collect();
    let unknown = operation_policies(apis).into_keys().filter(|id| !documented.contains(id));
    unknown.map(|id| format!("{OAUTH}: there is no operation {id}, which has a policy")).collect()
}

fn of(apis: &Bicep, resource: &str, path: &[&str]) -> String {
    let body = apis.resource(resource).map(|resource| &resource.body);
    body.and_then(|body| body.at(path)).map(Value::written).unwrap_or_default()
}

/// An operation of an OpenAPI document.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) path: String,
}

/// Every operation of `document`.
pub(crate) fn operations(repository: &Repository, document: &str) -> Vec<Operation> {
    let json = repository.json(document);
    let paths = json["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters");
        methods.map(|(method, operation)| Operation {
            id: operation["operationId"].as_str().unwrap_or_default().to_owned(),
            method: method.to_uppercase(),
            path: path.clone(),
        })
    });
    operations.collect()
}

/// The query parameters of `document`.
pub(crate) fn query_parameters(repository: &Repository, document: &str) -> BTreeSet<String> {
    fn search(json: &Json, found: &mut BTreeSet<String>) {
        if json["in"] == "query" {
            found.extend(json["name"].as_str().map(str::to_owned));
        }
        match json {
            Json::Array(items) => items.iter().for_each(|item| search(item, found)),
            Json::Object(members) => members.values().for_each(|member| search(member, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    search(&repository.json(document), &mut found);
    found
}

fn paths(repository: &Repository, document: &str) -> BTreeSet<String> {
    let json = repository.json(document);
    json["paths"].as_object().unwrap().keys().cloned().collect()
}

/// The policy file of the operation, if it has one beside that of its API.
pub(crate) fn policy_of(repository: &Repository, document: &str, operation: &Operation) -> String {
    let apis = Bicep::read(repository, APIS);
    if document == OAUTH {
        let own = operation_policies(&apis).remove(&operation.id);
        return own.unwrap_or_else(|| "infra/apim/policies/oauth.xml".to_owned());
    }
    let file = if operation.path.starts_with("/mcp") { "mcp.xml" } else { "metadata.xml" };
    format!("infra/apim/policies/{file}")
}

/// Policy file by operation of oauth-fn.
fn operation_policies(apis: &Bicep) -> BTreeMap<String, String> {
    let Some(Value::List(entries)) = apis.variable("operationPolicies") else {
        return BTreeMap::new();
    };
    let entry = |entry: &Value| {
        let operation = entry.at(&["operation"])?.written();
        let loaded = entry.at(&["policy"])?.written();
        let file = loaded.split('\'').nth(1)?.replace("../", "infra/");
        Some((operation, file))
    };
    entries.iter().filter_map(entry).collect()
}
