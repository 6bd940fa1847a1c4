//! That workbook and alerts ask for what is told: each query is used, stands in a file of its own, and
//! names metrics, attributes, events and apps that there are. `tests/infra/run` reads their language.

use std::collections::BTreeSet;

use oauth_fn::audit::EVENTS;
use shared::telemetry::metrics::{Documented, METRICS};

use crate::bicep::{Bicep, Value};
use crate::repository::Repository;

const FOLDER: &str = "infra/monitor/queries/";
const WORKBOOK: &str = "infra/modules/workbook.bicep";
const ALERTS: &str = "infra/modules/alerts.bicep";
const GUIDE: &str = "docs/observe.md";

/// The names that the apps give themselves in telemetry.
const APPS: [&str; 2] = ["mcp-fn", "oauth-fn"];

/// Values of attributes that queries look for.
const VALUES: [&str; 7] =
    ["cache", "declined", "exists", "lost", "no_table", "storage", "tool_error"];

/// What stands in every line of the log beside the fields of an event, and what two of them say.
const OF_LINES: [&str; 8] =
    ["audit", "correlation_id", "level", "message", "outcome", "target", "timestamp", "trace_id"];
const IN_LINES: [&str; 3] = ["ERROR", "WARN", "audit"];

/// Names and values that are Azure's: of what API Management writes, and of the workspace's own log.
const OF_AZURE: [&str; 5] =
    ["API Management", "Ingestion", "Operation Name", "OverQuota", "Service Type"];

pub(crate) fn complaints(repository: &Repository) -> Vec<String> {
    let mut complaints = usage(repository);
    for (path, text) in repository.ending_with(".kql") {
        let query = Query::new(text);
        let says = query.unexplained().chain(query.attributes()).chain(query.words(repository));
        complaints.extend(says.chain(query.fields()).map(|says| format!("{path}: {says}")));
    }
    complaints.extend(inline(repository));
    complaints.extend(views(repository));
    complaints.extend(alerts(repository));
    complaints
}

/// Who loads what. All that an alert asks is on the page too, where one sees why it was raised.
fn usage(repository: &Repository) -> Vec<String> {
    let loads = |path: &str| -> BTreeSet<String> {
        let loads = Bicep::read(repository, path).loads;
        loads
            .iter()
            .filter_map(|load| load.strip_prefix("../monitor/queries/"))
            .map(path_of)
            .collect()
    };
    let (shown, asked) = (loads(WORKBOOK), loads(ALERTS));
    let unseen =
        asked.difference(&shown).map(|path| format!("{path}: {WORKBOOK} does not show it"));
    let queries = repository.ending_with(".kql").map(|(path, _)| path);
    let idle = queries.filter(|path| !shown.contains(*path) && !asked.contains(*path));
    idle.map(|path| format!("{path}: nothing asks it")).chain(unseen).collect()
}

fn path_of(name: &str) -> String {
    format!("{FOLDER}{name}")
}

/// A query as far as texts go.
struct Query<'a> {
    text: &'a str,
    /// The texts in quotes, each with what stands before it on its line.
    quoted: Vec<(&'a str, &'a str)>,
}

impl<'a> Query<'a> {
    fn new(text: &'a str) -> Self {
        let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let quoted = lines.flat_map(|line| {
            let pieces: Vec<&str> = line.split('"').collect();
            let pairs = pieces.chunks_exact(2).map(|pair| (pair[0], pair[1]));
            pairs.collect::<Vec<_>>()
        });
        Self { text, quoted: quoted.collect() }
    }

    fn unexplained(&self) -> impl Iterator<Item = String> {
        let explained = self.text.starts_with("// ");
        (!explained).then(|| "the first line must say what it shows".to_owned()).into_iter()
    }

    fn metrics(&self) -> Vec<&'static Documented> {
        let named = |metric: &&Documented| self.quoted.iter().any(|(_, text)| *text == metric.0);
        METRICS.iter().filter(named).collect()
    }

    /// The texts that stand right behind `before`.
    fn behind(&self, before: &'static str) -> impl Iterator<Item = &'a str> {
        let texts = self.quoted.iter().filter(move |(start, _)| start.ends_with(before));
        texts.map(|(_, text)| *text)
    }

    /// Attributes that no metric of the query has.
    fn attributes(&self) -> impl Iterator<Item = String> {
        let metrics = self.metrics();
        let unknown = self.behind("Properties[").filter(move |key| {
            let told = metrics.iter().any(|(_, _, attributes)| attributes.contains(key));
            !told && !OF_AZURE.contains(key)
        });
        unknown.map(|key| format!("no metric of this query has the attribute {key}"))
    }

    /// Fields of lines of the log that no line has.
    fn fields(&self) -> impl Iterator<Item = String> {
        let unknown = self.behind("Line[").filter(|field| {
            !OF_LINES.contains(field) && !EVENTS.iter().any(|(_, _, fields)| fields.contains(field))
        });
        unknown.map(|field| format!("no line of the log has the field {field}"))
    }

    /// Other texts that nobody writes.
    fn words(&self, repository: &Repository) -> impl Iterator<Item = String> {
        let routes = ["infra/apim/mcp.openapi.json", "infra/apim/oauth.openapi.json"]
            .map(|path| repository.json(path)["paths"].clone());
        let names = ["Properties[", "Line["];
        let texts = self
            .quoted
            .iter()
            .filter(move |(before, _)| !names.iter().any(|name| before.ends_with(name)));
        let unknown = texts.filter(move |(_, text)| {
            let metric = METRICS.iter().any(|(name, _, _)| name == text);
            let event = EVENTS.iter().any(|(name, _, _)| name == text);
            let route = routes.iter().any(|paths| paths.get(text).is_some());
            let ours = APPS.contains(text) || VALUES.contains(text) || IN_LINES.contains(text);
            !(metric || event || route || ours || OF_AZURE.contains(text))
        });
        unknown.map(|(_, text)| format!("nobody writes {text}"))
    }
}

/// Queries that stand in Bicep, where nobody looks at them.
fn inline(repository: &Repository) -> Vec<String> {
    let tables = ["AppMetrics", "AppRequests", "AppTraces", "_LogOperation"];
    let files = repository.ending_with(".bicep");
    let inline = files.filter(|(_, text)| tables.iter().any(|table| text.contains(table)));
    inline.map(|(path, _)| format!("{path}: a query must be a file in {FOLDER}")).collect()
}

fn list(file: &Bicep, name: &str) -> Vec<Value> {
    match file.variable(name) {
        Some(Value::List(items)) => items.clone(),
        _ => Vec::new(),
    }
}

fn written(item: &Value, name: &str) -> String {
    item.at(&[name]).map(Value::written).unwrap_or_default()
}

/// The query that `item` loads.
fn query_of<'a>(repository: &'a Repository, item: &Value) -> &'a str {
    let load = written(item, "query");
    let name = load.split('\'').nth(1).and_then(|path| path.rsplit('/').next());
    name.and_then(|name| repository.find(&path_of(name))).unwrap_or_default()
}

/// What the workbook shows: a chart over time needs a time.
fn views(repository: &Repository) -> Vec<String> {
    let views = list(&Bicep::read(repository, WORKBOOK), "views");
    let wrong = views.iter().filter(|view| {
        let has_time = query_of(repository, view).contains("TimeGenerated");
        match written(view, "shape").as_str() {
            "timechart" => !has_time,
            "barchart" => has_time,
            shape => shape != "table",
        }
    });
    let wrong =
        wrong.map(|view| format!("{WORKBOOK}: {} has no such shape", written(view, "title")));
    let none = views.is_empty().then(|| format!("{WORKBOOK}: there is nothing to see"));
    wrong.chain(none).collect()
}

/// Rules that measure what their query does not answer, or that leave whom they wake alone.
fn alerts(repository: &Repository) -> Vec<String> {
    let rules = list(&Bicep::read(repository, ALERTS), "rules");
    let mut complaints = Vec::new();
    for rule in &rules {
        let (name, column) = (written(rule, "name"), written(rule, "column"));
        if !query_of(repository, rule).contains(&format!("{column} = ")) {
            complaints.push(format!("{ALERTS}: the query of {name} has no column {column}"));
        }
        let heading = format!("\n### {}\n", written(rule, "title"));
        if !repository.text(GUIDE).contains(&heading) {
            complaints.push(format!("{GUIDE}: nothing says what to do about {name}"));
        }
    }
    if rules.is_empty() {
        complaints.push(format!("{ALERTS}: there are no rules"));
    }
    complaints
}
