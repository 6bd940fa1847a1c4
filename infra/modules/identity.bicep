metadata description = 'Who an app is: a user-assigned managed identity.'

@description('Name of the identity.')
param name string

@description('Region of the identity.')
param location string

@description('Tags of the identity.')
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Resource id, by which resources take it on.')
output id string = identity.id

@description('Client id, by which a process asks for its tokens.')
output clientId string = identity.properties.clientId

@description('Object id, by which roles are assigned to it.')
output principalId string = identity.properties.principalId
