metadata description = 'Who may do what: every role in the system. Whoever is not named here may do nothing.'

@description('Object id of the identity of oauth-fn.')
param oauthPrincipalId string

@description('Object id of the identity of mcp-fn.')
param mcpPrincipalId string

@description('Object id of the identity of API Management.')
param gatewayPrincipalId string

@description('Object id of whoever ends sessions and rotates keys; empty for nobody.')
param administratorPrincipalId string

@description('Storage account of oauth-fn, with the sessions.')
param oauthStorageName string

@description('Storage account of mcp-fn, with the snippets.')
param mcpStorageName string

@description('The vault of the key rings.')
param keyVaultName string

@description('Where telemetry goes.')
param applicationInsightsName string

var roles = {
  keyVaultSecretsOfficer: 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
  keyVaultSecretsUser: '4633458b-17de-408a-b874-0445c86b69e6'
  monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb'
  storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
  storageTableDataContributor: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3'
  storageTableDataReader: '76199698-9eea-4c19-bc75-cec21354c6b6'
}

resource oauthStorage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: oauthStorageName
}

// The Functions host keeps the package and its keys in blobs, and asks to own them.
var onOauthStorage = [
  {
    principalId: oauthPrincipalId
    role: roles.storageBlobDataOwner
  }
  {
    principalId: oauthPrincipalId
    role: roles.storageTableDataContributor
  }
  {
    principalId: mcpPrincipalId
    role: roles.storageTableDataReader
  }
]

resource oauthStorageRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in onOauthStorage: {
    scope: oauthStorage
    name: guid(oauthStorage.id, grant.principalId, grant.role)
    properties: {
      principalId: grant.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
    }
  }
]

resource mcpStorage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: mcpStorageName
}

// Blobs for the host and for snippets; tables for the answers that go to another instance's stream.
var onMcpStorage = [
  {
    principalId: mcpPrincipalId
    role: roles.storageBlobDataOwner
  }
  {
    principalId: mcpPrincipalId
    role: roles.storageTableDataContributor
  }
]

resource mcpStorageRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for grant in onMcpStorage: {
    scope: mcpStorage
    name: guid(mcpStorage.id, grant.principalId, grant.role)
    properties: {
      principalId: grant.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', grant.role)
    }
  }
]

resource keyVault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: keyVaultName
}

resource sessionKeys 'Microsoft.KeyVault/vaults/secrets@2024-11-01' existing = {
  parent: keyVault
  name: 'session-keys'
}

resource grantKeys 'Microsoft.KeyVault/vaults/secrets@2024-11-01' existing = {
  parent: keyVault
  name: 'grant-keys'
}

resource sessionKeysRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principalId in [oauthPrincipalId, mcpPrincipalId]: {
    scope: sessionKeys
    name: guid(sessionKeys.id, principalId, roles.keyVaultSecretsUser)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
    }
  }
]

// mcp-fn is not among them: it opens no Entra refresh token.
resource grantKeysRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: grantKeys
  name: guid(grantKeys.id, oauthPrincipalId, roles.keyVaultSecretsUser)
  properties: {
    principalId: oauthPrincipalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)
  }
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: applicationInsightsName
}

resource telemetryRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for principalId in [oauthPrincipalId, mcpPrincipalId, gatewayPrincipalId]: {
    scope: applicationInsights
    name: guid(applicationInsights.id, principalId, roles.monitoringMetricsPublisher)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringMetricsPublisher)
    }
  }
]

// A person or a group: Azure finds out which.
resource administratorOfKeys 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(administratorPrincipalId)) {
  scope: keyVault
  name: guid(keyVault.id, administratorPrincipalId, roles.keyVaultSecretsOfficer)
  properties: {
    principalId: administratorPrincipalId
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsOfficer)
  }
}

resource administratorOfSessions 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(administratorPrincipalId)) {
  scope: oauthStorage
  name: guid(oauthStorage.id, administratorPrincipalId, roles.storageTableDataContributor)
  properties: {
    principalId: administratorPrincipalId
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.storageTableDataContributor)
  }
}
