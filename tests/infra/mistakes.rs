//! That each check notices the mistakes that it is there for.

use crate::complaints;
use crate::mistakes_in_monitoring;
use crate::repository::Repository;

/// File, what stands there, the mistake in its place, and words of the complaint.
pub(crate) type Mistake = (&'static str, &'static str, &'static str, &'static str);

const MISTAKES: [Mistake; 53] = [
    // The files of the Functions host.
    (
        "http/function.json",
        "\"type\": \"http\",\n      \"direction\": \"out\"",
        "\"type\": \"http\",\n      \"direction\": \"in\"",
        "httpTrigger in and http out",
    ),
    ("http/function.json", "{*path}", "mcp", "the route must be {*path}"),
    ("http/function.json", "\"function\"", "\"anonymous\"", "must need a key"),
    (
        "host.json",
        "\"enableProxyingHttpRequest\"",
        "\"enableForwardingHttpRequest\"",
        "enableProxyingHttpRequest must be true",
    ),
    ("host.json", "\"routePrefix\": \"\"", "\"routePrefix\": \"api\"", "routePrefix must be"),
    // Bicep by itself.
    (
        "infra/main.bicep",
        "param vnetEnabled bool = false",
        "param vnetEnabled bool = = false",
        "this is not Bicep",
    ),
    ("infra/modules/identity.bicep", "param tags object\n", "", "tags is not declared"),
    ("infra/modules/identity.bicep", "  tags: tags\n", "", "tags is not used"),
    (
        "infra/modules/identity.bicep",
        "@description('Tags of the identity.')\n",
        "",
        "tags has no @description",
    ),
    (
        "infra/modules/key-rings.bicep",
        "resource vault",
        "@description('x')\noutput ring string = newGrantKeys\n\nresource vault",
        "output ring tells a secret",
    ),
    // Modules with each other.
    (
        "infra/main.bicep",
        "    isPrivate: vnetEnabled\n",
        "    isPrivat: vnetEnabled\n",
        "does not declare the parameter isPrivat",
    ),
    (
        "infra/main.bicep",
        "    samplingPercentage: apimSamplingPercentage\n",
        "    // apimSamplingPercentage\n",
        "needs the parameter samplingPercentage",
    ),
    (
        "infra/main.bicep",
        "oauthStorage.outputs.blobEndpoint",
        "oauthStorage.outputs.blobs",
        "has no output blobs",
    ),
    (
        "infra/main.bicep",
        "modules/network.bicep",
        "modules/networks.bicep",
        "module modules/networks.bicep is not there",
    ),
    (
        "infra/main.parameters.json",
        "\"apimSku\"",
        "\"apimSkuName\"",
        "main.bicep does not declare apimSkuName",
    ),
    (
        "infra/main.parameters.json",
        "    \"location\": { \"value\": \"${AZURE_LOCATION}\" },\n",
        "",
        "location is missing",
    ),
    ("infra/main.parameters.json", "=BasicV2}", "=StandardV2}", "another default for apimSku"),
    ("infra/main.parameters.json", "=BasicV2}", "}", "another default for apimSku"),
    (
        "docs/deploy.md",
        "| `CUSTOM_BASE_URL` |",
        "| `BASE_URL` |",
        "CUSTOM_BASE_URL is not explained",
    ),
    // Roles, ids and API versions.
    (
        "infra/modules/access.bicep",
        "76199698-9eea-4c19-bc75-cec21354c6b6",
        "76199698-9eea-4c19-bc75-cec21354c6b7",
        "storageTableDataReader must have the id",
    ),
    (
        "infra/modules/entra-application.bicep",
        "7427e0e9",
        "7427e0e8",
        "offlineAccess must have the id",
    ),
    (
        "infra/modules/access.bicep",
        "role: roles.storageTableDataReader",
        "role: roles.storageTableDataContributor",
        "mcpPrincipalId: storageTableDataContributor at oauthStorage is too much",
    ),
    (
        "infra/modules/access.bicep",
        "principalId: oauthPrincipalId\n    principalType",
        "principalId: mcpPrincipalId\n    principalType",
        "mcpPrincipalId: keyVaultSecretsUser at grantKeys is too much",
    ),
    ("infra/modules/identity.bicep", "@2024-11-30", "@2024-11-31", "2024-11-31 was not looked up"),
    (
        "infra/modules/storage-account.bicep",
        "allowSharedKeyAccess: false",
        "allowSharedKeyAccess: true",
        "allowSharedKeyAccess must be false",
    ),
    (
        "infra/modules/function-app.bicep",
        "version: '1.0'",
        "version: '1'",
        "runtime.version must be 1.0",
    ),
    (
        "infra/modules/key-rings.bicep",
        "@onlyIfNotExists()\n",
        "",
        "sessionKeys must be @onlyIfNotExists()",
    ),
    (
        "infra/modules/gateway-apis.bicep",
        "@batchSize(1)\n",
        "",
        "operationPolicy must be @batchSize(1)",
    ),
    // Settings.
    (
        "infra/modules/oauth-fn.bicep",
        "  ALLOWED_TENANTS: tenant().tenantId\n",
        "",
        "oauth-fn needs ALLOWED_TENANTS",
    ),
    (
        "infra/modules/mcp-fn.bicep",
        "  BLOBS_ENDPOINT: blobEndpoint\n",
        "  BLOB_ENDPOINT: blobEndpoint\n",
        "mcp-fn does not read BLOB_ENDPOINT",
    ),
    (
        "infra/modules/oauth-fn.bicep",
        "'federated'",
        "'Federated'",
        "UPSTREAM_CREDENTIAL must be federated in lower case",
    ),
    (
        "docs/settings.md",
        "| `ALLOWED_TENANTS` |",
        "| `TENANTS` |",
        "oauth-fn does not read ALLOWED_TENANTS",
    ),
    // Routes.
    (
        "infra/apim/oauth.openapi.json",
        "\"/revoke\": {",
        "\"/revocation\": {",
        "oauth-fn/src/endpoints/mod.rs serves /revoke",
    ),
    ("infra/apim/mcp.openapi.json", "\"/mcp\": {", "\"/mcp/more\": {", "/mcp/more is in no API"),
    (
        "infra/modules/gateway-apis.bicep",
        "  '/mcp': mcpDocument",
        "  '/mcpp': mcpDocument",
        "/.well-known/oauth-protected-resource/mcpp is not",
    ),
    (
        "infra/modules/gateway-apis.bicep",
        "operation: 'token'",
        "operation: 'tokens'",
        "there is no operation tokens",
    ),
    (
        "infra/modules/gateway-apis.bicep",
        "serviceUrl: 'https://${mcpHostName}'",
        "serviceUrl: 'https://${oauthHostName}'",
        "serviceUrl of mcp must be",
    ),
    // Policies.
    ("infra/apim/policies/oauth.xml", "&quot;oauth:&quot;", "\"oauth:\"", "oauth.xml: "),
    (
        "infra/apim/policies/oauth.xml",
        "<base />",
        "<base /><validate-jwt />",
        "<validate-jwt> is not allowed",
    ),
    (
        "infra/apim/policies/oauth.xml",
        "exists-action=\"override\"",
        "exists-action=\"skip\"",
        "the headers must be",
    ),
    ("infra/apim/policies/mcp.xml", " buffer-response=\"false\"", "", "events must not wait"),
    (
        "infra/apim/policies/mcp.xml",
        "{{mcp-fn-key}}",
        "{{mcp-key}}",
        "nobody makes the named value mcp-key",
    ),
    (
        "infra/apim/policies/register.xml",
        "renewal-period=\"300\"",
        "renewal-period=\"3600\"",
        "renewal-period is 300 at most",
    ),
    (
        "infra/modules/gateway-telemetry.bicep",
        "  'state'\n",
        "",
        "the parameter state must be masked",
    ),
    // azure.yaml.
    (
        "azure.yaml",
        "dist: dist/mcp-fn.zip",
        "dist: dist/mcp.zip",
        "dist of mcp must be dist/mcp-fn.zip",
    ),
    (
        "azure.yaml",
        "infra/hooks/new-keys.ps1",
        "infra/hooks/keys.ps1",
        "infra/hooks/keys.ps1 is not there",
    ),
    (
        "azure.yaml",
        "      run: cargo run --locked -- package\n",
        "      run: cargo run -- package\n",
        "predeploy must build what prepackage builds",
    ),
    (
        "infra/modules/mcp-fn.bicep",
        "serviceName: 'mcp'",
        "serviceName: 'api'",
        "serviceName must be mcp",
    ),
    // The workflow that deploys.
    (
        ".github/workflows/azure-dev.yml",
        "      APIM_SKU: ${{ vars.APIM_SKU }}\n",
        "",
        "APIM_SKU is not handed on",
    ),
    (
        ".github/workflows/azure-dev.yml",
        "${{ vars.LEGACY_SSE }}",
        "${{ vars.LEGACY }}",
        "LEGACY_SSE must be the variable of that name",
    ),
    (
        "infra/main.parameters.json",
        "${CUSTOM_BASE_URL=}",
        "${BASE_URL=}",
        "nobody reads CUSTOM_BASE_URL",
    ),
    (
        ".github/workflows/azure-dev.yml",
        "azd env refresh",
        "azd env list",
        "azd env refresh must come before azd provision",
    ),
    (
        ".github/workflows/azure-dev.yml",
        "rustup target add",
        "rustup target list",
        "must come before azd package",
    ),
];

#[test]
fn each_mistake_is_noticed() {
    let repository = Repository::read();
    for (file, from, to, words) in MISTAKES.into_iter().chain(mistakes_in_monitoring::MISTAKES) {
        let mistaken = repository.with(file, from, to);

        let complaints = complaints(&mistaken);

        let noticed = complaints.iter().any(|complaint| complaint.contains(words));
        assert!(noticed, "{file}: {to:?} is not noticed, but {complaints:#?}");
    }
}
