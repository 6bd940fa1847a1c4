//! The W3C Trace Context that comes with a request, in its headers or in `_meta` of its message (MCP
//! 2026-07-28, SEP-414), so that what we do belongs to the caller's trace. What breaks a rule counts
//! as not sent. `tracestate` is left out, as it may be (section 3.3.1.5): we hand it on to nobody, and it
//! is somebody else's text.

use http::HeaderMap;

/// The value of `traceparent` (W3C Trace Context section 3.2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TraceParent {
    trace_id: String,
    parent_id: String,
    is_sampled: bool,
}

impl TraceParent {
    /// The one parent that the headers of a request name (section 3.2).
    pub fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let mut parents = headers.get_all("traceparent").iter();
        let parent = parents.next().filter(|_| parents.next().is_none())?.to_str().ok()?;
        Self::try_from(parent).ok()
    }

    /// 32 hexadecimal digits, which name the whole trace.
    pub fn trace_id(&self) -> &str {
        &self.trace_id
    }

    /// 16 hexadecimal digits, which name the client's span in it.
    pub fn parent_id(&self) -> &str {
        &self.parent_id
    }

    /// Whether the client may have recorded its part.
    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }
}

impl TryFrom<&str> for TraceParent {
    type Error = InvalidTraceParent;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let mut parts = text.splitn(5, '-');
        let mut digits = |count| parts.next().filter(|part| are_digits(part, count));
        let version = digits(2).filter(|version| *version != "ff");
        let trace_id = digits(32).filter(|id| is_not_zero(id));
        let parent_id = digits(16).filter(|id| is_not_zero(id));
        let flags = digits(2).and_then(|flags| u8::from_str_radix(flags, 16).ok());
        let (Some(version), Some(trace_id), Some(parent_id), Some(flags)) =
            (version, trace_id, parent_id, flags)
        else {
            return Err(InvalidTraceParent);
        };
        // Later versions may add parts; this one has none.
        if version == "00" && parts.next().is_some() {
            return Err(InvalidTraceParent);
        }
        let (trace_id, parent_id) = (trace_id.to_owned(), parent_id.to_owned());
        Ok(Self { trace_id, parent_id, is_sampled: flags & 1 == 1 })
    }
}

/// The text is no `traceparent`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the text is not the traceparent of W3C Trace Context")]
pub struct InvalidTraceParent;

fn are_digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_not_zero(digits: &str) -> bool {
    digits.bytes().any(|digit| digit != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An example of the specification (section 3.2.4).
    const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_example_of_the_specification_is_read() {
        let parent = TraceParent::try_from(SAMPLED).unwrap();

        assert_eq!(parent.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(parent.parent_id(), "00f067aa0ba902b7");
        assert!(parent.is_sampled());
    }

    #[test]
    fn headers_name_one_parent_or_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(TraceParent::of_headers(&headers), None);
        headers.insert("traceparent", SAMPLED.parse().unwrap());

        let one = TraceParent::of_headers(&headers).unwrap();
        headers.append("traceparent", SAMPLED.parse().unwrap());
        let two = TraceParent::of_headers(&headers);

        assert_eq!(one.parent_id(), "00f067aa0ba902b7");
        assert_eq!(two, None);
    }

    #[test]
    fn only_the_last_bit_of_the_flags_says_that_the_client_recorded() {
        for (flags, is_sampled) in [("00", false), ("01", true), ("02", false), ("ff", true)] {
            let text = format!("{}{flags}", &SAMPLED[..53]);

            assert_eq!(TraceParent::try_from(text.as_str()).unwrap().is_sampled(), is_sampled);
        }
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for text in [SAMPLED.replacen("00", "01", 1), format!("cc{}-what-ever", &SAMPLED[2..])] {
            let parent = TraceParent::try_from(text.as_str()).unwrap();

            assert_eq!(parent.parent_id(), "00f067aa0ba902b7", "{text}");
        }
    }

    #[test]
    fn whatever_breaks_a_rule_is_no_parent() {
        let zero_trace = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
        let zero_parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", "0".repeat(16));
        for text in [
            String::new(),
            "00".to_owned(),
            "-".repeat(55),
            SAMPLED.to_uppercase(),
            SAMPLED.replacen("00", "ff", 1),
            SAMPLED.replacen("00", "0", 1),
            SAMPLED.replace('-', ""),
            SAMPLED.replace('-', "_"),
            SAMPLED[..54].to_owned(),
            SAMPLED[..52].to_owned(),
            format!("{SAMPLED}1"),
            format!("{SAMPLED}-"),
            format!("{SAMPLED}-more"),
            format!("cc{}more", &SAMPLED[2..]),
            format!(" {SAMPLED}"),
            format!("{SAMPLED}\n"),
            SAMPLED.replace('b', "g"),
            SAMPLED.replacen("4b", "\u{e9}", 1),
            zero_trace,
            zero_parent,
        ] {
            assert_eq!(TraceParent::try_from(text.as_str()), Err(InvalidTraceParent), "{text:?}");
        }
    }
}
