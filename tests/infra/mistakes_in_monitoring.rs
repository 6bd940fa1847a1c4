//! Mistakes in what is logged, kept, shown and watched.

use crate::mistakes::Mistake;

pub(crate) const MISTAKES: [Mistake; 21] = [
    // Queries.
    (
        "infra/monitor/queries/tools.kql",
        "mcp.server.operation.duration",
        "mcp.server.operations.duration",
        "nobody writes mcp.server.operations.duration",
    ),
    (
        "infra/monitor/queries/tools.kql",
        "gen_ai.tool.name",
        "mcp.tool.name",
        "no metric of this query has the attribute mcp.tool.name",
    ),
    (
        "infra/monitor/queries/requests-by-route.kql",
        "\"http.route\"",
        "\"server.address\"",
        "no metric of this query has the attribute server.address",
    ),
    (
        "infra/monitor/queries/token-theft.kql",
        "code_replayed",
        "code_replay",
        "nobody writes code_replay",
    ),
    ("infra/monitor/queries/slowest-traces.kql", "\"mcp-fn\"", "\"mcp\"", "nobody writes mcp"),
    (
        "infra/monitor/queries/slow-answers.kql",
        "\"/mcp/sse\"",
        "\"/sse\"",
        "slow-answers.kql: nobody writes /sse",
    ),
    (
        "infra/monitor/queries/slow-answers.kql",
        "Service Type",
        "Service type",
        "no metric of this query has the attribute Service type",
    ),
    ("infra/monitor/queries/session-cache.kql", "\"cache\"", "\"cached\"", "nobody writes cached"),
    (
        "infra/monitor/queries/audit-log.kql",
        "Line[\"outcome\"]",
        "Line[\"result\"]",
        "no line of the log has the field result",
    ),
    (
        "infra/monitor/queries/streams.kql",
        "// Streams",
        "//Streams",
        "the first line must say what it shows",
    ),
    // The workbook.
    (
        "infra/modules/workbook.bicep",
        "loadTextContent('../monitor/queries/limits.kql')",
        "loadTextContent('../monitor/queries/tokens.kql')",
        "limits.kql: nothing asks it",
    ),
    (
        "infra/modules/workbook.bicep",
        "loadTextContent('../monitor/queries/token-theft.kql')",
        "loadTextContent('../monitor/queries/tokens.kql')",
        "infra/modules/workbook.bicep does not show it",
    ),
    (
        "infra/modules/workbook.bicep",
        "loadTextContent('../monitor/queries/limits.kql')",
        "'AppTraces | take 10'",
        "a query must be a file",
    ),
    ("infra/modules/workbook.bicep", "'barchart'", "'timechart'", "has no such shape"),
    // Alerts.
    (
        "infra/modules/alerts.bicep",
        "queries/slow-answers.kql",
        "queries/slow-answer.kql",
        "../monitor/queries/slow-answer.kql is not there",
    ),
    (
        "infra/modules/alerts.bicep",
        "column: 'Events'",
        "column: 'Count'",
        "the query of stolen-tokens has no column Count",
    ),
    (
        "docs/observe.md",
        "### Storage fails\n",
        "### Storage\n",
        "nothing says what to do about storage-failures",
    ),
    // What is kept.
    (
        "host.json",
        "\"Host.Function.Console\": \"Information\"",
        "\"Host.Function.Console\": \"Warning\"",
        "/logging/logLevel/Host.Function.Console must be",
    ),
    (
        "host.json",
        "\"Host.Results\": \"Error\"",
        "\"Host.Results\": \"Information\"",
        "/logging/logLevel/Host.Results must be",
    ),
    (
        "infra/modules/monitoring.bicep",
        "dailyQuotaGb: json(dailyGigabytes)",
        "dailyQuotaGb: -1",
        "workspaceCapping.dailyQuotaGb must be",
    ),
    (
        "infra/modules/function-app.bicep",
        "union(hostSettings, settings)",
        "settings",
        "appSettings properties must be",
    ),
];
