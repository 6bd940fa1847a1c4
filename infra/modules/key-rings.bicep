metadata description = 'The key rings as secrets of the vault. A ring is made once: no deployment replaces it.'

@description('The vault.')
param keyVaultName string

@description('The first ring of keys that both apps have; empty where the vault has one.')
@secure()
param newSessionKeys string

@description('The first ring of keys that oauth-fn alone has; empty where the vault has one.')
@secure()
param newGrantKeys string

resource vault 'Microsoft.KeyVault/vaults@2024-11-01' existing = {
  name: keyVaultName
}

// Two guards, as new keys end every session: the hook brings none where a vault is known, and Azure
// leaves a secret alone that is there.
@onlyIfNotExists()
resource sessionKeys 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = if (!empty(newSessionKeys)) {
  parent: vault
  name: 'session-keys'
  properties: {
    contentType: 'SESSION_KEYS'
    value: newSessionKeys
  }
}

@onlyIfNotExists()
resource grantKeys 'Microsoft.KeyVault/vaults/secrets@2024-11-01' = if (!empty(newGrantKeys)) {
  parent: vault
  name: 'grant-keys'
  properties: {
    contentType: 'GRANT_KEYS'
    value: newGrantKeys
  }
}
