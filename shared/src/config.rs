//! The door to the environment: settings are read once, and every fault is reported at once.

use std::fmt;

/// Where settings come from.
pub trait Env {
    /// The value of the setting `name`, if it is set and not empty.
    fn get(&self, name: &str) -> Option<String>;
}

/// The environment of this process.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnv;

impl Env for ProcessEnv {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one door that the lint keeps others to"
    )]
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

impl<const N: usize> Env for [(&str, &str); N] {
    fn get(&self, name: &str) -> Option<String> {
        let found = self.iter().find(|(key, value)| *key == name && !value.is_empty());
        found.map(|(_, value)| (*value).to_owned())
    }
}

/// Reads settings and collects what is wrong with them.
pub struct Settings<'a> {
    env: &'a dyn Env,
    faults: Vec<Fault>,
}

impl<'a> Settings<'a> {
    /// Settings from `env`, none read yet.
    pub fn new(env: &'a dyn Env) -> Self {
        Self { env, faults: Vec::new() }
    }

    /// The setting `name`, which must be there.
    pub fn required<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Some(text) = self.env.get(name) else {
            self.faults.push(Fault { name, problem: "is missing".to_owned() });
            return None;
        };
        self.parsed(name, &text, parse)
    }

    /// The setting `name`, or `default` where it is not set.
    pub fn optional<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.env.get(name) {
            None => Some(default),
            Some(text) => self.parsed(name, &text, parse),
        }
    }

    /// Notes what is wrong with the setting `name` in the light of others.
    pub fn fault(&mut self, name: &'static str, problem: &str) {
        self.faults.push(Fault { name, problem: problem.to_owned() });
    }

    /// What the settings were assembled to.
    ///
    /// # Errors
    /// Every fault that was found, if there is one.
    pub fn finish<T>(self, assembled: Option<T>) -> Result<T, InvalidSettings> {
        match assembled {
            Some(value) if self.faults.is_empty() => Ok(value),
            _ => Err(InvalidSettings(self.faults)),
        }
    }

    fn parsed<T, E: fmt::Display>(
        &mut self,
        name: &'static str,
        text: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        parse(text)
            .map_err(|error| self.faults.push(Fault { name, problem: error.to_string() }))
            .ok()
    }
}

impl fmt::Debug for Settings<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Settings").field(&self.faults).finish()
    }
}

/// Every setting that is missing or wrong, one a line. Values are never shown.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub struct InvalidSettings(Vec<Fault>);

impl fmt::Display for InvalidSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("these settings need attention:")?;
        for fault in &self.0 {
            write!(formatter, "\n  {} {}", fault.name, fault.problem)?;
        }
        Ok(())
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Fault {
    name: &'static str,
    problem: String,
}

/// Parses a whole number of seconds from 0 to `most`.
///
/// # Errors
/// What the setting must look like.
pub fn seconds_up_to(most: u64) -> impl FnOnce(&str) -> Result<u64, String> {
    move |text| {
        let fits = text.parse().ok().filter(|seconds| *seconds <= most);
        fits.ok_or_else(|| format!("must be a whole number of seconds from 0 to {most}"))
    }
}

/// Takes a text as it is.
///
/// # Errors
/// None; the form is that of the other parsers.
pub fn text(text: &str) -> Result<String, std::convert::Infallible> {
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_named_at_once_and_no_value_is_shown() {
        let env = [("TTL", "secret-value"), ("EMPTY", "")];
        let mut settings = Settings::new(&env);

        settings.required("MISSING", text);
        settings.required("EMPTY", text);
        settings.optional("TTL", 30, seconds_up_to(300));
        let faults = settings.finish(Some(())).unwrap_err().to_string();

        assert_eq!(
            faults,
            "these settings need attention:\n  MISSING is missing\n  EMPTY is missing\n  \
             TTL must be a whole number of seconds from 0 to 300"
        );
    }

    #[test]
    fn a_default_stands_in_for_a_setting_that_is_not_there() {
        let env: [(&str, &str); 0] = [];
        let mut settings = Settings::new(&env);

        let seconds = settings.optional("TTL", 30, seconds_up_to(300));

        assert_eq!(settings.finish(seconds).unwrap(), 30);
    }
}
