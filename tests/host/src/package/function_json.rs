//! `function.json`: which requests reach the handler, and with which key.

use http::Method;
use serde::Deserialize;

use super::Refused;

/// What `function.json` says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Function {
    /// Which key opens it.
    pub auth_level: AuthLevel,
    /// The methods that reach it; all of them if there are none.
    pub methods: Option<Vec<Method>>,
}

/// Which key a request needs.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum AuthLevel {
    /// None.
    Anonymous,
    /// One of the function's.
    #[default]
    Function,
}

#[derive(Deserialize)]
pub(super) struct FunctionJson {
    bindings: Vec<Binding>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Binding {
    r#type: String,
    direction: String,
    #[serde(default)]
    auth_level: AuthLevel,
    route: Option<String>,
    methods: Option<Vec<String>>,
}

/// The function in `document`.
pub(super) fn read(document: FunctionJson) -> Result<Function, Refused> {
    // The host tells by these two, and no more, that it may pass requests on as they came.
    let is = |binding: &Binding, r#type: &str, direction: &str| {
        binding.r#type == r#type && binding.direction == direction
    };
    let [one, other] = <[Binding; 2]>::try_from(document.bindings)
        .map_err(|_| Refused::Function("not exactly two bindings: the handler would get JSON"))?;
    let (trigger, out) = if one.direction == "in" { (one, other) } else { (other, one) };
    if !is(&trigger, "httpTrigger", "in") {
        return Err(Refused::Function("there is no httpTrigger"));
    }
    if !is(&out, "http", "out") {
        return Err(Refused::Function("there is no http out binding: the handler would get JSON"));
    }
    let takes_all = trigger.route.as_deref().is_some_and(|route| {
        route.strip_prefix("{*").and_then(|rest| rest.strip_suffix('}')).is_some()
    });
    if !takes_all {
        return Err(Refused::Function("its route does not take every path"));
    }
    Ok(Function { auth_level: trigger.auth_level, methods: methods(trigger.methods)? })
}

fn methods(names: Option<Vec<String>>) -> Result<Option<Vec<Method>>, Refused> {
    let method = |name: String| {
        let method = Method::from_bytes(name.to_ascii_uppercase().as_bytes());
        method.map_err(|_| Refused::Function("a method is none"))
    };
    names.map(|names| names.into_iter().map(method).collect()).transpose()
}
