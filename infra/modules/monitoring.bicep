metadata description = 'Where logs and traces go: a Log Analytics workspace, and Application Insights on it.'

@description('Region of both resources.')
param location string

@description('Tags of both resources.')
param tags object

@description('Name of the Log Analytics workspace.')
param logAnalyticsName string

@description('Name of the Application Insights component.')
param applicationInsightsName string

@description('Whether telemetry is taken from managed identities alone, and not from whoever knows the connection string.')
param disableLocalAuth bool

@description('Gigabytes of telemetry that are kept in a day, also parts of one; -1 for any number. Text, since Bicep has no number with a fraction.')
param dailyGigabytes string

resource logAnalytics 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: logAnalyticsName
  location: location
  tags: tags
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: 30
    workspaceCapping: {
      dailyQuotaGb: json(dailyGigabytes)
    }
    features: {
      disableLocalAuth: disableLocalAuth
    }
  }
}

resource applicationInsights 'Microsoft.Insights/components@2020-02-02' = {
  name: applicationInsightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: logAnalytics.id
    DisableLocalAuth: disableLocalAuth
  }
}

@description('Resource id of the Log Analytics workspace.')
output workspaceId string = logAnalytics.id

@description('Resource id of the Application Insights component.')
output applicationInsightsId string = applicationInsights.id

@description('Name of the Application Insights component.')
output applicationInsightsName string = applicationInsights.name

@description('Where telemetry is sent to. It is no secret while local authentication is off.')
output connectionString string = applicationInsights.properties.ConnectionString
