//! The value of `tracestate` (W3C Trace Context section 3.3): what tracing systems on the way noted.

/// At most so many systems have a member.
const MEMBERS: usize = 32;

/// A list of `key=value`, each key once; there is at least one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TraceState(Vec<(String, String)>);

impl TraceState {
    /// What the system with this key noted.
    pub fn member(&self, key: &str) -> Option<&str> {
        let mut members = self.0.iter();
        members.find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// Every member, in its order.
    pub fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl TryFrom<&str> for TraceState {
    type Error = InvalidTraceState;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let mut state = Self(Vec::new());
        let members = text.split(',').map(|member| member.trim_matches([' ', '\t']));
        for member in members.filter(|member| !member.is_empty()) {
            let (key, value) = member.split_once('=').ok_or(InvalidTraceState)?;
            let is_new = state.member(key).is_none() && state.0.len() < MEMBERS;
            if !is_new || !is_key(key) || !is_value(value) {
                return Err(InvalidTraceState);
            }
            state.0.push((key.to_owned(), value.to_owned()));
        }
        if state.0.is_empty() { Err(InvalidTraceState) } else { Ok(state) }
    }
}

/// The text is no `tracestate`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the text is not the tracestate of W3C Trace Context")]
pub struct InvalidTraceState;

/// A system, or a tenant of one (section 3.3.1.3.1).
fn is_key(key: &str) -> bool {
    match key.split_once('@') {
        None => is_word(key, 256) && key.starts_with(|first: char| first.is_ascii_lowercase()),
        Some((tenant, system)) => {
            is_word(tenant, 241)
                && tenant.starts_with(|first: char| first.is_ascii_alphanumeric())
                && is_word(system, 14)
                && system.starts_with(|first: char| first.is_ascii_lowercase())
        }
    }
}

fn is_word(text: &str, longest: usize) -> bool {
    let fits = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/');
    text.len() <= longest && text.bytes().all(fits)
}

/// Printable ASCII but for `,` and `=` (section 3.3.1.3.2). Spaces at its end were cut off before.
fn is_value(value: &str) -> bool {
    let fits = |byte| matches!(byte, b' '..=b'~') && !b",=".contains(&byte);
    (1..=256).contains(&value.len()) && value.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_with_and_without_space_around_them() {
        let state = TraceState::try_from("rojo=00f067aa0ba902b7,\t congo=t61rcWkgMzE ,,").unwrap();

        assert_eq!(state.member("rojo"), Some("00f067aa0ba902b7"));
        assert_eq!(state.member("congo"), Some("t61rcWkgMzE"));
        assert_eq!(state.member("blanco"), None);
    }

    #[test]
    fn every_key_and_value_at_its_bounds_is_read() {
        let longest = |first: &str, length: usize| format!("{first}{}", "x".repeat(length - 1));
        for member in [
            "a= v".to_owned(),
            "a*-_/9=!~".to_owned(),
            "9a@b=1".to_owned(),
            format!("{}=1", longest("a", 256)),
            format!("{}@{}=1", longest("9", 241), longest("b", 14)),
            format!("a={}", "v".repeat(256)),
            (0..32).map(|number| format!("a{number}=1")).collect::<Vec<_>>().join(","),
        ] {
            assert!(TraceState::try_from(member.as_str()).is_ok(), "{member}");
        }
    }

    #[test]
    fn whatever_breaks_a_rule_is_no_state() {
        for text in [
            String::new(),
            " , ".to_owned(),
            "a".to_owned(),
            "a=".to_owned(),
            "=1".to_owned(),
            "A=1".to_owned(),
            "9a=1".to_owned(),
            "a b=1".to_owned(),
            "a =1".to_owned(),
            "a=1=2".to_owned(),
            "a=1,a=2".to_owned(),
            "a=1;b=2\n".to_owned(),
            "a=\u{e9}".to_owned(),
            "a=\u{7f}".to_owned(),
            "a@=1".to_owned(),
            "@b=1".to_owned(),
            "a@9=1".to_owned(),
            "a@b@c=1".to_owned(),
            format!("{}=1", "a".repeat(257)),
            format!("{}@b=1", "a".repeat(242)),
            format!("a@{}=1", "b".repeat(15)),
            format!("a={}", "v".repeat(257)),
            (0..33).map(|number| format!("a{number}=1")).collect::<Vec<_>>().join(","),
        ] {
            assert_eq!(TraceState::try_from(text.as_str()), Err(InvalidTraceState), "{text:?}");
        }
    }
}
