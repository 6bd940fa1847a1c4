//! Where the user's browser may be sent back to with a code or a refusal.

use serde::{Deserialize, Serialize};
use shared::base_url::PublicBaseUrl;
use url::form_urlencoded;

use super::client_metadata::ClientMetadata;
use super::error::AuthorizationRefusal;
use super::redirect_uri::RedirectUri;

/// Longest `state` of a client, in bytes.
const LONGEST_STATE: usize = 1024;

/// A redirect URI that was proved to be the client's, and the state that goes back with it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Destination {
    client_redirect_uri: RedirectUri,
    client_state: Option<String>,
}

impl Destination {
    /// The destination that a request of `client` names.
    ///
    /// # Errors
    /// The redirect URI is not the client's, or the state is too long: show a page, do not
    /// redirect.
    pub fn new(
        client: &ClientMetadata,
        redirect_uri: Option<&str>,
        client_state: Option<&str>,
    ) -> Result<Self, NoDestination> {
        let requested = redirect_uri.ok_or(NoDestination::MissingRedirectUri)?;
        let requested = RedirectUri::try_from(requested.to_owned())
            .ok()
            .filter(|uri| client.permits(uri))
            .ok_or(NoDestination::OtherRedirectUri)?;
        if client_state.is_some_and(|state| state.len() > LONGEST_STATE) {
            return Err(NoDestination::LongState);
        }
        let client_state = client_state.map(str::to_owned);
        Ok(Self { client_redirect_uri: requested, client_state })
    }

    /// The redirect URI alone.
    pub fn redirect_uri(&self) -> &RedirectUri {
        &self.client_redirect_uri
    }

    /// The URL that hands over `code` (RFC 6749 section 4.1.2, RFC 9207 section 2).
    pub fn with_code(&self, code: &str, issuer: &PublicBaseUrl) -> String {
        self.answer(&[("code", code)], issuer)
    }

    /// The URL that tells of a refusal (RFC 6749 section 4.1.2.1, RFC 9207 section 2).
    pub fn with_refusal(&self, refusal: &AuthorizationRefusal, issuer: &PublicBaseUrl) -> String {
        let description = refusal.description();
        let parameters =
            [("error", refusal.code.as_str()), ("error_description", description.as_str())];
        self.answer(&parameters, issuer)
    }

    /// Appends to the query and leaves every byte of the registered URI as it is.
    fn answer(&self, parameters: &[(&str, &str)], issuer: &PublicBaseUrl) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        query.extend_pairs(self.client_state.as_deref().map(|state| ("state", state)));
        query.append_pair("iss", issuer.as_str());
        let uri = self.client_redirect_uri.as_str();
        let joint = match uri.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        format!("{uri}{joint}{}", query.finish())
    }
}

/// Why the browser cannot be sent back to the client.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NoDestination {
    /// The state is longer than 1024 bytes.
    #[error("the program sent a state of more than 1024 bytes")]
    LongState,
    /// No redirect URI was sent, or more than one.
    #[error("the program did not say where to send you back to")]
    MissingRedirectUri,
    /// The redirect URI is not one that the client registered.
    #[error("the program asked to send you to an address that it did not register")]
    OtherRedirectUri,
}

#[cfg(test)]
mod tests {
    use super::super::client_metadata::RefreshTokens;
    use super::super::error::AuthorizationErrorCode;
    use super::*;

    fn destination(uri: &str, state: Option<&str>) -> Result<Destination, NoDestination> {
        let client = ClientMetadata {
            name: "App".to_owned(),
            redirect_uris: vec![RedirectUri::try_from(uri.to_owned()).unwrap()],
            refresh_tokens: RefreshTokens::Issued,
        };
        Destination::new(&client, Some(uri), state)
    }

    fn issuer() -> PublicBaseUrl {
        PublicBaseUrl::try_from("https://gw.example.com").unwrap()
    }

    #[test]
    fn a_code_travels_with_state_and_issuer() {
        let url = destination("https://app.example/cb", Some("s")).unwrap();

        assert_eq!(
            url.with_code("c", &issuer()),
            "https://app.example/cb?code=c&state=s&iss=https%3A%2F%2Fgw.example.com"
        );
    }

    #[test]
    fn no_state_is_added_where_none_came() {
        let url = destination("https://app.example/cb", None).unwrap().with_code("c", &issuer());

        assert!(!url.contains("state"));
    }

    #[test]
    fn the_registered_query_stays_as_it_was() {
        for (uri, joined) in [
            ("https://app.example/cb?a=%7e+1", "https://app.example/cb?a=%7e+1&code=c&"),
            ("https://app.example/cb?", "https://app.example/cb?code=c&"),
        ] {
            let url = destination(uri, None).unwrap().with_code("c", &issuer());

            assert!(url.starts_with(joined), "{url}");
        }
    }

    #[test]
    fn a_hostile_state_comes_back_as_the_same_state_and_nothing_more() {
        let hostile = "a&code=evil#x\r\nSet-Cookie: y\u{2028}%";

        let url = destination("https://app.example/cb", Some(hostile)).unwrap();
        let url = url::Url::parse(&url.with_code("c", &issuer())).unwrap();

        let pairs: Vec<_> = url.query_pairs().into_owned().collect();
        assert_eq!(pairs.len(), 3);
        assert_eq!(pairs[1], ("state".to_owned(), hostile.to_owned()));
        assert_eq!(url.fragment(), None);
    }

    #[test]
    fn a_refusal_travels_with_state_and_issuer_too() {
        let refusal = AuthorizationRefusal::new(AuthorizationErrorCode::AccessDenied, "No.");

        let url = destination("https://app.example/cb", Some("s")).unwrap();

        assert_eq!(
            url.with_refusal(&refusal, &issuer()),
            "https://app.example/cb?error=access_denied&error_description=No.&state=s\
             &iss=https%3A%2F%2Fgw.example.com"
        );
    }

    #[test]
    fn there_is_no_destination_without_a_registered_uri_and_a_short_state() {
        let long = "s".repeat(1025);

        assert_eq!(
            destination("https://app.example/cb", Some(&long)).unwrap_err(),
            NoDestination::LongState
        );
        let client = ClientMetadata {
            name: "App".to_owned(),
            redirect_uris: Vec::new(),
            refresh_tokens: RefreshTokens::Issued,
        };
        for (uri, why) in [
            (None, NoDestination::MissingRedirectUri),
            (Some("https://app.example/cb"), NoDestination::OtherRedirectUri),
            (Some("javascript:x"), NoDestination::OtherRedirectUri),
        ] {
            assert_eq!(Destination::new(&client, uri, None).unwrap_err(), why);
        }
    }
}
