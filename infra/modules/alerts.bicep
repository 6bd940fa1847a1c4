metadata description = 'What wakes somebody up: one rule for each query that has a threshold, and whom they write to.'

@description('Region of the rules.')
param location string

@description('Tags of the rules.')
param tags object

@description('The Log Analytics workspace that the rules ask.')
param workspaceId string

@description('Where the rules write to; empty for nowhere, and they show in the portal alone.')
param email string

@description('Percentage of answers with a 5xx status that is too much.')
param failurePercent int

@description('Percentage of failed sign-ins that is too much.')
param signInFailurePercent int

@description('Milliseconds within which 95 of 100 requests must be answered.')
param latencyMilliseconds int

@description('Failed calls to Azure Storage in half an hour that are too many.')
param storageFailures int

// A rule that looks every 15 minutes costs a third of one that looks every five. Telemetry comes some
// minutes late, so each looks back twice as far as it waits.
var often = {
  evaluationFrequency: 'PT5M'
  windowSize: 'PT10M'
}
var seldom = {
  evaluationFrequency: 'PT15M'
  windowSize: 'PT30M'
}

// Each query answers no row where there is too little to judge by, and then no rule fires.
var rules = [
  {
    name: 'server-errors'
    title: 'Requests fail'
    severity: 1
    query: loadTextContent('../monitor/queries/failure-rate.kql')
    column: 'Percent'
    aggregation: 'Maximum'
    threshold: failurePercent
    pace: seldom
  }
  {
    name: 'stolen-tokens'
    title: 'A code or a token was used twice'
    severity: 1
    query: loadTextContent('../monitor/queries/token-theft.kql')
    column: 'Events'
    aggregation: 'Total'
    threshold: 0
    pace: often
  }
  {
    name: 'failed-sign-ins'
    title: 'Sign-ins fail'
    severity: 2
    query: loadTextContent('../monitor/queries/sign-in-failure-ratio.kql')
    column: 'Percent'
    aggregation: 'Maximum'
    threshold: signInFailurePercent
    pace: seldom
  }
  {
    name: 'slow-answers'
    title: 'Answers are slow'
    severity: 2
    query: loadTextContent('../monitor/queries/slow-answers.kql')
    column: 'Milliseconds'
    aggregation: 'Maximum'
    threshold: latencyMilliseconds
    pace: seldom
  }
  {
    name: 'storage-failures'
    title: 'Storage fails'
    severity: 2
    query: loadTextContent('../monitor/queries/storage-failures.kql')
    column: 'Failures'
    aggregation: 'Total'
    threshold: storageFailures
    pace: seldom
  }
  {
    name: 'telemetry-stopped'
    title: 'Telemetry stopped for the day'
    severity: 1
    query: loadTextContent('../monitor/queries/daily-cap.kql')
    column: 'Times'
    aggregation: 'Total'
    threshold: 0
    pace: seldom
  }
]

resource receivers 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: 'alerts'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'mcp-alerts'
    emailReceivers: [
      {
        name: 'email'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: rule.name
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: rule.title
      description: 'What to do: docs/observe.md, "${rule.title}".'
      severity: rule.severity
      enabled: true
      scopes: [workspaceId]
      evaluationFrequency: rule.pace.evaluationFrequency
      windowSize: rule.pace.windowSize
      autoMitigate: true
      // A workspace that is new knows of no table before the first row.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: rule.query
            metricMeasureColumn: rule.column
            timeAggregation: rule.aggregation
            operator: 'GreaterThan'
            threshold: rule.threshold
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: empty(email) ? [] : [receivers.id]
      }
    }
  }
]
