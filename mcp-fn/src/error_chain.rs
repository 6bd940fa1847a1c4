//! An error together with its sources, for the one line of log that reports it.

use std::error::Error;
use std::fmt;

/// Writes an error and every source below it, with colons between them.
pub(crate) struct ErrorChain<'a>(pub(crate) &'a dyn Error);

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(formatter, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use shared::storage::StoreError;

    use super::*;

    #[test]
    fn the_causes_follow_what_they_caused() {
        let error = StoreError::new(std::io::Error::other("connection refused"));

        assert_eq!(ErrorChain(&error).to_string(), "storage failed: connection refused");
    }
}
