//! Request parameters as `application/x-www-form-urlencoded` (RFC 6749 appendix B), read strictly.

use std::collections::BTreeMap;
use std::fmt;

/// Parameters by name. Those without a value count as left out (RFC 6749 section 3.1).
#[derive(Clone, Default)]
pub struct Parameters(BTreeMap<String, Vec<String>>);

impl Parameters {
    /// The parameters in a query or a form body.
    ///
    /// # Errors
    /// A broken percent escape, or bytes that are not UTF-8.
    pub fn parse(text: &[u8]) -> Result<Self, MalformedParameters> {
        let mut parameters = Self::default();
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode(halves.next().unwrap_or_default())?;
            parameters.0.entry(name).or_default().push(value);
        }
        Ok(parameters)
    }

    /// The value of `name`, if it was sent once and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        match self.0.get(name)?.as_slice() {
            [value] if !value.is_empty() => Some(value),
            _ => None,
        }
    }

    /// The value of `name`, which must be there.
    ///
    /// # Errors
    /// It is not.
    pub fn required(&self, name: &'static str) -> Result<&str, MissingParameter> {
        self.get(name).ok_or(MissingParameter(name))
    }

    /// Checks that none was sent twice, which no request may do (RFC 6749 section 3.1 and 3.2).
    ///
    /// # Errors
    /// One was.
    pub fn each_once(&self) -> Result<(), RepeatedParameter> {
        if self.0.values().all(|values| values.len() == 1) {
            Ok(())
        } else {
            Err(RepeatedParameter)
        }
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

/// The parameters cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the parameters have a broken percent escape or are not UTF-8")]
pub struct MalformedParameters;

/// A parameter that the request needs was not sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the parameter {0} is missing")]
pub struct MissingParameter(&'static str);

/// A parameter was sent more than once.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("each parameter may be sent once only")]
pub struct RepeatedParameter;

/// `text` with its pluses and percent escapes undone.
pub(super) fn decode(text: &[u8]) -> Result<String, MalformedParameters> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let high = hex_digit(rest.next())?;
                high << 4 | hex_digit(rest.next())?
            }
            other => *other,
        });
    }
    String::from_utf8(bytes).map_err(|_| MalformedParameters)
}

fn hex_digit(byte: Option<&u8>) -> Result<u8, MalformedParameters> {
    let digit = byte.and_then(|byte| char::from(*byte).to_digit(16));
    digit.and_then(|digit| u8::try_from(digit).ok()).ok_or(MalformedParameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Parameters {
        Parameters::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_value_keeps_its_equals_signs_pluses_and_escapes() {
        let parameters = parse("a=b=c&d=%2B+%26%C3%A9&&");

        assert_eq!(parameters.get("a"), Some("b=c"));
        assert_eq!(parameters.get("d"), Some("+ &\u{e9}"));
    }

    #[test]
    fn the_example_of_rfc_6749_appendix_b_is_read_back() {
        let parameters = parse("v=+%25%26%2B%C2%A3%E2%82%AC");

        assert_eq!(parameters.get("v"), Some(" %&+\u{a3}\u{20ac}"));
    }

    #[test]
    fn a_parameter_without_a_value_counts_as_left_out() {
        assert_eq!(parse("a=&b").get("a"), None);
        assert_eq!(parse("a=&b").get("b"), None);
    }

    #[test]
    fn a_repeated_parameter_has_no_value_and_is_noticed() {
        let parameters = parse("a=1&a=1&b=2");

        assert_eq!(parameters.get("a"), None);
        assert_eq!(parameters.get("b"), Some("2"));
        assert_eq!(parameters.each_once(), Err(RepeatedParameter));
    }

    #[test]
    fn broken_escapes_and_bytes_that_are_not_utf_8_are_refused() {
        for text in [b"a=%".as_slice(), b"a=%4", b"a=%zz", b"a=%+1", b"%ff=a", b"a=\xff"] {
            assert!(Parameters::parse(text).is_err());
        }
    }

    #[test]
    fn values_do_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", parse("code=secret")), r#"{"code"}"#);
    }
}
