//! How a client wants its user to be asked (`OpenID Connect` Core section 3.1.2.1).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::{AuthorizationErrorCode, AuthorizationRefusal};

/// Longest hint that is taken, in characters: that of an email address.
const LONGEST_HINT: usize = 254;

/// One value of the parameter `prompt`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Prompt {
    /// Ask for consent, even if it was given before.
    Consent,
    /// Sign in anew.
    Login,
    /// Show nothing at all.
    None,
    /// Ask which account it shall be.
    SelectAccount,
}

impl Prompt {
    const ALL: [Self; 4] = [Self::Consent, Self::Login, Self::None, Self::SelectAccount];

    /// The value on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Consent => "consent",
            Self::Login => "login",
            Self::None => "none",
            Self::SelectAccount => "select_account",
        }
    }
}

/// The values of the parameter `prompt`; none of them if it was left out.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Prompts(BTreeSet<Prompt>);

impl Prompts {
    /// Whether `prompt` is among them.
    pub fn contains(&self, prompt: Prompt) -> bool {
        self.0.contains(&prompt)
    }

    /// Whether the client asked for nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks that the user may be shown our consent page.
    ///
    /// # Errors
    /// The client wants an answer without any page.
    pub fn permit_consent_page(&self) -> Result<(), ConsentRequired> {
        if self.contains(Prompt::None) { Err(ConsentRequired) } else { Ok(()) }
    }

    /// The one value that Entra ID is asked with, of several the strictest. `consent` is asked for
    /// our own page, and never of Entra ID.
    pub fn upstream(&self) -> Option<Prompt> {
        let forwarded = [Prompt::None, Prompt::Login, Prompt::SelectAccount];
        forwarded.into_iter().find(|prompt| self.contains(*prompt))
    }

    /// What the client is to hear if Entra ID answers `error`, that the user would have to be
    /// asked: only a client that forbade just that can do anything with it.
    pub fn unasked(&self, error: &str) -> Option<AuthorizationErrorCode> {
        let code = match error {
            "consent_required" => AuthorizationErrorCode::ConsentRequired,
            "interaction_required" => AuthorizationErrorCode::InteractionRequired,
            "login_required" => AuthorizationErrorCode::LoginRequired,
            _ => return None,
        };
        self.contains(Prompt::None).then_some(code)
    }
}

impl TryFrom<&str> for Prompts {
    type Error = InvalidPrompt;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        let mut prompts = Self::default();
        for word in text.split(' ') {
            let known = Prompt::ALL.into_iter().find(|prompt| prompt.as_str() == word);
            if !prompts.0.insert(known.ok_or(InvalidPrompt::Unknown)?) {
                return Err(InvalidPrompt::Repeated);
            }
        }
        let alone = prompts.0.len() == 1 || !prompts.contains(Prompt::None);
        if alone { Ok(prompts) } else { Err(InvalidPrompt::NoneWithOthers) }
    }
}

/// Which rule a `prompt` breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidPrompt {
    /// `none` excludes everything else.
    #[error("prompt must not name none beside another value")]
    NoneWithOthers,
    /// A value came twice.
    #[error("prompt names a value twice")]
    Repeated,
    /// There is no such value.
    #[error("prompt must be of none, login, select_account and consent, separated by one space")]
    Unknown,
}

/// The consent page would have to be shown, and the client forbade it (`OpenID Connect` Core
/// section 3.1.2.6).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the user has to be asked for consent: try again without prompt=none")]
pub struct ConsentRequired;

impl From<ConsentRequired> for AuthorizationRefusal {
    fn from(error: ConsentRequired) -> Self {
        Self::new(AuthorizationErrorCode::ConsentRequired, &error.to_string())
    }
}

/// Whom the client expects to sign in: printable, and at most 254 characters. It may be the name of
/// a person, so that it does not show in logs.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct LoginHint(String);

impl LoginHint {
    /// The hint as it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for LoginHint {
    type Error = InvalidLoginHint;

    fn try_from(text: &str) -> Result<Self, Self::Error> {
        // Of all that is white, a space alone is printed as what it is.
        let printable = |character: char| {
            character == ' ' || !(character.is_control() || character.is_whitespace())
        };
        let fits = text.chars().nth(LONGEST_HINT).is_none() && text.chars().all(printable);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidLoginHint) }
    }
}

impl fmt::Debug for LoginHint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LoginHint([REDACTED])")
    }
}

/// The hint is too long or cannot be printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("login_hint must be printable and have at most {LONGEST_HINT} characters")]
pub struct InvalidLoginHint;

#[cfg(test)]
mod tests {
    use super::*;

    fn prompts(text: &str) -> Prompts {
        Prompts::try_from(text).unwrap()
    }

    #[test]
    fn a_prompt_is_a_set_of_known_values_and_none_stands_alone() {
        use InvalidPrompt::{NoneWithOthers, Repeated, Unknown};
        for text in ["none", "login", "select_account", "consent", "consent login select_account"] {
            assert!(Prompts::try_from(text).is_ok(), "{text}");
        }
        for (text, rule) in [
            ("none login", NoneWithOthers),
            ("consent none", NoneWithOthers),
            ("login login", Repeated),
            ("none none", Repeated),
            ("create", Unknown),
            ("Login", Unknown),
            ("login,consent", Unknown),
            ("login  consent", Unknown),
            (" login", Unknown),
            ("login\tconsent", Unknown),
            (" ", Unknown),
            ("", Unknown),
        ] {
            assert_eq!(Prompts::try_from(text), Err(rule), "{text:?}");
        }
    }

    #[test]
    fn entra_id_is_asked_with_the_strictest_value_and_never_for_consent() {
        for (text, expected) in [
            ("none", Some("none")),
            ("login", Some("login")),
            ("select_account", Some("select_account")),
            ("consent", None),
            ("select_account login", Some("login")),
            ("consent select_account", Some("select_account")),
            ("consent select_account login", Some("login")),
        ] {
            assert_eq!(prompts(text).upstream().map(Prompt::as_str), expected, "{text}");
        }
        assert_eq!(Prompts::default().upstream(), None);
    }

    #[test]
    fn no_page_is_shown_to_a_client_that_forbade_it() {
        assert_eq!(prompts("none").permit_consent_page(), Err(ConsentRequired));
        assert_eq!(prompts("consent login").permit_consent_page(), Ok(()));
        assert_eq!(Prompts::default().permit_consent_page(), Ok(()));
    }

    #[test]
    fn only_a_client_that_forbade_pages_hears_that_the_user_would_have_to_be_asked() {
        for error in ["consent_required", "interaction_required", "login_required"] {
            let heard = prompts("none").unasked(error);

            assert_eq!(heard.map(AuthorizationErrorCode::as_str), Some(error));
            assert_eq!(prompts("login").unasked(error), None);
            assert_eq!(Prompts::default().unasked(error), None);
        }
        for error in ["access_denied", "server_error", "Login_Required", ""] {
            assert_eq!(prompts("none").unasked(error), None, "{error}");
        }
    }

    #[test]
    fn a_hint_is_printable_and_as_long_as_an_address_at_most() {
        let long = "\u{e9}".repeat(LONGEST_HINT);
        for text in ["alice@example.com", "EXAMPLE\\alice", "Alice B", long.as_str()] {
            assert_eq!(LoginHint::try_from(text).unwrap().as_str(), text);
        }
        let longer = "a".repeat(LONGEST_HINT + 1);
        for text in
            [longer.as_str(), "a\nb", "a\r\nb", "a\tb", "a\0", "\u{7f}", "\u{85}", "a\u{2028}"]
        {
            assert_eq!(LoginHint::try_from(text), Err(InvalidLoginHint), "{text:?}");
        }
    }

    #[test]
    fn a_hint_does_not_show_in_debug_output() {
        let hint = LoginHint::try_from("alice@example.com").unwrap();

        assert_eq!(format!("{hint:?}"), "LoginHint([REDACTED])");
    }
}
