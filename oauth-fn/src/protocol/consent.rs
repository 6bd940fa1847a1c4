//! The answer of the user to the consent page, and the proof that it came from that page.

use serde::{Deserialize, Serialize};
use shared::base_url::PublicBaseUrl;

use super::parameters::Parameters;

/// Proof that a form was sent by a page of ours. Only [`SameOrigin::check`] makes one.
#[derive(Debug)]
#[must_use]
pub struct SameOrigin(());

impl SameOrigin {
    /// Judges the `Origin` and `Sec-Fetch-Site` of a form submission.
    ///
    /// # Errors
    /// It came from elsewhere, or nothing tells where it came from.
    pub fn check(
        origin: Option<&str>,
        fetch_site: Option<&str>,
        base_url: &PublicBaseUrl,
    ) -> Result<Self, CrossSite> {
        let own_page = matches!(fetch_site, None | Some("same-origin"));
        if own_page && origin == Some(base_url.as_str()) { Ok(Self(())) } else { Err(CrossSite) }
    }
}

/// The form did not come from a page of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the answer did not come from this server's consent page")]
pub struct CrossSite;

/// Proof that no page sent the user here: an application opened the browser, or an address was typed.
/// Not even a page of a sibling domain did, or one of ours, which may have been led there; but a
/// website may have redirected what was opened like that. Only [`OwnNavigation::check`] makes one.
#[derive(Debug)]
#[must_use]
pub struct OwnNavigation(());

impl OwnNavigation {
    /// Judges what the browser says of a navigation (Fetch Metadata Request Headers: `site`,
    /// `mode` and `dest`). A browser that says nothing proves nothing.
    pub fn check(site: Option<&str>, mode: Option<&str>, dest: Option<&str>) -> Option<Self> {
        let own = site == Some("none") && mode == Some("navigate") && dest == Some("document");
        own.then_some(Self(()))
    }
}

/// Whether a consent is to be remembered in this browser.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Memory {
    /// The user asked for it.
    #[serde(rename = "k")]
    Kept,
    /// The user did not.
    #[serde(rename = "n")]
    None,
}

/// Proof that the user allowed what the consent page named. Only [`Decision::read`] makes one.
#[derive(Debug)]
#[must_use]
pub struct UserApproved(Memory);

impl UserApproved {
    /// Whether the user does not want to be asked again.
    pub fn memory(self) -> Memory {
        self.0
    }
}

/// What the user decided.
#[derive(Debug)]
pub enum Decision {
    /// The client may go on.
    Allow(UserApproved),
    /// It may not.
    Deny,
}

impl Decision {
    /// The decision in the body of the form.
    ///
    /// # Errors
    /// There is none, or an unknown one.
    pub fn read(form: &Parameters, _: &SameOrigin) -> Result<Self, NoDecision> {
        match form.get("decision") {
            Some("allow") => {
                let kept = form.get("remember").is_some();
                Ok(Self::Allow(UserApproved(if kept { Memory::Kept } else { Memory::None })))
            }
            Some("deny") => Ok(Self::Deny),
            _ => Err(NoDecision),
        }
    }
}

/// The form has neither of the two decisions.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the form has no decision")]
pub struct NoDecision;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_page_may_send_the_form() {
        let base_url = PublicBaseUrl::try_from("https://gw.example.com").unwrap();
        let own = Some("https://gw.example.com");
        for (origin, site, good) in [
            (own, Some("same-origin"), true),
            (own, None, true),
            (own, Some("same-site"), false),
            (own, Some("cross-site"), false),
            (own, Some("none"), false),
            (None, Some("same-origin"), false),
            (None, None, false),
            (Some("null"), Some("same-origin"), false),
            (Some("https://evil.example"), None, false),
            (Some("http://gw.example.com"), None, false),
            (Some("https://gw.example.com.evil.example"), None, false),
        ] {
            let checked = SameOrigin::check(origin, site, &base_url);
            assert_eq!(checked.is_ok(), good, "{origin:?} {site:?}");
        }
    }

    #[test]
    fn a_decision_is_one_of_two_words() {
        for (form, decided) in [
            ("decision=allow", true),
            ("decision=deny", true),
            ("decision=Allow", false),
            ("decision=allow&decision=deny", false),
            ("", false),
        ] {
            let form = Parameters::parse(form.as_bytes()).unwrap();
            assert_eq!(Decision::read(&form, &SameOrigin(())).is_ok(), decided);
        }
    }
}
