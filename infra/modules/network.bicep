metadata description = 'A virtual network with a subnet for each app and one for private endpoints.'

@description('Name of the network.')
param name string

@description('Region of the network.')
param location string

@description('Tags of the network.')
param tags object

var delegations = [
  {
    name: 'flex-consumption'
    properties: {
      serviceName: 'Microsoft.App/environments'
    }
  }
]

resource network 'Microsoft.Network/virtualNetworks@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        '10.0.0.0/16'
      ]
    }
    subnets: [
      {
        name: 'private-endpoints'
        properties: {
          addressPrefix: '10.0.1.0/24'
          privateEndpointNetworkPolicies: 'Disabled'
          defaultOutboundAccess: false
        }
      }
      {
        name: 'oauth-fn'
        properties: {
          addressPrefix: '10.0.2.0/24'
          delegations: delegations
        }
      }
      {
        name: 'mcp-fn'
        properties: {
          addressPrefix: '10.0.3.0/24'
          delegations: delegations
        }
      }
    ]
  }
}

@description('Resource id of the network.')
output id string = network.id

@description('Subnet of the private endpoints.')
output endpointsSubnetId string = network.properties.subnets[0].id

@description('Subnet that oauth-fn calls from.')
output oauthSubnetId string = network.properties.subnets[1].id

@description('Subnet that mcp-fn calls from.')
output mcpSubnetId string = network.properties.subnets[2].id
