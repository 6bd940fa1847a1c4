metadata description = 'The three APIs: what the OpenAPI documents say, before the two apps.'

@description('The API Management service.')
param gatewayName string

@description('The app oauth-fn.')
param oauthAppName string

@description('Host name of oauth-fn.')
param oauthHostName string

@description('The app mcp-fn.')
param mcpAppName string

@description('Host name of mcp-fn.')
param mcpHostName string

// One API alone may begin at the root. The document of mcp-fn is therefore cut in two, and each part
// begins where its API does; the policies send the whole path on.
var oauthDocument = loadJsonContent('../apim/oauth.openapi.json')
var mcpDocument = loadJsonContent('../apim/mcp.openapi.json')
var mcpPaths = {
  '/': mcpDocument.paths['/mcp']
  '/sse': mcpDocument.paths['/mcp/sse']
  '/message': mcpDocument.paths['/mcp/message']
}
var metadataPaths = {
  '/': mcpDocument.paths['/.well-known/oauth-protected-resource']
  '/mcp': mcpDocument.paths['/.well-known/oauth-protected-resource/mcp']
  '/mcp/sse': mcpDocument.paths['/.well-known/oauth-protected-resource/mcp/sse']
}

resource gateway 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: gatewayName
}

resource oauthApp 'Microsoft.Web/sites@2025-03-01' existing = {
  name: oauthAppName
}

resource mcpApp 'Microsoft.Web/sites@2025-03-01' existing = {
  name: mcpAppName
}

// What opens the functions of each app. Not the key that administers it.
resource oauthKey 'Microsoft.ApiManagement/service/namedValues@2024-05-01' = {
  parent: gateway
  name: 'oauth-fn-key'
  properties: {
    displayName: 'oauth-fn-key'
    secret: true
    value: listKeys('${oauthApp.id}/host/default', '2025-03-01').functionKeys.default
  }
}

resource mcpKey 'Microsoft.ApiManagement/service/namedValues@2024-05-01' = {
  parent: gateway
  name: 'mcp-fn-key'
  properties: {
    displayName: 'mcp-fn-key'
    secret: true
    value: listKeys('${mcpApp.id}/host/default', '2025-03-01').functionKeys.default
  }
}

resource oauth 'Microsoft.ApiManagement/service/apis@2024-05-01' = {
  parent: gateway
  name: 'oauth'
  properties: {
    displayName: 'OAuth'
    path: ''
    protocols: ['https']
    serviceUrl: 'https://${oauthHostName}'
    subscriptionRequired: false
    format: 'openapi+json'
    value: string(oauthDocument)
    translateRequiredQueryParameters: 'query'
  }
}

resource mcp 'Microsoft.ApiManagement/service/apis@2024-05-01' = {
  parent: gateway
  name: 'mcp'
  properties: {
    displayName: 'MCP'
    path: 'mcp'
    protocols: ['https']
    serviceUrl: 'https://${mcpHostName}'
    subscriptionRequired: false
    format: 'openapi+json'
    value: string({
      openapi: mcpDocument.openapi
      info: mcpDocument.info
      paths: mcpPaths
      components: mcpDocument.components
    })
    translateRequiredQueryParameters: 'query'
  }
}

resource resourceMetadata 'Microsoft.ApiManagement/service/apis@2024-05-01' = {
  parent: gateway
  name: 'metadata'
  properties: {
    displayName: 'Protected resource metadata'
    path: '.well-known/oauth-protected-resource'
    protocols: ['https']
    serviceUrl: 'https://${mcpHostName}'
    subscriptionRequired: false
    format: 'openapi+json'
    value: string({
      openapi: mcpDocument.openapi
      info: mcpDocument.info
      paths: metadataPaths
      components: mcpDocument.components
    })
    translateRequiredQueryParameters: 'query'
  }
}

resource oauthPolicy 'Microsoft.ApiManagement/service/apis/policies@2024-05-01' = {
  parent: oauth
  name: 'policy'
  properties: {
    format: 'xml'
    value: loadTextContent('../apim/policies/oauth.xml')
  }
  dependsOn: [
    oauthKey
  ]
}

resource mcpPolicy 'Microsoft.ApiManagement/service/apis/policies@2024-05-01' = {
  parent: mcp
  name: 'policy'
  properties: {
    format: 'xml'
    value: loadTextContent('../apim/policies/mcp.xml')
  }
  dependsOn: [
    mcpKey
  ]
}

resource metadataPolicy 'Microsoft.ApiManagement/service/apis/policies@2024-05-01' = {
  parent: resourceMetadata
  name: 'policy'
  properties: {
    format: 'xml'
    value: loadTextContent('../apim/policies/metadata.xml')
  }
  dependsOn: [
    mcpKey
  ]
}

// What pages of other origins may call. The rest of oauth-fn is for browsers with their users.
var operationPolicies = [
  {
    operation: 'authorization-server-metadata'
    policy: loadTextContent('../apim/policies/documents.xml')
  }
  {
    operation: 'authorization-server-metadata-at-path'
    policy: loadTextContent('../apim/policies/documents.xml')
  }
  {
    operation: 'openid-configuration'
    policy: loadTextContent('../apim/policies/documents.xml')
  }
  {
    operation: 'register'
    policy: loadTextContent('../apim/policies/register.xml')
  }
  {
    operation: 'token'
    policy: loadTextContent('../apim/policies/back-channel.xml')
  }
  {
    operation: 'revoke'
    policy: loadTextContent('../apim/policies/back-channel.xml')
  }
]

resource operations 'Microsoft.ApiManagement/service/apis/operations@2024-05-01' existing = [
  for entry in operationPolicies: {
    parent: oauth
    name: entry.operation
  }
]

// One after the other: each changes the same API, and API Management refuses two changes at once.
@batchSize(1)
resource operationPolicy 'Microsoft.ApiManagement/service/apis/operations/policies@2024-05-01' = [
  for (entry, index) in operationPolicies: {
    parent: operations[index]
    name: 'policy'
    properties: {
      format: 'xml'
      value: entry.policy
    }
    dependsOn: [
      oauthPolicy
    ]
  }
]
