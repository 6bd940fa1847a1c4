//! Which app answers which path, by the OpenAPI documents that API Management imports.

use serde::Deserialize;
use serde_json::{Map, Value};

/// Who answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum App {
    McpFn,
    OauthFn,
}

/// Every public path with its app.
#[derive(Debug)]
pub(super) struct RouteTable(Vec<(String, Template, App)>);

impl RouteTable {
    /// The routes of the two documents.
    pub(super) fn from_documents(oauth: &str, mcp: &str) -> Result<Self, InvalidDocument> {
        let mut routes = Vec::new();
        for (document, app) in [(oauth, App::OauthFn), (mcp, App::McpFn)] {
            let OpenApi { paths } = serde_json::from_str(document)?;
            routes.extend(paths.keys().map(|path| (path.clone(), Template::new(path), app)));
        }
        Ok(Self(routes))
    }

    /// The route of `path` and the app that answers it, whatever the method: it knows best which ones
    /// it allows.
    pub(super) fn find(&self, path: &str) -> Option<(&str, App)> {
        let found = self.0.iter().find(|(_, template, _)| template.matches(path));
        found.map(|(route, _, app)| (route.as_str(), *app))
    }
}

/// An OpenAPI document is not one.
#[derive(Debug, thiserror::Error)]
#[error("an OpenAPI document cannot be read")]
pub struct InvalidDocument(#[from] serde_json::Error);

#[derive(Deserialize)]
struct OpenApi {
    paths: Map<String, Value>,
}

/// A path of an OpenAPI document. `{*path}` at the end stands for all the rest, as it does in the
/// templates of API Management and in the routers of the apps.
#[derive(Debug)]
enum Template {
    Exact(String),
    Below(String),
}

impl Template {
    fn new(path: &str) -> Self {
        match path.rsplit_once('/') {
            Some((above, last)) if last.starts_with("{*") => Self::Below(format!("{above}/")),
            _ => Self::Exact(path.to_owned()),
        }
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == path,
            Self::Below(above) => {
                path.strip_prefix(above.as_str()).is_some_and(|rest| !rest.is_empty())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OAUTH: &str =
        r#"{ "paths": { "/": {}, "/token": {}, "/meta": {}, "/meta/{*path}": {} } }"#;
    const MCP: &str = r#"{ "paths": { "/mcp": {}, "/mcp/sse": {} } }"#;

    fn app_of(path: &str) -> Option<App> {
        RouteTable::from_documents(OAUTH, MCP).unwrap().find(path).map(|(_, app)| app)
    }

    #[test]
    fn a_path_goes_to_the_app_whose_document_has_it() {
        for path in ["/", "/token", "/meta", "/meta/mcp", "/meta/mcp/sse"] {
            assert_eq!(app_of(path), Some(App::OauthFn), "{path}");
        }
        for path in ["/mcp", "/mcp/sse"] {
            assert_eq!(app_of(path), Some(App::McpFn), "{path}");
        }
    }

    #[test]
    fn a_route_is_named_as_its_document_names_it() {
        let routes = RouteTable::from_documents(OAUTH, MCP).unwrap();

        assert_eq!(routes.find("/mcp/sse").unwrap().0, "/mcp/sse");
        assert_eq!(routes.find("/meta/any/thing").unwrap().0, "/meta/{*path}");
    }

    #[test]
    fn a_path_in_neither_document_goes_nowhere() {
        for path in [
            "",
            "//",
            "/token/",
            "/Token",
            "/mcp/",
            "//mcp",
            "/metadata",
            "/meta/",
            "/mcp%2fsse",
            "/%6dcp",
            "/mcp/sse/x",
        ] {
            assert_eq!(app_of(path), None, "{path}");
        }
    }

    #[test]
    fn a_document_without_paths_is_refused() {
        assert!(RouteTable::from_documents("{}", MCP).is_err());
    }
}
