//! `host.json`: how the host starts the handler, and whether it passes requests on as they came.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::Refused;

/// What `host.json` says, as far as it matters to a handler.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostSettings {
    /// The program, from the root of the package.
    pub executable: String,
    /// What stands before every route.
    pub route_prefix: String,
    /// How long a request may take before the host ends the whole handler; for ever if there is
    /// none.
    pub function_timeout: Option<Duration>,
}

/// Unless `host.json` says so, a request may take that long on the Flex Consumption plan.
const USUAL_TIMEOUT: Duration = Duration::from_mins(30);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HostJson {
    version: String,
    custom_handler: Option<CustomHandler>,
    #[serde(default)]
    extensions: Value,
    function_timeout: Option<String>,
    configuration_profile: Option<String>,
}

/// The host ignores members that it does not know, so one that is misspelt does nothing.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CustomHandler {
    description: Description,
    #[serde(default)]
    enable_proxying_http_request: bool,
    http: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Description {
    default_executable_path: String,
}

/// The settings in `document`.
pub(super) fn read(document: &Value) -> Result<HostSettings, Refused> {
    let json = |source| Refused::Json { name: "host.json".to_owned(), source };
    let HostJson { version, custom_handler, extensions, function_timeout, configuration_profile } =
        HostJson::deserialize(document).map_err(json)?;
    let custom_handler = custom_handler.ok_or(Refused::Host("there is no custom handler"))?;
    if version != "2.0" {
        return Err(Refused::Host("its version is not 2.0"));
    }
    if !custom_handler.enable_proxying_http_request {
        return Err(Refused::Host(
            "enableProxyingHttpRequest is not true: answers would be buffered",
        ));
    }
    if custom_handler.http.is_some() || configuration_profile.is_some() {
        return Err(Refused::Host("routes beside a function.json: the host does not start"));
    }
    let prefix = extensions.pointer("/http/routePrefix").and_then(Value::as_str);
    Ok(HostSettings {
        executable: custom_handler.description.default_executable_path,
        route_prefix: prefix.unwrap_or("api").to_owned(),
        function_timeout: timeout(function_timeout.as_deref())?,
    })
}

fn timeout(text: Option<&str>) -> Result<Option<Duration>, Refused> {
    match text {
        None => Ok(Some(USUAL_TIMEOUT)),
        Some("-1") => Ok(None),
        Some(text) => time_span(text).map(Some).ok_or(Refused::Host("functionTimeout is no time")),
    }
}

/// A time as .NET writes it: hours, minutes and seconds.
fn time_span(text: &str) -> Option<Duration> {
    let parts: Vec<f64> = text.split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = parts.as_slice() else { return None };
    Duration::try_from_secs_f64((hours * 60.0 + minutes) * 60.0 + seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_dot_net_writes_them() {
        assert_eq!(time_span("00:30:00"), Some(Duration::from_mins(30)));
        assert_eq!(time_span("01:00:00.5"), Some(Duration::from_millis(3_600_500)));
        for wrong in ["", "30", "00:30", "a:b:c", "00:00:-5"] {
            assert_eq!(time_span(wrong), None, "{wrong}");
        }
        assert_eq!(timeout(Some("-1")).unwrap(), None);
        assert_eq!(timeout(None).unwrap(), Some(USUAL_TIMEOUT));
    }
}
