//! What a handler prints, as the host files it.

use std::sync::{Arc, Mutex, PoisonError};

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Level {
    /// From standard output.
    Information,
    /// From standard error, where the line speaks of a warning.
    Warning,
    /// From standard error, or from the host itself.
    Error,
}

/// A line of the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// What it says.
    pub text: String,
}

/// The log of a host.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<LogLine>>>);

impl Log {
    pub(crate) fn lines(&self) -> Vec<LogLine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn printed(&self, text: String) {
        self.add(Level::Information, text);
    }

    pub(crate) fn complained(&self, text: String) {
        let warns = text.to_ascii_lowercase().contains("warn");
        self.add(if warns { Level::Warning } else { Level::Error }, text);
    }

    pub(crate) fn error(&self, text: impl Into<String>) {
        self.add(Level::Error, text.into());
    }

    fn add(&self, level: Level, text: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(LogLine { level, text });
    }
}
