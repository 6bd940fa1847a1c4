targetScope = 'subscription'

metadata description = 'A remote MCP server with its own OAuth 2.1 authorization server: two apps behind API Management.'

@description('Name of the environment, from which all names are made.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Region of all resources: one that has Flex Consumption and the v2 tiers of API Management.')
@minLength(1)
@allowed([
  'australiaeast'
  'eastasia'
  'eastus'
  'eastus2'
  'northeurope'
  'southcentralus'
  'southeastasia'
  'swedencentral'
  'uksouth'
  'westus2'
])
@metadata({
  azd: {
    type: 'location'
  }
})
param location string

@description('Whether storage and vault are reached through private endpoints alone. The apps keep their public addresses: the tier BasicV2 has no way into a network.')
param vnetEnabled bool = false

@description('Tier of API Management. Consumption is not among them: it has neither streams nor limits by address.')
@allowed([
  'BasicV2'
  'StandardV2'
  'PremiumV2'
  'Developer'
  'Basic'
  'Standard'
  'Premium'
])
param apimSku string = 'BasicV2'

@description('Units of API Management. One takes about 1,000 requests a second; BasicV2 and StandardV2 have 10 at most.')
@minValue(1)
@maxValue(30)
param apimUnits int = 1

@description('Name of the organisation, shown by API Management.')
param apimPublisherName string = 'Remote MCP server'

@description('Where API Management sends its notices.')
param apimPublisherEmail string = 'noreply@example.com'

@description('Percentage of requests whose telemetry API Management sends; errors are always sent.')
@minValue(0)
@maxValue(100)
param apimSamplingPercentage int = 100

@description('Part of the traces of the apps that is kept, 0 to 1. Metrics, logs and the audit are kept whole.')
param traceRatio string = '0.05'

@description('Gigabytes of telemetry that are kept in a day, also parts of one; -1 for any number. Beyond it nothing is kept until the next day, the audit included.')
param dailyTelemetryGigabytes string = '1'

@description('Where alerts are written to; empty for nowhere, and they show in the portal alone.')
param alertEmail string = ''

@description('Percentage of answers with a 5xx status beyond which an alert is raised: more than an instance that starts or stops causes.')
@minValue(0)
@maxValue(99)
param alertFailurePercent int = 5

@description('Percentage of failed sign-ins beyond which an alert is raised. Users who come too late, go back or may not sign in are many among few; beyond half of all it is no longer they.')
@minValue(0)
@maxValue(99)
param alertSignInFailurePercent int = 50

@description('Milliseconds beyond which an alert is raised, if more than 5 of 100 requests take as long: a cold start of a few seconds is within what a client waits, and many of them are not.')
@minValue(1)
param alertLatencyMilliseconds int = 2000

@description('Failed calls to Azure Storage in half an hour beyond which an alert is raised: each is one request that failed, and a few happen to Azure itself.')
@minValue(0)
param alertStorageFailures int = 10

@description('The public origin, without a final slash, where API Management has a domain of your own; empty for its usual address.')
param publicBaseUrl string = ''

@description('Name of the resource group; empty for one made from the environment.')
param resourceGroupName string = ''

@description('Name of API Management; empty for one made from the environment.')
param apiManagementName string = ''

@description('Name of the app mcp-fn; empty for one made from the environment.')
param apiServiceName string = ''

@description('Name of the app oauth-fn; empty for one made from the environment.')
param oauthServiceName string = ''

@description('Name of the identity of mcp-fn; empty for one made from the environment.')
param apiUserAssignedIdentityName string = ''

@description('Name of the identity of oauth-fn; empty for one made from the environment.')
param oauthUserAssignedIdentityName string = ''

@description('Name of the plan of mcp-fn; empty for one made from the environment.')
param appServicePlanName string = ''

@description('Name of the plan of oauth-fn; empty for one made from the environment.')
param oauthAppServicePlanName string = ''

@description('Name of the storage account of mcp-fn; empty for one made from the environment.')
param storageAccountName string = ''

@description('Name of the storage account of oauth-fn; empty for one made from the environment.')
param oauthStorageAccountName string = ''

@description('Name of the vault; empty for one made from the environment.')
param keyVaultName string = ''

@description('Name of Application Insights; empty for one made from the environment.')
param applicationInsightsName string = ''

@description('Name of the Log Analytics workspace; empty for one made from the environment.')
param logAnalyticsName string = ''

@description('Name of the virtual network; empty for one made from the environment.')
param vNetName string = ''

@description('Name of the application in Entra ID that people see; empty for one made from the environment.')
param mcpEntraApplicationDisplayName string = ''

@description('Name of the application in Entra ID that it keeps for good; empty for one made from the environment.')
param mcpEntraApplicationUniqueName string = ''

@description('Client id of an application in Entra ID that somebody else made, for tenants that forbid making one; empty to make it.')
param entraAppClientId string = ''

@description('Id of the service that answers for the application, where the tenant demands one.')
param serviceManagementReference string = ''

@description('Whom the identity of oauth-fn proves itself to at Entra ID; a national cloud has its own.')
param assertionAudience string = 'api://AzureADTokenExchange'

@description('Object id of a person or group that may end sessions and rotate keys; empty for nobody.')
param administratorPrincipalId string = ''

@description('Whether telemetry is taken from managed identities alone.')
param disableLocalAuth bool = true

@description('Whether HTTP+SSE is served beside Streamable HTTP.')
@allowed([
  'off'
  'on'
])
param legacySse string = 'on'

@description('Most instances of each app. Azure takes 40 at least.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Requests that an instance of oauth-fn takes at once.')
@minValue(1)
@maxValue(1000)
param oauthRequestsPerInstance int = 100

@description('Requests that an instance of mcp-fn takes at once. An open stream is one, and keeps its instance on the bill: a low number makes streams ruinous.')
@minValue(1)
@maxValue(1000)
param mcpRequestsPerInstance int = 500

@description('Further settings of oauth-fn, as docs/settings.md lists them.')
param oauthSettings object = {}

@description('Further settings of mcp-fn, as docs/settings.md lists them.')
param mcpSettings object = {}

@description('Whether a vault of this name that was deleted comes back, with its keys.')
param keyVaultRecover bool = false

@description('The first ring of keys that both apps have, made by the hook; empty where the vault has one.')
@secure()
param newSessionKeys string = ''

@description('The first ring of keys that oauth-fn alone has, made by the hook; empty where the vault has one.')
@secure()
param newGrantKeys string = ''

var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = {
  'azd-env-name': environmentName
}
// Each app has a storage account, and in it a container for its package.
var packageContainer = 'packages'
var snippetContainer = 'snippets'

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: empty(resourceGroupName) ? 'rg-${environmentName}' : resourceGroupName
  location: location
  tags: tags
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    location: location
    tags: tags
    logAnalyticsName: empty(logAnalyticsName) ? 'log-${token}' : logAnalyticsName
    applicationInsightsName: empty(applicationInsightsName) ? 'appi-${token}' : applicationInsightsName
    disableLocalAuth: disableLocalAuth
    dailyGigabytes: dailyTelemetryGigabytes
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: {
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    applicationInsightsId: monitoring.outputs.applicationInsightsId
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    workspaceId: monitoring.outputs.workspaceId
    email: alertEmail
    failurePercent: alertFailurePercent
    signInFailurePercent: alertSignInFailurePercent
    latencyMilliseconds: alertLatencyMilliseconds
    storageFailures: alertStorageFailures
  }
}

module oauthIdentity 'modules/identity.bicep' = {
  name: 'oauth-identity'
  scope: group
  params: {
    name: empty(oauthUserAssignedIdentityName) ? 'id-oauth-${token}' : oauthUserAssignedIdentityName
    location: location
    tags: tags
  }
}

module mcpIdentity 'modules/identity.bicep' = {
  name: 'mcp-identity'
  scope: group
  params: {
    name: empty(apiUserAssignedIdentityName) ? 'id-mcp-${token}' : apiUserAssignedIdentityName
    location: location
    tags: tags
  }
}

module oauthStorage 'modules/storage-account.bicep' = {
  name: 'oauth-storage'
  scope: group
  params: {
    name: empty(oauthStorageAccountName) ? 'stoauth${token}' : oauthStorageAccountName
    location: location
    tags: tags
    containers: [packageContainer]
    isPrivate: vnetEnabled
  }
}

module mcpStorage 'modules/storage-account.bicep' = {
  name: 'mcp-storage'
  scope: group
  params: {
    name: empty(storageAccountName) ? 'stmcp${token}' : storageAccountName
    location: location
    tags: tags
    containers: [packageContainer, snippetContainer]
    isPrivate: vnetEnabled
  }
}

module keyVault 'modules/key-vault.bicep' = {
  name: 'key-vault'
  scope: group
  params: {
    name: empty(keyVaultName) ? 'kv-${token}' : keyVaultName
    location: location
    tags: tags
    isPrivate: vnetEnabled
    recover: keyVaultRecover
  }
}

module keyRings 'modules/key-rings.bicep' = {
  name: 'key-rings'
  scope: group
  params: {
    keyVaultName: keyVault.outputs.name
    newSessionKeys: newSessionKeys
    newGrantKeys: newGrantKeys
  }
}

module network 'modules/network.bicep' = if (vnetEnabled) {
  name: 'network'
  scope: group
  params: {
    name: empty(vNetName) ? 'vnet-${token}' : vNetName
    location: location
    tags: tags
  }
}

module privateAccess 'modules/private-access.bicep' = if (vnetEnabled) {
  name: 'private-access'
  scope: group
  params: {
    location: location
    tags: tags
    networkId: network!.outputs.id
    subnetId: network!.outputs.endpointsSubnetId
    oauthStorageId: oauthStorage.outputs.id
    mcpStorageId: mcpStorage.outputs.id
    keyVaultId: keyVault.outputs.id
  }
}

module gateway 'modules/gateway.bicep' = {
  name: 'gateway'
  scope: group
  params: {
    name: empty(apiManagementName) ? 'apim-${token}' : apiManagementName
    location: location
    tags: tags
    sku: apimSku
    units: apimUnits
    publisherName: apimPublisherName
    publisherEmail: apimPublisherEmail
  }
}

var origin = empty(publicBaseUrl) ? gateway.outputs.gatewayUrl : publicBaseUrl

module entraApplication 'modules/entra-application.bicep' = if (empty(entraAppClientId)) {
  name: 'entra-application'
  scope: group
  params: {
    uniqueName: empty(mcpEntraApplicationUniqueName) ? 'mcp-oauth-${token}' : mcpEntraApplicationUniqueName
    displayName: empty(mcpEntraApplicationDisplayName) ? 'MCP server ${environmentName}' : mcpEntraApplicationDisplayName
    publicBaseUrl: origin
    identityPrincipalId: oauthIdentity.outputs.principalId
    assertionAudience: assertionAudience
    serviceManagementReference: serviceManagementReference
  }
}

module access 'modules/access.bicep' = {
  name: 'access'
  scope: group
  params: {
    oauthPrincipalId: oauthIdentity.outputs.principalId
    mcpPrincipalId: mcpIdentity.outputs.principalId
    gatewayPrincipalId: gateway.outputs.principalId
    administratorPrincipalId: administratorPrincipalId
    oauthStorageName: oauthStorage.outputs.name
    mcpStorageName: mcpStorage.outputs.name
    keyVaultName: keyVault.outputs.name
    applicationInsightsName: monitoring.outputs.applicationInsightsName
  }
  dependsOn: [
    keyRings
  ]
}

// An app finds its roles and its private endpoints when it starts for the first time.
module oauthFn 'modules/oauth-fn.bicep' = {
  name: 'oauth-fn'
  scope: group
  params: {
    name: empty(oauthServiceName) ? 'func-oauth-${token}' : oauthServiceName
    planName: empty(oauthAppServicePlanName) ? 'plan-oauth-${token}' : oauthAppServicePlanName
    location: location
    tags: tags
    identityId: oauthIdentity.outputs.id
    identityClientId: oauthIdentity.outputs.clientId
    storageName: oauthStorage.outputs.name
    blobEndpoint: oauthStorage.outputs.blobEndpoint
    tableEndpoint: oauthStorage.outputs.tableEndpoint
    packageContainer: packageContainer
    keyVaultUri: keyVault.outputs.uri
    applicationInsightsConnectionString: monitoring.outputs.connectionString
    traceRatio: traceRatio
    subnetId: vnetEnabled ? network!.outputs.oauthSubnetId : ''
    maximumInstanceCount: maximumInstanceCount
    requestsPerInstance: oauthRequestsPerInstance
    publicBaseUrl: origin
    entraClientId: empty(entraAppClientId) ? entraApplication!.outputs.clientId : entraAppClientId
    assertionAudience: assertionAudience
    furtherSettings: oauthSettings
  }
  dependsOn: [
    access
    privateAccess
  ]
}

module mcpFn 'modules/mcp-fn.bicep' = {
  name: 'mcp-fn'
  scope: group
  params: {
    name: empty(apiServiceName) ? 'func-mcp-${token}' : apiServiceName
    planName: empty(appServicePlanName) ? 'plan-mcp-${token}' : appServicePlanName
    location: location
    tags: tags
    identityId: mcpIdentity.outputs.id
    identityClientId: mcpIdentity.outputs.clientId
    storageName: mcpStorage.outputs.name
    blobEndpoint: mcpStorage.outputs.blobEndpoint
    tableEndpoint: mcpStorage.outputs.tableEndpoint
    sessionTablesEndpoint: oauthStorage.outputs.tableEndpoint
    packageContainer: packageContainer
    keyVaultUri: keyVault.outputs.uri
    applicationInsightsConnectionString: monitoring.outputs.connectionString
    traceRatio: traceRatio
    subnetId: vnetEnabled ? network!.outputs.mcpSubnetId : ''
    maximumInstanceCount: maximumInstanceCount
    requestsPerInstance: mcpRequestsPerInstance
    publicBaseUrl: origin
    legacySse: legacySse
    furtherSettings: mcpSettings
  }
  dependsOn: [
    access
    privateAccess
  ]
}

module gatewayTelemetry 'modules/gateway-telemetry.bicep' = {
  name: 'gateway-telemetry'
  scope: group
  params: {
    gatewayName: gateway.outputs.name
    applicationInsightsConnectionString: monitoring.outputs.connectionString
    samplingPercentage: apimSamplingPercentage
  }
  dependsOn: [
    access
  ]
}

module gatewayApis 'modules/gateway-apis.bicep' = {
  name: 'gateway-apis'
  scope: group
  params: {
    gatewayName: gateway.outputs.name
    oauthAppName: oauthFn.outputs.name
    oauthHostName: oauthFn.outputs.hostName
    mcpAppName: mcpFn.outputs.name
    mcpHostName: mcpFn.outputs.hostName
  }
}

@description('Where telemetry goes.')
output APPLICATIONINSIGHTS_CONNECTION_STRING string = monitoring.outputs.connectionString

@description('The vault of the key rings, for cargo run -- rotate-keys.')
output AZURE_KEY_VAULT_ENDPOINT string = keyVault.outputs.uri

@description('Name of that vault. The hook makes no keys where it is known.')
output AZURE_KEY_VAULT_NAME string = keyVault.outputs.name

@description('Region of the system.')
output AZURE_LOCATION string = location

@description('Resource group of the system.')
output AZURE_RESOURCE_GROUP string = group.name

@description('The tenant that was deployed to.')
output AZURE_TENANT_ID string = tenant().tenantId

@description('Address of Streamable HTTP, for MCP clients.')
output MCP_URL string = '${origin}/mcp'

@description('Address of HTTP+SSE, for older MCP clients; empty where it is off.')
output MCP_SSE_URL string = legacySse == 'on' ? '${origin}/mcp/sse' : ''

@description('Object id of the identity of oauth-fn, which an application in Entra ID must trust.')
output OAUTH_IDENTITY_PRINCIPAL_ID string = oauthIdentity.outputs.principalId

@description('The public origin of the system.')
output PUBLIC_BASE_URL string = origin

@description('Table Storage of the sessions, for cargo run -- sessions.')
output SESSION_TABLES_ENDPOINT string = oauthStorage.outputs.tableEndpoint

@description('Name of the app oauth-fn.')
output SERVICE_OAUTH_NAME string = oauthFn.outputs.name

@description('Name of the app mcp-fn.')
output SERVICE_MCP_NAME string = mcpFn.outputs.name

@description('What azd shows as the addresses of oauth-fn.')
output SERVICE_OAUTH_ENDPOINTS array = ['${origin}/']

@description('What azd shows as the addresses of mcp-fn.')
output SERVICE_MCP_ENDPOINTS array = legacySse == 'on' ? ['${origin}/mcp', '${origin}/mcp/sse'] : ['${origin}/mcp']
