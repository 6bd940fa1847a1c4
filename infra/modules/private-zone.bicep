metadata description = 'A private DNS zone, in which a network finds private endpoints.'

@description('Name of the zone, such as privatelink.blob.core.windows.net.')
param name string

@description('Tags of the zone.')
param tags object

@description('The network that looks names up in the zone.')
param networkId string

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: name
  location: 'global'
  tags: tags
}

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = {
  parent: zone
  name: 'network'
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: networkId
    }
  }
}

@description('Resource id of the zone.')
output id string = zone.id
