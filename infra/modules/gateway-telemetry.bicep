metadata description = 'What API Management tells of requests: no body, no header, no query parameter of ours.'

@description('The API Management service.')
param gatewayName string

@description('Where telemetry goes.')
param applicationInsightsConnectionString string

@description('Percentage of requests that are told of; errors always are.')
param samplingPercentage int

// A code, a state or a sealed request in a log is worth as much as in the browser.
var maskedParameters = [
  'client_id'
  'code'
  'code_challenge'
  'code_challenge_method'
  'error'
  'error_description'
  'login_hint'
  'prompt'
  'redirect_uri'
  'request'
  'resource'
  'response_type'
  'scope'
  'sessionId'
  'session_state'
  'state'
]
var masks = [
  for name in maskedParameters: {
    value: name
    mode: 'Hide'
  }
]

var request = {
  headers: []
  body: {
    bytes: 0
  }
  dataMasking: {
    queryParams: masks
  }
}
var response = {
  headers: []
  body: {
    bytes: 0
  }
}

resource gateway 'Microsoft.ApiManagement/service@2024-05-01' existing = {
  name: gatewayName
}

resource logger 'Microsoft.ApiManagement/service/loggers@2024-05-01' = {
  parent: gateway
  name: 'application-insights'
  properties: {
    loggerType: 'applicationInsights'
    credentials: {
      connectionString: applicationInsightsConnectionString
      identityClientId: 'SystemAssigned'
    }
  }
}

resource diagnostics 'Microsoft.ApiManagement/service/diagnostics@2024-05-01' = {
  parent: gateway
  name: 'applicationinsights'
  properties: {
    loggerId: logger.id
    alwaysLog: 'allErrors'
    httpCorrelationProtocol: 'W3C'
    logClientIp: false
    verbosity: 'information'
    sampling: {
      samplingType: 'fixed'
      percentage: samplingPercentage
    }
    frontend: {
      request: request
      response: response
    }
    backend: {
      request: request
      response: response
    }
  }
}
