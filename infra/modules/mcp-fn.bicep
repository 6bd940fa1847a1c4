metadata description = 'mcp-fn, the MCP server: its app, and all that it reads when it starts.'

@description('Name of the app.')
param name string

@description('Name of its plan.')
param planName string

@description('Region.')
param location string

@description('Tags.')
param tags object

@description('Resource id of its identity.')
param identityId string

@description('Client id of its identity.')
param identityClientId string

@description('Its storage account, with the snippets.')
param storageName string

@description('Blob Storage of that account.')
param blobEndpoint string

@description('Table Storage of that account, which relays answers between instances.')
param tableEndpoint string

@description('Table Storage of the sessions, in the account of oauth-fn.')
param sessionTablesEndpoint string

@description('Blob container that its package is deployed to.')
param packageContainer string

@description('The vault of the key rings, with a final slash.')
param keyVaultUri string

@description('Where telemetry goes.')
param applicationInsightsConnectionString string

@description('Part of the traces that is kept, 0 to 1.')
param traceRatio string

@description('Subnet that it calls from; empty for the internet.')
param subnetId string

@description('Most instances that Azure may start.')
param maximumInstanceCount int

@description('Requests that one instance takes at once; each open stream is one.')
param requestsPerInstance int

@description('The public origin of the system.')
param publicBaseUrl string

@description('Whether HTTP+SSE is served beside Streamable HTTP.')
@allowed([
  'off'
  'on'
])
param legacySse string

@description('Further settings of mcp-fn, as docs/settings.md lists them.')
param furtherSettings object

// The final slash of a secret makes Azure ask for its newest version.
var settings = {
  PUBLIC_BASE_URL: publicBaseUrl
  SESSION_KEYS: '@Microsoft.KeyVault(SecretUri=${keyVaultUri}secrets/session-keys/)'
  SESSION_TABLES_ENDPOINT: sessionTablesEndpoint
  BLOBS_ENDPOINT: blobEndpoint
  RELAY_TABLES_ENDPOINT: tableEndpoint
  LEGACY_SSE: legacySse
}

module app 'function-app.bicep' = {
  name: 'mcp-fn-app'
  params: {
    name: name
    planName: planName
    location: location
    tags: tags
    serviceName: 'mcp'
    identityId: identityId
    identityClientId: identityClientId
    storageName: storageName
    blobEndpoint: blobEndpoint
    packageContainer: packageContainer
    applicationInsightsConnectionString: applicationInsightsConnectionString
    traceRatio: traceRatio
    subnetId: subnetId
    maximumInstanceCount: maximumInstanceCount
    requestsPerInstance: requestsPerInstance
    settings: union(settings, furtherSettings)
  }
}

@description('Name of the app.')
output name string = app.outputs.name

@description('Host name of the app.')
output hostName string = app.outputs.hostName
