//! That the policies are strict XML with known elements, hand each app what it trusts, and leave
//! everything else to it.

use std::collections::BTreeSet;

use roxmltree::{Document, Node};

use crate::bicep::{Bicep, Value};
use crate::repository::Repository;
use crate::routes::{MCP, OAUTH, query_parameters};
use crate::xml::elements;

const FOLDER: &str = "infra/apim/policies/";

/// The elements that a policy may have, and the attributes of each. No OAuth is among them.
const ELEMENTS: [(&str, &[&str]); 18] = [
    ("allowed-headers", &[]),
    ("allowed-methods", &["preflight-result-max-age"]),
    ("allowed-origins", &[]),
    ("backend", &[]),
    ("base", &[]),
    ("cors", &["allow-credentials"]),
    ("expose-headers", &[]),
    ("forward-request", &["buffer-response", "follow-redirects", "timeout"]),
    ("header", &[]),
    ("inbound", &[]),
    ("method", &[]),
    ("on-error", &[]),
    ("origin", &[]),
    ("outbound", &[]),
    ("policies", &[]),
    ("rate-limit-by-key", &["calls", "counter-key", "renewal-period"]),
    ("rewrite-uri", &["template"]),
    ("set-header", &["exists-action", "name"]),
];

/// What a policy may compute.
const EXPRESSIONS: [&str; 3] = [
    "@(context.Request.IpAddress)",
    "@(context.Request.OriginalUrl.Path)",
    "@(string.Concat(\"NAME:\", context.Request.IpAddress))",
];

/// The policies of whole APIs, and the key that each sends.
const OF_APIS: [(&str, &str); 3] = [
    ("oauth.xml", "{{oauth-fn-key}}"),
    ("mcp.xml", "{{mcp-fn-key}}"),
    ("metadata.xml", "{{mcp-fn-key}}"),
];

/// The longest period that API Management counts over, in seconds.
const LONGEST_PERIOD: u32 = 300;

pub(crate) fn complaints(repository: &Repository) -> Vec<String> {
    let mut complaints = masked(repository);
    for (path, text) in repository.ending_with(".xml") {
        match Document::parse(text) {
            Ok(document) => complaints.extend(of_policy(path, &document)),
            Err(error) => complaints.push(format!("{path}: {error}")),
        }
    }
    complaints.extend(named_values(repository));
    complaints
}

fn of_policy(path: &str, document: &Document<'_>) -> Vec<String> {
    let nodes = document.root().descendants().filter(Node::is_element);
    let mut complaints: Vec<String> = nodes.flat_map(element).collect();
    complaints.extend(sections(document));
    let file = path.trim_start_matches(FOLDER);
    match OF_APIS.iter().find(|(api, _)| *api == file) {
        Some((_, key)) => complaints.extend(hands_over(document, key)),
        None => complaints.extend(stays_with_its_api(document)),
    }
    let unbuffered = elements(document, "forward-request")
        .any(|forward| forward.attribute("buffer-response") == Some("false"));
    if file == "mcp.xml" && !unbuffered {
        complaints.push("events must not wait: buffer-response=\"false\"".to_owned());
    }
    complaints.iter().map(|complaint| format!("{path}: {complaint}")).collect()
}

fn element(node: Node<'_, '_>) -> Vec<String> {
    let name = node.tag_name().name();
    // The only element with text of its own that is no list entry.
    let known = if name == "value" { Some(&[][..]) } else { attributes_of(name) };
    let Some(known) = known else {
        return vec![format!("<{name}> is not allowed")];
    };
    let mut complaints = Vec::new();
    for attribute in node.attributes() {
        if !known.contains(&attribute.name()) {
            complaints.push(format!("<{name}> may not have {}", attribute.name()));
        }
    }
    let texts = node.attributes().map(|attribute| attribute.value()).chain(node.text());
    for text in texts.filter(|text| text.contains('@')) {
        if !is_allowed(text) {
            complaints.push(format!("{text} is not allowed"));
        }
    }
    if name == "rate-limit-by-key" {
        let period = node.attribute("renewal-period").and_then(|period| period.parse::<u32>().ok());
        if period.is_none_or(|period| period > LONGEST_PERIOD) {
            complaints.push(format!("renewal-period is {LONGEST_PERIOD} at most"));
        }
    }
    complaints
}

fn attributes_of(name: &str) -> Option<&'static [&'static str]> {
    ELEMENTS.iter().find(|(element, _)| *element == name).map(|(_, attributes)| *attributes)
}

fn is_allowed(expression: &str) -> bool {
    EXPRESSIONS.iter().any(|allowed| match allowed.split_once("NAME") {
        None => *allowed == expression,
        Some((before, after)) => {
            let name = expression.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            let is_name =
                |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            name.is_some_and(is_name)
        }
    })
}

/// A policy has its four sections, and what belongs to a wider scope comes along.
fn sections(document: &Document<'_>) -> Vec<String> {
    let root = document.root_element();
    let names: Vec<&str> =
        root.children().filter(Node::is_element).map(|node| node.tag_name().name()).collect();
    let mut complaints = Vec::new();
    if names != ["inbound", "backend", "outbound", "on-error"] {
        complaints.push("the sections are inbound, backend, outbound and on-error".to_owned());
    }
    for section in ["inbound", "outbound", "on-error"] {
        let based = elements(document, section)
            .any(|section| section.children().any(|node| node.has_tag_name("base")));
        if !based {
            complaints.push(format!("<{section}> must have <base />"));
        }
    }
    complaints
}

/// The headers that the apps trust because the gateway alone sets them.
fn hands_over(document: &Document<'_>, key: &str) -> Vec<String> {
    let headers: BTreeSet<(String, String, String)> = elements(document, "set-header")
        .map(|header| {
            let value = header.descendants().find(|node| node.has_tag_name("value"));
            let value = value.and_then(|value| value.text()).unwrap_or_default();
            let attribute = |name| header.attribute(name).unwrap_or_default().to_owned();
            (attribute("name"), attribute("exists-action"), value.to_owned())
        })
        .collect();
    let expected = [
        ("x-client-address", "override", "@(context.Request.IpAddress)"),
        ("x-functions-key", "override", key),
    ];
    let expected: BTreeSet<_> =
        expected.map(|(name, action, value)| (name.into(), action.into(), value.into())).into();
    let same = headers == expected;
    let headers = (!same).then(|| format!("the headers must be {expected:?}"));
    let limited = elements(document, "rate-limit-by-key").next().is_some();
    let limits = (!limited).then(|| "there must be a limit by address".to_owned());
    headers.into_iter().chain(limits).collect()
}

/// What an operation adds changes neither headers nor the way to the app.
fn stays_with_its_api(document: &Document<'_>) -> Vec<String> {
    let changes = ["forward-request", "rewrite-uri", "set-header"];
    let found = changes.into_iter().filter(|name| elements(document, name).next().is_some());
    found.map(|name| format!("<{name}> is for the policy of the API")).collect()
}

/// `{{name}}` stands for a named value, which Bicep must make.
fn named_values(repository: &Repository) -> Vec<String> {
    let apis = Bicep::read(repository, "infra/modules/gateway-apis.bicep");
    let made = apis.resources.iter().filter(|of| of.kind.contains("/namedValues@"));
    let made: BTreeSet<String> =
        made.filter_map(|of| of.body.at(&["name"])).map(Value::written).collect();
    let mut complaints = Vec::new();
    for (path, text) in repository.ending_with(".xml") {
        for name in text.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()) {
            if !made.contains(name) {
                complaints.push(format!("{path}: nobody makes the named value {name}"));
            }
        }
    }
    complaints
}

/// No query parameter of ours comes into telemetry.
fn masked(repository: &Repository) -> Vec<String> {
    let path = "infra/modules/gateway-telemetry.bicep";
    let telemetry = Bicep::read(repository, path);
    let masked = telemetry.variable("maskedParameters").map(Value::written).unwrap_or_default();
    let masked: BTreeSet<&str> = masked.split(", ").collect();
    let documented = [OAUTH, MCP].map(|document| query_parameters(repository, document));
    let bare = documented.iter().flatten().filter(|name| !masked.contains(name.as_str()));
    let mut complaints: Vec<String> =
        bare.map(|name| format!("{path}: the parameter {name} must be masked")).collect();
    for (variable, property, must) in [
        ("request", &["body", "bytes"][..], "0"),
        ("request", &["headers"], ""),
        ("request", &["dataMasking", "queryParams"], "masks"),
        ("response", &["body", "bytes"], "0"),
        ("response", &["headers"], ""),
    ] {
        let found = telemetry.variable(variable).and_then(|value| value.at(property));
        if found.map(Value::written).as_deref() != Some(must) {
            complaints
                .push(format!("{path}: {} of {variable} must be {must:?}", property.join(".")));
        }
    }
    complaints
}
