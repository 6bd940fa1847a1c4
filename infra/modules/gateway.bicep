metadata description = 'The API Management service, without its APIs: the apps must know its address before they start.'

@description('Name of the service.')
param name string

@description('Region of the service.')
param location string

@description('Tags of the service.')
param tags object

@description('Tier of the service.')
param sku string

@description('How many units of that tier.')
param units int

@description('Name of the organisation, shown by the service.')
param publisherName string

@description('Where the service sends its notices.')
param publisherEmail string

resource service 'Microsoft.ApiManagement/service@2024-05-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: sku
    capacity: units
  }
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    publisherName: publisherName
    publisherEmail: publisherEmail
    apiVersionConstraint: {
      minApiVersion: '2021-08-01'
    }
  }
}

@description('Name of the service.')
output name string = service.name

@description('The address that clients call, without a final slash.')
output gatewayUrl string = service.properties.gatewayUrl

@description('Object id of the identity of the service.')
output principalId string = service.identity.principalId
