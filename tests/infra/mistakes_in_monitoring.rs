//! Mistakes in what is logged, kept, shown and watched.

use crate::mistakes::Mistake;

pub(crate) const MISTAKES: [Mistake; 4] = [
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
