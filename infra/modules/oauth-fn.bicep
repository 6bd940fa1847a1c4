metadata description = 'oauth-fn, the authorization server: its app, and all that it reads when it starts.'

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

@description('Its storage account, with the sessions.')
param storageName string

@description('Blob Storage of that account.')
param blobEndpoint string

@description('Table Storage of that account.')
param tableEndpoint string

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

@description('Requests that one instance takes at once.')
param requestsPerInstance int

@description('The public origin of the system.')
param publicBaseUrl string

@description('The application in Entra ID that users sign in to.')
param entraClientId string

@description('Whom its identity proves itself to at Entra ID.')
param assertionAudience string

@description('Further settings of oauth-fn, as docs/settings.md lists them.')
param furtherSettings object

// The final slash of a secret makes Azure ask for its newest version.
var settings = {
  PUBLIC_BASE_URL: publicBaseUrl
  SESSION_KEYS: '@Microsoft.KeyVault(SecretUri=${keyVaultUri}secrets/session-keys/)'
  GRANT_KEYS: '@Microsoft.KeyVault(SecretUri=${keyVaultUri}secrets/grant-keys/)'
  SESSION_TABLES_ENDPOINT: tableEndpoint
  UPSTREAM_ISSUER: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
  UPSTREAM_CLIENT_ID: entraClientId
  UPSTREAM_CREDENTIAL: 'federated'
  UPSTREAM_ASSERTION_AUDIENCE: assertionAudience
  ALLOWED_TENANTS: tenant().tenantId
}

module app 'function-app.bicep' = {
  name: 'oauth-fn-app'
  params: {
    name: name
    planName: planName
    location: location
    tags: tags
    serviceName: 'oauth'
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
