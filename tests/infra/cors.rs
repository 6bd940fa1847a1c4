//! That API Management answers preflights as the apps do: on Azure the Functions host keeps them from
//! the apps, so that the gateway must answer in their place.

use std::collections::BTreeSet;

use local::{Options, Stack};
use reqwest::Method;
use reqwest::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderName, ORIGIN,
};
use roxmltree::Document;

use crate::repository::Repository;
use crate::routes::{MCP, OAUTH, Operation, operations, policy_of};
use crate::xml::{elements, texts};

/// What pages of other origins may do; nothing if there is nothing.
#[derive(Debug, Default, Eq, PartialEq)]
struct Cors {
    origins: BTreeSet<String>,
    methods: BTreeSet<String>,
    headers: BTreeSet<String>,
    exposed: BTreeSet<String>,
    credentials: bool,
    seconds: String,
}

#[tokio::test]
async fn api_management_answers_preflights_as_the_apps_do() {
    let complaints = complaints(&Repository::read()).await;

    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[tokio::test]
async fn an_answer_of_its_own_is_noticed() {
    let repository = Repository::read();
    for (file, from, to, operation) in [
        ("mcp.xml", "<method>DELETE</method>", "", "DELETE /mcp"),
        (
            "metadata.xml",
            "<header>accept</header>",
            "",
            "GET /.well-known/oauth-protected-resource",
        ),
        ("register.xml", "<origin>*</origin>", "<origin>https://a</origin>", "POST /register"),
        ("back-channel.xml", "\"3600\"", "\"60\"", "POST /token"),
    ] {
        let mistaken = repository.with(&format!("infra/apim/policies/{file}"), from, to);

        let complaints = complaints(&mistaken).await;

        assert!(complaints.iter().any(|of| of.starts_with(operation)), "{complaints:#?}");
    }
}

async fn complaints(repository: &Repository) -> Vec<String> {
    let stack = Stack::start(Options { requests_per_minute: None, ..Options::default() }).await;
    let stack = stack.unwrap();
    let mut complaints = Vec::new();
    for document in [OAUTH, MCP] {
        for operation in operations(repository, document) {
            let policy = of_policy(repository.text(&policy_of(repository, document, &operation)));
            let app = of_app(&stack, &operation).await;
            if policy != app {
                let Operation { method, path, .. } = operation;
                complaints.push(format!("{method} {path}: {policy:?}, and the app says {app:?}"));
            }
        }
    }
    stack.stop().await;
    complaints
}

fn of_policy(policy: &str) -> Cors {
    let document = Document::parse(policy).unwrap();
    let Some(cors) = elements(&document, "cors").next() else {
        return Cors::default();
    };
    let all = |above, name| texts(&document, above, name).into_iter().collect();
    let methods = elements(&document, "allowed-methods").next().unwrap();
    Cors {
        origins: all("allowed-origins", "origin"),
        methods: all("allowed-methods", "method"),
        headers: all("allowed-headers", "header"),
        exposed: all("expose-headers", "header"),
        credentials: cors.attribute("allow-credentials") != Some("false"),
        seconds: methods.attribute("preflight-result-max-age").unwrap_or_default().to_owned(),
    }
}

/// What the app answers to a preflight, and which headers of its answers it shows.
async fn of_app(stack: &Stack, operation: &Operation) -> Cors {
    let method: Method = operation.method.parse().unwrap();
    let path = operation.path.replace("{*path}", "mcp");
    let url = stack.base_url().at(&path);
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let http = http.build().unwrap();
    let from = |method| http.request(method, &url).header(ORIGIN, "https://page.example");
    let preflight = from(Method::OPTIONS).header(ACCESS_CONTROL_REQUEST_METHOD, method.as_str());
    let preflight = preflight.send().await.unwrap();
    let answer = from(method).send().await.unwrap();
    let (allowed, shown) = (preflight.headers(), answer.headers());
    Cors {
        origins: listed(allowed, &ACCESS_CONTROL_ALLOW_ORIGIN),
        methods: listed(allowed, &ACCESS_CONTROL_ALLOW_METHODS),
        headers: listed(allowed, &ACCESS_CONTROL_ALLOW_HEADERS),
        exposed: listed(shown, &ACCESS_CONTROL_EXPOSE_HEADERS),
        credentials: allowed.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS),
        seconds: listed(allowed, &ACCESS_CONTROL_MAX_AGE).into_iter().collect(),
    }
}

fn listed(headers: &HeaderMap, name: &HeaderName) -> BTreeSet<String> {
    let text = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
}
