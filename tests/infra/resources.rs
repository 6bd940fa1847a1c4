//! That resources are of known API versions, and closed where they can be.

use std::collections::BTreeSet;

use crate::bicep::Bicep;
use crate::repository::Repository;

/// Types and API versions that were looked up: stable ones, the newest that the public modules of
/// Azure use. Another one is looked up before it comes in here.
const KINDS: [&str; 32] = [
    "Microsoft.ApiManagement/service/apis/operations/policies@2024-05-01",
    "Microsoft.ApiManagement/service/apis/operations@2024-05-01",
    "Microsoft.ApiManagement/service/apis/policies@2024-05-01",
    "Microsoft.ApiManagement/service/apis@2024-05-01",
    "Microsoft.ApiManagement/service/diagnostics@2024-05-01",
    "Microsoft.ApiManagement/service/loggers@2024-05-01",
    "Microsoft.ApiManagement/service/namedValues@2024-05-01",
    "Microsoft.ApiManagement/service@2024-05-01",
    "Microsoft.Authorization/roleAssignments@2022-04-01",
    "Microsoft.Graph/applications@v1.0",
    "Microsoft.Graph/servicePrincipals@v1.0",
    "Microsoft.Insights/actionGroups@2023-01-01",
    "Microsoft.Insights/components@2020-02-02",
    "Microsoft.Insights/scheduledQueryRules@2023-12-01",
    "Microsoft.Insights/workbooks@2023-06-01",
    "Microsoft.KeyVault/vaults/secrets@2024-11-01",
    "Microsoft.KeyVault/vaults@2024-11-01",
    "Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01",
    "Microsoft.Network/privateDnsZones@2024-06-01",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2025-05-01",
    "Microsoft.Network/privateEndpoints@2025-05-01",
    "Microsoft.Network/virtualNetworks@2025-05-01",
    "Microsoft.OperationalInsights/workspaces@2025-07-01",
    "Microsoft.Resources/resourceGroups@2025-04-01",
    "Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01",
    "Microsoft.Storage/storageAccounts/blobServices@2025-06-01",
    "Microsoft.Storage/storageAccounts@2025-06-01",
    "Microsoft.Web/serverfarms@2025-03-01",
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-03-01",
    "Microsoft.Web/sites/config@2025-03-01",
    "Microsoft.Web/sites@2025-03-01",
];

/// Inside another resource, which says the rest of the type.
const NESTED_KINDS: [&str; 1] = ["federatedIdentityCredentials@v1.0"];

/// File, resource, property and what it must be.
const MUST_BE: [(&str, &str, &str, &str); 30] = [
    ("entra-application", "application", "signInAudience", "AzureADMyOrg"),
    (
        "entra-application",
        "application",
        "web.implicitGrantSettings.enableAccessTokenIssuance",
        "false",
    ),
    (
        "entra-application",
        "application",
        "web.implicitGrantSettings.enableIdTokenIssuance",
        "false",
    ),
    (
        "function-app",
        "app",
        "properties.functionAppConfig.deployment.storage.authentication.type",
        "UserAssignedIdentity",
    ),
    ("function-app", "app", "properties.functionAppConfig.runtime.name", "custom"),
    ("function-app", "app", "properties.functionAppConfig.runtime.version", "1.0"),
    (
        "function-app",
        "app",
        "properties.functionAppConfig.scaleAndConcurrency.instanceMemoryMB",
        "512",
    ),
    (
        "function-app",
        "app",
        "properties.functionAppConfig.scaleAndConcurrency.triggers.http.perInstanceConcurrency",
        "requestsPerInstance",
    ),
    ("function-app", "app", "properties.httpsOnly", "true"),
    ("function-app", "app", "properties.keyVaultReferenceIdentity", "identityId"),
    ("function-app", "app", "properties.siteConfig.ftpsState", "Disabled"),
    ("function-app", "app", "properties.siteConfig.minTlsVersion", "1.2"),
    ("function-app", "noPasswordForFtp", "properties.allow", "false"),
    ("function-app", "noPasswordForScm", "properties.allow", "false"),
    ("gateway-telemetry", "diagnostics", "properties.backend.request", "request"),
    ("gateway-telemetry", "diagnostics", "properties.backend.response", "response"),
    ("gateway-telemetry", "diagnostics", "properties.frontend.request", "request"),
    ("gateway-telemetry", "diagnostics", "properties.frontend.response", "response"),
    ("gateway-telemetry", "logger", "properties.credentials.identityClientId", "SystemAssigned"),
    ("key-vault", "vault", "properties.enablePurgeProtection", "true"),
    ("key-vault", "vault", "properties.enableRbacAuthorization", "true"),
    ("key-vault", "vault", "properties.publicNetworkAccess", "isPrivate ? 'Disabled' : 'Enabled'"),
    ("function-app", "appSettings", "properties", "union(hostSettings, settings)"),
    ("monitoring", "applicationInsights", "properties.DisableLocalAuth", "disableLocalAuth"),
    (
        "monitoring",
        "logAnalytics",
        "properties.workspaceCapping.dailyQuotaGb",
        "json(dailyGigabytes)",
    ),
    ("storage-account", "account", "properties.allowBlobPublicAccess", "false"),
    ("storage-account", "account", "properties.allowSharedKeyAccess", "false"),
    ("storage-account", "account", "properties.minimumTlsVersion", "TLS1_2"),
    (
        "storage-account",
        "account",
        "properties.publicNetworkAccess",
        "isPrivate ? 'Disabled' : 'Enabled'",
    ),
    ("storage-account", "account", "properties.supportsHttpsTrafficOnly", "true"),
];

pub(crate) fn complaints(repository: &Repository) -> Vec<String> {
    let files = Bicep::all(repository);
    let mut complaints = kinds(&files);
    complaints.extend(MUST_BE.iter().filter_map(|rule| broken(repository, rule)));
    complaints.extend(unguarded_rings(repository));
    complaints.extend(crowds(repository));
    complaints
}

fn kinds(files: &[Bicep]) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut met = BTreeSet::new();
    for file in files {
        for resource in &file.resources {
            let kind = resource.kind.as_str();
            met.insert(kind);
            if !KINDS.contains(&kind) && !NESTED_KINDS.contains(&kind) {
                complaints.push(format!("{}: {kind} was not looked up", file.path));
            }
        }
    }
    let idle = KINDS.iter().filter(|kind| !met.contains(*kind));
    complaints.extend(idle.map(|kind| format!("no resource is a {kind}")));
    complaints
}

fn broken(repository: &Repository, rule: &(&str, &str, &str, &str)) -> Option<String> {
    let (file, name, property, must) = rule;
    let bicep = Bicep::read(repository, &format!("infra/modules/{file}.bicep"));
    let path: Vec<&str> = property.split('.').collect();
    let found = bicep.resource(name).and_then(|resource| resource.body.at(&path));
    let is = found.map(crate::bicep::Value::written);
    (is.as_deref() != Some(must))
        .then(|| format!("{}: {name} {property} must be {must}", bicep.path))
}

/// API Management refuses two changes of one API at once.
fn crowds(repository: &Repository) -> Vec<String> {
    let apis = Bicep::read(repository, "infra/modules/gateway-apis.bicep");
    let policies = apis.resources.iter().filter(|of| of.kind.contains("operations/policies@"));
    let crowds = policies.filter(|of| !of.decorators.contains("batchSize"));
    crowds.map(|of| format!("{}: {} must be @batchSize(1)", apis.path, of.name)).collect()
}

/// A ring that a deployment replaces ends every session.
fn unguarded_rings(repository: &Repository) -> Vec<String> {
    let rings = Bicep::read(repository, "infra/modules/key-rings.bicep");
    let secrets = rings.resources.iter().filter(|of| of.kind.contains("vaults/secrets@"));
    let unguarded = secrets.filter(|of| !of.decorators.contains("onlyIfNotExists"));
    unguarded.map(|of| format!("{}: {} must be @onlyIfNotExists()", rings.path, of.name)).collect()
}
