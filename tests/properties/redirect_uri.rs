//! Redirect URIs, and the answers that are sent to them.

use oauth_fn::protocol::client_metadata::{ClientMetadata, RefreshTokens};
use oauth_fn::protocol::destination::Destination;
use oauth_fn::protocol::redirect_uri::RedirectUri;
use proptest::prelude::*;
use shared::base_url::PublicBaseUrl;
use url::Url;

const ORIGIN: &str = "https://gw.example.com";

fn uri(text: &str) -> Option<RedirectUri> {
    RedirectUri::try_from(text.to_owned()).ok()
}

/// Texts that are redirect URIs, or nearly.
fn candidates() -> impl Strategy<Value = String> {
    let start = prop_oneof![
        "https://[a-z0-9.@:-]{1,16}",
        "http://(127\\.0\\.0\\.1|localhost|\\[::1\\])(:[0-9]{1,6})?",
        "[a-zA-Z][a-zA-Z0-9.+-]{0,10}:/{0,3}[a-z]{0,6}",
        "(https?|cursor)[:/\\\\@]{1,4}[ -~]{0,12}",
    ];
    let path = "(/[a-zA-Z0-9._~%-]{0,6}){0,3}";
    let query =
        prop_oneof!["", "\\?[a-z]{1,5}=[a-zA-Z0-9%+.]{0,6}(&[a-z]{1,5}=[a-z]{0,3})?", "[ -~]{0,6}"];
    (start, path, query).prop_map(|(start, path, query)| format!("{start}{path}{query}"))
}

/// URIs that clients register.
fn registered() -> impl Strategy<Value = String> {
    let start = prop_oneof![
        "https://[a-z]{1,8}\\.example(:8443)?",
        "http://(127\\.0\\.0\\.1|localhost|\\[::1\\])(:[1-9][0-9]{3})?",
        Just("cursor://app".to_owned()),
    ];
    (start, "/[a-z]{1,5}(/[a-z]{1,5})?(\\?[f-h]{1,3}=[a-z0-9]{0,3})?")
        .prop_map(|(start, rest)| format!("{start}{rest}"))
}

/// A text with one piece put in, left out or put in the place of another.
fn changed(text: &str, at: usize, piece: &str, gone: usize) -> String {
    let at = at % (text.chars().count() + 1);
    let (before, after) = (text.chars().take(at), text.chars().skip(at).skip(gone));
    before.chain(piece.chars()).chain(after).collect()
}

/// Without the port of a loopback address.
fn portless(text: &str) -> String {
    let mut url = Url::parse(text).unwrap();
    if url.scheme() == "http" {
        url.set_port(None).unwrap();
    }
    url.into()
}

proptest! {
    #![proptest_config(crate::cases())]

    #[test]
    fn an_accepted_uri_is_read_as_one_and_the_same_by_everybody(
        text in prop_oneof![candidates(), registered(), ".{0,60}"],
    ) {
        let Some(uri) = uri(&text) else {
            return Ok(());
        };

        let url = Url::parse(&text).unwrap();
        prop_assert_eq!(uri.as_str(), &text);
        prop_assert!(url.as_str() == text || url.as_str() == format!("{text}/"), "{}", text);
        prop_assert!(url.username().is_empty() && url.password().is_none());
        prop_assert_eq!(url.fragment(), None);
        prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
        let json = serde_json::to_string(&uri).unwrap();
        prop_assert_eq!(serde_json::from_str::<RedirectUri>(&json).unwrap(), uri);
    }

    #[test]
    fn an_answer_adds_exactly_its_own_parameters(
        text in prop_oneof![candidates(), registered()],
        code in "[A-Za-z0-9_-]{1,40}",
        state in proptest::option::of(".{1,60}"),
    ) {
        let Some(uri) = uri(&text) else {
            return Ok(());
        };
        let redirect_uris = vec![uri];
        let client = ClientMetadata {
            name: "App".to_owned(),
            redirect_uris,
            refresh_tokens: RefreshTokens::Issued,
        };
        let destination = Destination::new(&client, Some(&text), state.as_deref()).unwrap();

        let answer = destination.with_code(&code, &PublicBaseUrl::try_from(ORIGIN).unwrap());

        prop_assert!(answer.starts_with(&text), "{}", answer);
        prop_assert!(http::HeaderValue::try_from(answer.as_str()).is_ok());
        let mut expected: Vec<(String, String)> =
            Url::parse(&text).unwrap().query_pairs().into_owned().collect();
        expected.push(("code".to_owned(), code));
        expected.extend(state.map(|state| ("state".to_owned(), state)));
        expected.push(("iss".to_owned(), ORIGIN.to_owned()));
        let answer = Url::parse(&answer).unwrap();
        prop_assert_eq!(answer.query_pairs().into_owned().collect::<Vec<_>>(), expected);
        prop_assert_eq!(answer.fragment(), None);
    }

    #[test]
    fn a_changed_uri_that_is_permitted_differs_in_its_loopback_port_alone(
        text in registered(),
        at in any::<usize>(),
        piece in prop_oneof!["[ -~]{0,3}", ":[0-9]{0,5}", "(%2e|%2f|@|/\\.\\.|\\.evil\\.example)"],
        gone in 0..4_usize,
    ) {
        let registered = uri(&text).unwrap();
        let text = changed(&text, at, &piece, gone);

        if let Some(requested) = uri(&text).filter(|requested| registered.permits(requested)) {
            prop_assert_eq!(portless(requested.as_str()), portless(registered.as_str()));
        }
    }

    #[test]
    fn a_loopback_uri_permits_itself_on_every_port(
        (host, path) in ("(127\\.0\\.0\\.1|localhost|\\[::1\\])", "/[a-z]{0,5}"),
        one in 1..=u16::MAX,
        two in 1..=u16::MAX,
    ) {
        // The port that http has anyway is not written (RFC 3986 section 6.2.3).
        prop_assume!(one != 80 && two != 80);
        let at = |port: u16| uri(&format!("http://{host}:{port}{path}")).unwrap();

        prop_assert!(at(one).permits(&at(two)));
        prop_assert!(at(one).without_loopback_port().permits(&at(two)));
    }

    #[test]
    fn a_dangerous_scheme_is_refused_in_every_spelling(
        scheme in "(?i)(javascript|data|vbscript|file|blob|about|mailto|view-source|intent)",
        between in "[\t\n\r ]{0,2}",
        rest in ":/{0,3}[ -~]{0,20}",
        at in any::<usize>(),
    ) {
        let scheme = changed(&scheme, at, &between, 0);

        prop_assert_eq!(uri(&format!("{scheme}{rest}")), None);
    }
}
