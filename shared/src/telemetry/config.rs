//! What the settings say of telemetry: where it goes, and how much of it.

use std::fmt;

use opentelemetry_application_insights::Exporter;
use secrecy::SecretString;
use url::Url;

use crate::config::Settings;

/// Where spans and metrics go. To nowhere, unless a setting says so.
#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    /// How many traces are kept.
    pub sampling: Sampling,
    /// The endpoint of OTLP over HTTP; `v1/traces` and `v1/metrics` lie below it.
    pub otlp: Option<Url>,
    /// The connection string of Application Insights.
    pub application_insights: Option<SecretString>,
}

impl TelemetryConfig {
    /// Reads `OTEL_EXPORTER_OTLP_ENDPOINT`, `APPLICATIONINSIGHTS_CONNECTION_STRING` and
    /// `OTEL_TRACES_SAMPLER_ARG`, in whose place `usual` stands.
    pub fn read(settings: &mut Settings<'_>, usual: Sampling) -> Option<Self> {
        let sampling =
            settings.optional("OTEL_TRACES_SAMPLER_ARG", usual, |text| Sampling::try_from(text));
        let otlp = settings.optional("OTEL_EXPORTER_OTLP_ENDPOINT", None, endpoint);
        let application_insights =
            settings.optional("APPLICATIONINSIGHTS_CONNECTION_STRING", None, connection_string);
        Some(Self { sampling: sampling?, otlp: otlp?, application_insights: application_insights? })
    }
}

fn endpoint(text: &str) -> Result<Option<Url>, &'static str> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.filter(|url| url.query().is_none() && url.fragment().is_none());
    url.map(Some).ok_or("must be an http or https URL without a query")
}

fn connection_string(text: &str) -> Result<Option<SecretString>, &'static str> {
    match Exporter::new_from_connection_string(text, ()) {
        Ok(_) => Ok(Some(text.to_owned().into())),
        Err(_) => Err("must be a connection string of Application Insights, \
                       `InstrumentationKey=…;IngestionEndpoint=…`"),
    }
}

/// The part of all traces that is kept, from 0 to 1, chosen by a keyed digest of the id of the trace: so
/// every service keeps the same ones, and no caller can have more of its traces kept than others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling(f64);

impl Sampling {
    /// All of them: for one's own machine.
    pub const ALL: Self = Self(1.0);

    /// One in twenty, what deployed apps keep unless told otherwise: enough to see what is slow, and
    /// cheaper than the requests themselves. Failures are in the log and in metrics, which are whole.
    pub const DEPLOYED: Self = Self(0.05);

    /// The part.
    pub const fn ratio(self) -> f64 {
        self.0
    }
}

impl TryFrom<&str> for Sampling {
    type Error = InvalidSampling;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let ratio: f64 = text.parse().map_err(|_| InvalidSampling)?;
        if (0.0..=1.0).contains(&ratio) { Ok(Self(ratio)) } else { Err(InvalidSampling) }
    }
}

/// The text is no part of a whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidSampling;

impl fmt::Display for InvalidSampling {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("must be the part of traces to keep, from 0 to 1, such as 0.05")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telemetry_goes_nowhere_unless_a_setting_says_so() {
        let env: [(&str, &str); 0] = [];
        let mut settings = Settings::new(&env);

        let config = TelemetryConfig::read(&mut settings, Sampling::DEPLOYED);
        let config = settings.finish(config).unwrap();

        assert!(config.otlp.is_none() && config.application_insights.is_none());
        assert_eq!(config.sampling, Sampling::DEPLOYED);
    }

    #[test]
    fn every_setting_that_cannot_be_used_is_named() {
        let env = [
            ("OTEL_TRACES_SAMPLER_ARG", "1.5"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"),
            ("APPLICATIONINSIGHTS_CONNECTION_STRING", "IngestionEndpoint=https://a.example.com"),
        ];
        let mut settings = Settings::new(&env);

        let config = TelemetryConfig::read(&mut settings, Sampling::DEPLOYED);
        let faults = settings.finish(config).unwrap_err().to_string();

        for (name, _) in env {
            assert!(faults.contains(name), "{faults}");
        }
        assert!(!faults.contains("a.example.com"), "{faults}");
    }

    #[test]
    fn a_part_is_from_nothing_to_all() {
        for (text, ratio) in [("0", Some(0.0)), ("0.25", Some(0.25)), ("1", Some(1.0))] {
            assert_eq!(Sampling::try_from(text).ok().map(Sampling::ratio), ratio);
        }
        for text in ["", "-0.1", "1.01", "NaN", "5%", "inf"] {
            assert_eq!(Sampling::try_from(text), Err(InvalidSampling), "{text}");
        }
    }
}
