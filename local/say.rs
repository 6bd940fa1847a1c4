//! The door to standard output: what the commands tell a person.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::iter::successors;

/// Writes one line.
///
/// A reader that has gone away is no reason to stop serving.
pub fn line(text: impl Display) {
    let _gone = writeln!(io::stdout(), "{text}");
}

/// Writes one line about what went wrong to standard error, with its causes in parentheses.
pub fn error(error: &dyn Error) {
    let _gone = writeln!(io::stderr(), "error: {}", with_causes(error));
}

fn with_causes(error: &dyn Error) -> String {
    let causes = successors(error.source(), |cause: &&dyn Error| (*cause).source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    if causes.is_empty() {
        return error.to_string();
    }
    format!("{error} ({})", causes.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn an_error_is_told_in_one_line_with_its_causes() {
        assert_eq!(with_causes(&Outer(io::Error::other("the inner"))), "the outer (the inner)");
        assert_eq!(with_causes(&io::Error::other("alone")), "alone");
    }
}
