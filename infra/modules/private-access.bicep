metadata description = 'Private endpoints for everything that the apps call: blobs and tables of both accounts, and the vault.'

@description('Region of the endpoints.')
param location string

@description('Tags of the endpoints and zones.')
param tags object

@description('The network that the apps call from.')
param networkId string

@description('Subnet that the endpoints get their addresses in.')
param subnetId string

@description('Storage account of oauth-fn.')
param oauthStorageId string

@description('Storage account of mcp-fn.')
param mcpStorageId string

@description('The vault of the key rings.')
param keyVaultId string

var storageSuffix = environment().suffixes.storage
// The public zone is vault.azure.net, the private one vaultcore.azure.net; each cloud has its pair.
var vaultZoneName = 'privatelink${replace(environment().suffixes.keyvaultDns, '.vault.', '.vaultcore.')}'

module blobZone 'private-zone.bicep' = {
  name: 'blob-zone'
  params: {
    name: 'privatelink.blob.${storageSuffix}'
    tags: tags
    networkId: networkId
  }
}

module tableZone 'private-zone.bicep' = {
  name: 'table-zone'
  params: {
    name: 'privatelink.table.${storageSuffix}'
    tags: tags
    networkId: networkId
  }
}

module vaultZone 'private-zone.bicep' = {
  name: 'vault-zone'
  params: {
    name: vaultZoneName
    tags: tags
    networkId: networkId
  }
}

module oauthBlobs 'private-endpoint.bicep' = {
  name: 'oauth-blobs'
  params: {
    name: 'pep-oauth-blob'
    location: location
    tags: tags
    subnetId: subnetId
    resourceId: oauthStorageId
    service: 'blob'
    zoneId: blobZone.outputs.id
  }
}

module oauthTables 'private-endpoint.bicep' = {
  name: 'oauth-tables'
  params: {
    name: 'pep-oauth-table'
    location: location
    tags: tags
    subnetId: subnetId
    resourceId: oauthStorageId
    service: 'table'
    zoneId: tableZone.outputs.id
  }
}

module mcpBlobs 'private-endpoint.bicep' = {
  name: 'mcp-blobs'
  params: {
    name: 'pep-mcp-blob'
    location: location
    tags: tags
    subnetId: subnetId
    resourceId: mcpStorageId
    service: 'blob'
    zoneId: blobZone.outputs.id
  }
}

module mcpTables 'private-endpoint.bicep' = {
  name: 'mcp-tables'
  params: {
    name: 'pep-mcp-table'
    location: location
    tags: tags
    subnetId: subnetId
    resourceId: mcpStorageId
    service: 'table'
    zoneId: tableZone.outputs.id
  }
}

module vault 'private-endpoint.bicep' = {
  name: 'key-vault'
  params: {
    name: 'pep-key-vault'
    location: location
    tags: tags
    subnetId: subnetId
    resourceId: keyVaultId
    service: 'vault'
    zoneId: vaultZone.outputs.id
  }
}
