metadata description = 'What there is to see, on one page of Azure Monitor: a list of titles and queries.'

@description('Region of the workbook.')
param location string

@description('Tags of the workbook.')
param tags object

@description('The Log Analytics workspace that the queries ask.')
param workspaceId string

@description('The Application Insights component, among whose workbooks this one is listed.')
param applicationInsightsId string

var views = [
  {
    title: 'Sign-ins, step by step'
    shape: 'barchart'
    query: loadTextContent('../monitor/queries/sign-in-funnel.kql')
  }
  {
    title: 'Sign-ins that failed'
    shape: 'table'
    query: loadTextContent('../monitor/queries/sign-in-failures.kql')
  }
  {
    title: 'Percentage of sign-ins that failed (alert)'
    shape: 'table'
    query: loadTextContent('../monitor/queries/sign-in-failure-ratio.kql')
  }
  {
    title: 'Tokens'
    shape: 'timechart'
    query: loadTextContent('../monitor/queries/tokens.kql')
  }
  {
    title: 'Codes and tokens that came twice (alert)'
    shape: 'table'
    query: loadTextContent('../monitor/queries/token-theft.kql')
  }
  {
    title: 'Limits that addresses met'
    shape: 'table'
    query: loadTextContent('../monitor/queries/limits.kql')
  }
  {
    title: 'Tools'
    shape: 'table'
    query: loadTextContent('../monitor/queries/tools.kql')
  }
  {
    title: 'Methods of MCP'
    shape: 'table'
    query: loadTextContent('../monitor/queries/methods.kql')
  }
  {
    title: 'Latency by operation, in milliseconds'
    shape: 'table'
    query: loadTextContent('../monitor/queries/latency-by-operation.kql')
  }
  {
    title: '95th percentile of all answers, in milliseconds (alert)'
    shape: 'table'
    query: loadTextContent('../monitor/queries/slow-answers.kql')
  }
  {
    title: 'Slowest traces of the sample'
    shape: 'table'
    query: loadTextContent('../monitor/queries/slowest-traces.kql')
  }
  {
    title: 'Routes, and their errors'
    shape: 'table'
    query: loadTextContent('../monitor/queries/requests-by-route.kql')
  }
  {
    title: 'Percentage of requests that failed (alert)'
    shape: 'table'
    query: loadTextContent('../monitor/queries/failure-rate.kql')
  }
  {
    title: 'Calls to storage that failed (alert)'
    shape: 'table'
    query: loadTextContent('../monitor/queries/storage-failures.kql')
  }
  {
    title: 'Calls to Entra ID and to the websites of clients'
    shape: 'table'
    query: loadTextContent('../monitor/queries/calls-to-others.kql')
  }
  {
    title: 'Warnings and errors'
    shape: 'table'
    query: loadTextContent('../monitor/queries/log-problems.kql')
  }
  {
    title: 'Streams that are open'
    shape: 'timechart'
    query: loadTextContent('../monitor/queries/streams.kql')
  }
  {
    title: 'Delay of the relay, in milliseconds'
    shape: 'timechart'
    query: loadTextContent('../monitor/queries/relay-delay.kql')
  }
  {
    title: 'Percentage of sessions that the cache knew'
    shape: 'timechart'
    query: loadTextContent('../monitor/queries/session-cache.kql')
  }
  {
    title: 'Sessions that were refused'
    shape: 'table'
    query: loadTextContent('../monitor/queries/refused-sessions.kql')
  }
  {
    title: 'Cost: executions'
    shape: 'timechart'
    query: loadTextContent('../monitor/queries/executions.kql')
  }
  {
    title: 'Cost: hours of instances'
    shape: 'table'
    query: loadTextContent('../monitor/queries/instance-hours.kql')
  }
  {
    title: 'Cost: hours of streams'
    shape: 'table'
    query: loadTextContent('../monitor/queries/stream-hours.kql')
  }
  {
    title: 'Cost: calls to storage'
    shape: 'table'
    query: loadTextContent('../monitor/queries/storage-calls.kql')
  }
  {
    title: 'Cost: telemetry by table, in megabytes'
    shape: 'barchart'
    query: loadTextContent('../monitor/queries/telemetry-volume.kql')
  }
  {
    title: 'Days on which telemetry stopped (alert)'
    shape: 'table'
    query: loadTextContent('../monitor/queries/daily-cap.kql')
  }
  {
    title: 'Audit'
    shape: 'table'
    query: loadTextContent('../monitor/queries/audit-log.kql')
  }
]

// The kinds of items have numbers: 9 asks for parameters, and the kind 4 of these for a time; 3 queries.
var timeRange = {
  type: 9
  name: 'time-range'
  content: {
    version: 'KqlParameterItem/1.0'
    style: 'pills'
    parameters: [
      {
        id: guid('TimeRange')
        version: 'KqlParameterItem/1.0'
        name: 'TimeRange'
        label: 'Time range'
        type: 4
        isRequired: true
        value: {
          durationMs: 86400000
        }
        typeSettings: {
          allowCustom: true
          selectableValues: [
            {
              durationMs: 3600000
            }
            {
              durationMs: 86400000
            }
            {
              durationMs: 604800000
            }
            {
              durationMs: 2592000000
            }
          ]
        }
      }
    ]
  }
}

// The time range is the only thing that the page adds to a query.
var queries = [
  for (view, index) in views: {
    type: 3
    name: 'query-${index}'
    content: {
      version: 'KqlItem/1.0'
      title: view.title
      query: view.query
      queryType: 0
      resourceType: 'microsoft.operationalinsights/workspaces'
      crossComponentResources: [workspaceId]
      timeContext: {
        durationMs: 86400000
      }
      timeContextFromParameter: 'TimeRange'
      visualization: view.shape
      size: 0
      noDataMessage: 'Nothing in this time, or too little to judge by.'
    }
  }
]

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(applicationInsightsId, 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Remote MCP server'
    category: 'workbook'
    sourceId: applicationInsightsId
    version: 'Notebook/1.0'
    serializedData: string({
      version: 'Notebook/1.0'
      items: concat([timeRange], queries)
    })
  }
}
