//! That everybody has the roles that they need and no other, under their true ids.

use std::collections::{BTreeMap, BTreeSet};

use crate::bicep::{Bicep, Resource, Value};
use crate::repository::Repository;

const ACCESS: &str = "infra/modules/access.bicep";
const APPLICATION: &str = "infra/modules/entra-application.bicep";

/// The ids of Azure's built-in roles, as its documentation lists them.
const ROLES: [(&str, &str); 6] = [
    ("keyVaultSecretsOfficer", "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"),
    ("keyVaultSecretsUser", "4633458b-17de-408a-b874-0445c86b69e6"),
    ("monitoringMetricsPublisher", "3913510d-42f4-4e42-8a64-420c390055eb"),
    ("storageBlobDataOwner", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"),
    ("storageTableDataContributor", "0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3"),
    ("storageTableDataReader", "76199698-9eea-4c19-bc75-cec21354c6b6"),
];

/// The ids of delegated permissions of Microsoft Graph.
const PERMISSIONS: [(&str, &str); 4] = [
    ("offlineAccess", "7427e0e9-2fba-42fe-b0c0-848c9e6a8182"),
    ("openid", "37f7f235-527c-4136-accd-4a02d197296e"),
    ("profile", "14dad69e-099b-42c9-810b-d002981feec1"),
    ("userRead", "e1fe6dd8-ba31-4d61-89e7-88639da4683d"),
];

/// Who has which role where. mcp-fn is not at `grantKeys`, and reads where oauth-fn writes.
const GRANTS: [&str; 13] = [
    "administratorPrincipalId: keyVaultSecretsOfficer at keyVault",
    "administratorPrincipalId: storageTableDataContributor at oauthStorage",
    "gatewayPrincipalId: monitoringMetricsPublisher at applicationInsights",
    "mcpPrincipalId: keyVaultSecretsUser at sessionKeys",
    "mcpPrincipalId: monitoringMetricsPublisher at applicationInsights",
    "mcpPrincipalId: storageBlobDataOwner at mcpStorage",
    "mcpPrincipalId: storageTableDataContributor at mcpStorage",
    "mcpPrincipalId: storageTableDataReader at oauthStorage",
    "oauthPrincipalId: keyVaultSecretsUser at grantKeys",
    "oauthPrincipalId: keyVaultSecretsUser at sessionKeys",
    "oauthPrincipalId: monitoringMetricsPublisher at applicationInsights",
    "oauthPrincipalId: storageBlobDataOwner at oauthStorage",
    "oauthPrincipalId: storageTableDataContributor at oauthStorage",
];

pub(crate) fn complaints(repository: &Repository) -> Vec<String> {
    let access = Bicep::read(repository, ACCESS);
    let mut complaints = ids(&access, "roles", &ROLES);
    complaints.extend(ids(&Bicep::read(repository, APPLICATION), "permissions", &PERMISSIONS));
    let granted = granted(&access);
    let expected: BTreeSet<String> = GRANTS.map(str::to_owned).into();
    let beyond = granted.difference(&expected).map(|of| format!("{ACCESS}: {of} is too much"));
    let missing = expected.difference(&granted).map(|of| format!("{ACCESS}: {of} is missing"));
    complaints.extend(beyond.chain(missing));
    complaints.extend(strays(repository));
    complaints
}

fn ids(file: &Bicep, variable: &str, expected: &[(&str, &str)]) -> Vec<String> {
    let found = file.variable(variable).cloned().unwrap_or(Value::List(Vec::new()));
    let wrong = expected
        .iter()
        .filter(|(name, id)| found.at(&[name]).map(Value::written).as_deref() != Some(*id));
    let wrong = wrong.map(|(name, id)| format!("{}: {name} must have the id {id}", file.path));
    let names: BTreeSet<&str> = expected.iter().map(|(name, _)| *name).collect();
    let unknown = found.keys().into_iter().filter(|name| !names.contains(name));
    let unknown = unknown.map(|name| format!("{}: {name} was not looked up", file.path));
    wrong.chain(unknown).collect()
}

/// Principal, role and scope of each assignment, loops written out.
fn granted(access: &Bicep) -> BTreeSet<String> {
    let assignments = access.resources.iter().filter(|of| of.kind.contains("roleAssignments@"));
    assignments.flat_map(|assignment| grants_of(assignment, access)).collect()
}

fn grants_of(assignment: &Resource, access: &Bicep) -> Vec<String> {
    let written = |path: &[&str]| assignment.body.at(path).map(Value::written).unwrap_or_default();
    let scope = written(&["scope"]);
    let definition = written(&["properties", "roleDefinitionId"]);
    let role = definition.rsplit(", ").next().unwrap_or_default().trim_end_matches(')').to_owned();
    let principal = written(&["properties", "principalId"]);
    let items = match &assignment.over {
        None => return vec![grant(&principal, &role, &scope)],
        Some(Value::Expression(name)) => access.variable(name).cloned(),
        Some(list) => Some(list.clone()),
    };
    let Some(Value::List(items)) = items else {
        return vec![grant("?", &role, &scope)];
    };
    let of = |item: &Value, name: &str| item.at(&[name]).map(Value::written);
    items
        .iter()
        .map(|item| {
            let principal = of(item, "principalId").unwrap_or_else(|| item.written());
            grant(&principal, &of(item, "role").unwrap_or_else(|| role.clone()), &scope)
        })
        .collect()
}

fn grant(principal: &str, role: &str, scope: &str) -> String {
    format!("{principal}: {} at {scope}", role.trim_start_matches("roles."))
}

/// Ids that stand somewhere else than in the two tables, where nobody compares them.
fn strays(repository: &Repository) -> Vec<String> {
    // Microsoft Graph itself.
    let known = ["00000003-0000-0000-c000-000000000000"];
    let tables: BTreeMap<&str, &[(&str, &str)]> =
        [(ACCESS, ROLES.as_slice()), (APPLICATION, PERMISSIONS.as_slice())].into();
    let mut complaints = Vec::new();
    for (path, text) in repository.ending_with(".bicep") {
        for id in text.split('\'').filter(|text| is_guid(text)) {
            let named = tables.get(path).is_some_and(|table| table.iter().any(|(_, of)| *of == id));
            if !named && !known.contains(&id) {
                complaints.push(format!("{path}: nobody knows the id {id}"));
            }
        }
    }
    complaints
}

fn is_guid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}
