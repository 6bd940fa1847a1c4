//! That the files of the Functions host make it hand every request on as it is.

use serde_json::{Value, json};

use crate::repository::Repository;

pub(crate) fn complaints(repository: &Repository) -> Vec<String> {
    let mut complaints = Vec::new();
    let host = repository.json("host.json");
    for (pointer, must) in [
        ("/version", json!("2.0")),
        ("/extensions/http/routePrefix", json!("")),
        ("/customHandler/description/defaultExecutablePath", json!("handler")),
        // Without it the answer is buffered, and no event ever comes.
        ("/customHandler/enableProxyingHttpRequest", json!(true)),
        // What the apps print comes under this category, and all of it is kept.
        ("/logging/logLevel/Host.Function.Console", json!("Information")),
        ("/logging/applicationInsights/samplingSettings/excludedTypes", json!("Exception;Trace")),
        // The rest is what the apps tell themselves; failures alone are the host's to tell.
        ("/logging/logLevel/default", json!("Warning")),
        ("/logging/logLevel/Function", json!("Warning")),
        ("/logging/logLevel/Host.Aggregator", json!("Warning")),
        ("/logging/logLevel/Host.Results", json!("Error")),
    ] {
        if host.pointer(pointer) != Some(&must) {
            complaints.push(format!("host.json: {pointer} must be {must}"));
        }
    }
    if host.get("extensionBundle").is_some() {
        complaints.push("host.json: HTTP needs no extensionBundle".to_owned());
    }
    let function = repository.json("http/function.json");
    complaints.extend(bindings(&function).map(|fault| format!("http/function.json: {fault}")));
    complaints
}

/// With other bindings than these two the host wraps requests in JSON of its own.
fn bindings(function: &Value) -> impl Iterator<Item = String> {
    let bindings = function["bindings"].as_array().cloned().unwrap_or_default();
    let kinds: Vec<(&Value, &Value)> =
        bindings.iter().map(|binding| (&binding["type"], &binding["direction"])).collect();
    let pair = kinds == [(&json!("httpTrigger"), &json!("in")), (&json!("http"), &json!("out"))];
    let trigger = bindings.first().cloned().unwrap_or_default();
    let rules = [
        (pair, "the bindings must be httpTrigger in and http out"),
        (trigger["route"] == "{*path}", "the route must be {*path}"),
        (trigger["authLevel"] == "function", "the gateway must need a key"),
        (trigger["methods"].is_null(), "the app decides which methods there are"),
    ];
    rules.into_iter().filter(|(kept, _)| !kept).map(|(_, says)| says.to_owned())
}
