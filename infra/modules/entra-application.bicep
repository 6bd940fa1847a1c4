extension microsoftGraphV1

metadata description = 'The application that users sign in to. It has no secret: it trusts the identity of oauth-fn.'

@description('Name that the application keeps for good; a second deployment finds it by that.')
param uniqueName string

@description('Name that users and administrators see.')
param displayName string

@description('The public origin of the system, without a final slash.')
param publicBaseUrl string

@description('Object id of the identity that proves the application to Entra ID.')
param identityPrincipalId string

@description('Whom that identity proves itself to; a national cloud has its own.')
param assertionAudience string

@description('Id of the service that answers for the application, where the tenant demands one.')
param serviceManagementReference string

// Microsoft Graph and its delegated permissions: those that UPSTREAM_SCOPES asks for.
var microsoftGraph = '00000003-0000-0000-c000-000000000000'
var permissions = {
  openid: '37f7f235-527c-4136-accd-4a02d197296e'
  profile: '14dad69e-099b-42c9-810b-d002981feec1'
  offlineAccess: '7427e0e9-2fba-42fe-b0c0-848c9e6a8182'
  userRead: 'e1fe6dd8-ba31-4d61-89e7-88639da4683d'
}

resource application 'Microsoft.Graph/applications@v1.0' = {
  uniqueName: uniqueName
  displayName: displayName
  signInAudience: 'AzureADMyOrg'
  serviceManagementReference: empty(serviceManagementReference) ? null : serviceManagementReference
  web: {
    homePageUrl: publicBaseUrl
    // Where sign-ins come back to, and where a browser goes after it has signed out.
    redirectUris: [
      '${publicBaseUrl}/oauth-callback'
      '${publicBaseUrl}/account'
    ]
    implicitGrantSettings: {
      enableAccessTokenIssuance: false
      enableIdTokenIssuance: false
    }
  }
  optionalClaims: {
    // Tells guests from members, which GUESTS=refused needs.
    idToken: [
      {
        name: 'acct'
        essential: false
      }
    ]
  }
  requiredResourceAccess: [
    {
      resourceAppId: microsoftGraph
      resourceAccess: [
        {
          id: permissions.openid
          type: 'Scope'
        }
        {
          id: permissions.profile
          type: 'Scope'
        }
        {
          id: permissions.offlineAccess
          type: 'Scope'
        }
        {
          id: permissions.userRead
          type: 'Scope'
        }
      ]
    }
  ]

  resource federation 'federatedIdentityCredentials@v1.0' = {
    name: '${application.uniqueName}/oauth-fn'
    description: 'The managed identity of oauth-fn'
    issuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
    subject: identityPrincipalId
    audiences: [
      assertionAudience
    ]
  }
}

resource servicePrincipal 'Microsoft.Graph/servicePrincipals@v1.0' = {
  appId: application.appId
}

@description('Client id of the application.')
output clientId string = application.appId
