//! The door to standard output: what the commands tell a person.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes one line.
///
/// A reader that has gone away is no reason to stop serving.
pub fn line(text: impl Display) {
    let _gone = writeln!(io::stdout(), "{text}");
}

/// Writes one line about what went wrong, with its causes, to standard error.
pub fn error(error: &dyn std::error::Error) {
    let mut text = format!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    let _gone = writeln!(io::stderr(), "{text}");
}
