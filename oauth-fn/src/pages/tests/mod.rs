//! What the four pages have in common: headers, nothing from elsewhere, and inert user input.

mod contrast;

use axum::body::to_bytes;
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use http::{HeaderMap, StatusCode};
use scraper::{Html, Selector};
use sha2::{Digest, Sha256};
use shared::base_url::PublicBaseUrl;
use shared::clock::UnixTime;
use shared::scope::Scopes;
use shared::session::{Identity, SessionId};
use url::Url;

use crate::grant::Connection;
use crate::pages::{
    AccountPage, ClientSetup, ConnectedClient, ConsentPage, ErrorPage, LandingPage,
};

const BASE_URL: &str = "https://gateway.example.com";

/// What clients have sent, or might, in the hope that a page runs or misreads it.
const HOSTILE: [&str; 11] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><b onmouseover='alert(1)",
    "</bdi></h1><form action=\"https://evil.example\"><button>Allow</button></form>",
    "</style><style>* { display: none }</style>",
    "<!--",
    "&lt;script&gt;&#60;b&#62;",
    "{{ client_name }}{% include \"base.html\" %}",
    "\u{202e}edoC dulaC\u{202c}",
    "Cla\u{200b}ude\u{2066} \u{feff}Code\u{2069}",
    "javascript:alert(1)",
];

fn consent(client_name: &str, redirect_uri: &str, sealed_request: &str) -> Response {
    ConsentPage {
        client_name,
        of_website: redirect_uri.starts_with("https:"),
        client_host: None,
        redirect_uri: &Url::parse(redirect_uri).unwrap(),
        scopes: &Scopes::all(),
        sealed_request,
    }
    .into_response()
}

fn ordinary_consent() -> Response {
    consent("Claude Code", "http://127.0.0.1:53122/callback", "c2VhbGVk")
}

fn error() -> Response {
    ErrorPage {
        status: StatusCode::BAD_REQUEST,
        title: "This link does not work any more",
        explanation: "It was made for a sign-in that has ended.",
        next_step: "Go back to your program and connect again.",
        correlation_id: "0f8fad5bd9cb469f",
    }
    .into_response()
}

/// The account page of a user who is connected through one client; both chose their names.
fn account(user: &str, client: &str) -> Response {
    let id = |text: &str| text.to_owned().try_into().unwrap();
    let now = UnixTime::from_secs(1_797_206_400);
    let connection = Connection {
        session: SessionId::derived_from(b"state"),
        ends_at: now,
        user: Identity { tenant_id: id("t"), object_id: id("o"), name: user.to_owned() },
        client_id: client.to_owned(),
        client_name: client.to_owned(),
        scopes: Scopes::all(),
        since: now,
    };
    let clients = vec![ConnectedClient::of(&connection)];
    AccountPage::Visitor { name: user, clients }.into_response()
}

fn ordinary_account() -> Response {
    account("Alice", "Claude Code")
}

fn landing() -> Response {
    LandingPage { base_url: &PublicBaseUrl::try_from(BASE_URL).unwrap() }.into_response()
}

async fn html(response: Response) -> String {
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn document(response: Response) -> Html {
    Html::parse_document(&html(response).await)
}

/// Every element with the names of its attributes: all that a text must not be able to change.
fn shape(document: &Html) -> Vec<(String, Vec<String>)> {
    let elements = document.root_element().descendent_elements();
    elements
        .map(|element| {
            let attributes = element.value().attrs().map(|(name, _)| name.to_owned()).collect();
            (element.value().name().to_owned(), attributes)
        })
        .collect()
}

fn texts(document: &Html, selector: &str) -> Vec<String> {
    let selector = Selector::parse(selector).unwrap();
    let words = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    document.select(&selector).map(|element| words(element.text().collect())).collect()
}

fn attributes(document: &Html, selector: &str, name: &str) -> Vec<String> {
    let selector = Selector::parse(selector).unwrap();
    let values = document.select(&selector).filter_map(|element| element.attr(name));
    values.map(str::to_owned).collect()
}

fn header_list(headers: &HeaderMap) -> Vec<(&str, &str)> {
    let mut list: Vec<_> =
        headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    list.sort_unstable();
    list
}

#[tokio::test]
async fn each_page_has_exactly_its_headers_and_allows_only_its_own_style() {
    for (page, status, cache_control, referrer_policy) in [
        (ordinary_consent(), StatusCode::OK, "no-store", "same-origin"),
        (ordinary_account(), StatusCode::OK, "no-store", "same-origin"),
        (AccountPage::Stranger.into_response(), StatusCode::OK, "no-store", "same-origin"),
        (error(), StatusCode::BAD_REQUEST, "no-store", "no-referrer"),
        (landing(), StatusCode::OK, "public, max-age=300", "no-referrer"),
    ] {
        assert_eq!(page.status(), status);
        let headers = page.headers().clone();

        let document = document(page).await;

        let styles = attributes(&document, "style", "media");
        assert!(styles.is_empty());
        let style: String = Selector::parse("style")
            .map(|selector| document.select(&selector).flat_map(|found| found.text()).collect())
            .unwrap();
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{}'; frame-ancestors 'none'; base-uri 'none'",
            BASE64.encode(&Sha256::digest(style))
        );
        assert_eq!(
            header_list(&headers),
            [
                ("cache-control", cache_control),
                ("content-security-policy", policy.as_str()),
                ("content-type", "text/html; charset=utf-8"),
                ("referrer-policy", referrer_policy),
                ("x-content-type-options", "nosniff"),
                ("x-frame-options", "DENY"),
            ]
        );
    }
}

#[tokio::test]
async fn nothing_runs_and_nothing_loads_from_elsewhere() {
    for page in [ordinary_consent(), ordinary_account(), error(), landing()] {
        let html = html(page).await;

        let document = Html::parse_document(&html);
        for tag in ["script", "img", "link", "iframe", "object", "embed", "base", "use", "image"] {
            assert_eq!(texts(&document, tag), Vec::<String>::new(), "{tag}");
        }
        for (element, attributes) in shape(&document) {
            for name in attributes {
                let loads = ["src", "srcset", "style", "background", "poster"];
                let runs = name.starts_with("on");
                assert!(!runs && !loads.contains(&name.as_str()), "{element} {name}");
            }
        }
        for loading in ["src=", "url(", "@import", "@font-face"] {
            assert!(!html.contains(loading), "{loading}");
        }
        for target in attributes(&document, "[href], [action]", "href") {
            assert!(target.starts_with('/') && !target.starts_with("//"), "{target}");
        }
    }
}

#[tokio::test]
async fn each_page_tells_its_language_and_title_and_has_one_heading_and_one_main_part() {
    for page in [ordinary_consent(), ordinary_account(), error(), landing()] {
        let document = document(page).await;

        assert_eq!(attributes(&document, "html", "lang"), ["en"]);
        for once in ["title", "h1", "main", "body > header"] {
            assert_eq!(texts(&document, once).len(), 1, "{once}");
        }
        for label in attributes(&document, "[aria-labelledby]", "aria-labelledby") {
            assert_eq!(texts(&document, &format!("h2#{label}")).len(), 1, "{label}");
        }
    }
}

#[tokio::test]
async fn a_hostile_name_is_shown_as_text_and_changes_no_element() {
    let ordinary = shape(&document(ordinary_consent()).await);

    for name in HOSTILE {
        let page = consent(name, "http://127.0.0.1:53122/callback", "c2VhbGVk");
        let document = document(page).await;

        assert_eq!(shape(&document), ordinary, "{name}");
        let shown = crate::pages::display_name::DisplayName::from(name).to_string();
        assert_eq!(texts(&document, "h1 > bdi"), [shown]);
    }
}

#[tokio::test]
async fn hostile_names_change_no_element_of_the_account_page() {
    let ordinary = shape(&document(ordinary_account()).await);

    for name in HOSTILE {
        let document = document(account(name, name)).await;

        assert_eq!(shape(&document), ordinary, "{name}");
        let shown = crate::pages::display_name::DisplayName::from(name).to_string();
        assert_eq!(texts(&document, "bdi"), [shown.as_str(), &shown]);
    }
}

#[tokio::test]
async fn a_hostile_request_comes_back_as_it_was_and_changes_no_element() {
    let ordinary = shape(&document(ordinary_consent()).await);

    for request in HOSTILE {
        let page = consent("Claude Code", "http://127.0.0.1:53122/callback", request);
        let document = document(page).await;

        assert_eq!(shape(&document), ordinary, "{request}");
        assert_eq!(attributes(&document, "input[type=hidden][name=request]", "value"), [request]);
    }
}

#[tokio::test]
async fn a_hostile_redirect_uri_changes_no_element() {
    let ordinary = shape(&document(ordinary_consent()).await);

    for text in HOSTILE {
        let mut redirect_uri = Url::parse("http://127.0.0.1:53122/").unwrap();
        redirect_uri.set_path(text);
        redirect_uri.set_query(Some(text));
        let document = document(consent("Claude Code", redirect_uri.as_str(), "c2VhbGVk")).await;

        assert_eq!(shape(&document), ordinary, "{text}");
        assert_eq!(texts(&document, ".uri"), [redirect_uri.as_str()]);
    }
}

#[tokio::test]
async fn the_consent_form_posts_the_request_with_either_decision() {
    let page = consent("Claude", "https://claude.ai/api/callback", "c2VhbGVk");
    let document = document(page).await;

    assert_eq!(attributes(&document, "form", "action"), ["/consent"]);
    assert_eq!(attributes(&document, "form", "method"), ["post"]);
    assert_eq!(attributes(&document, "form input", "name"), ["request", "remember"]);
    assert_eq!(attributes(&document, "input[name=remember]", "type"), ["checkbox"]);
    assert_eq!(attributes(&document, "input[checked]", "name"), Vec::<String>::new());
    assert_eq!(attributes(&document, "form button[name=decision]", "value"), ["deny", "allow"]);
    assert_eq!(texts(&document, "form button"), ["Deny", "Allow"]);
}

#[tokio::test]
async fn the_consent_page_says_who_asks_for_what_and_where_the_answer_goes() {
    let document = document(consent("Claude", "https://claude.ai/api/callback", "x")).await;

    assert_eq!(texts(&document, "h1"), ["Allow Claude to connect?"]);
    assert_eq!(texts(&document, ".place"), ["claude.ai"]);
    assert_eq!(texts(&document, ".warning"), Vec::<String>::new());
    assert_eq!(
        texts(&document, ".access li"),
        [
            "See your name and tenant",
            "List and read your saved snippets",
            "Save, change and delete your snippets"
        ]
    );
    let all = texts(&document, "main").concat();
    assert!(all.contains("chose this name itself. Nobody has verified it."));
    assert!(all.contains("Next, you sign in at your organisation."));
}

#[tokio::test]
async fn a_program_on_this_computer_or_an_app_comes_with_a_warning() {
    for (redirect_uri, place, warning) in [
        (
            "http://localhost:53122/callback",
            "localhost:53122",
            "This is a program on this computer. Allow only if you started it yourself just now.",
        ),
        (
            "cursor://anysphere.cursor-mcp/oauth",
            "cursor://",
            "This opens an app on this device. Allow only if you asked that app to connect just now.",
        ),
    ] {
        let document = document(consent("Cursor", redirect_uri, "x")).await;

        assert_eq!(texts(&document, ".place"), [place]);
        assert_eq!(texts(&document, ".warning"), [warning]);
    }
}

#[tokio::test]
async fn a_client_that_is_known_by_its_website_is_shown_with_it() {
    let page = |redirect_uri: &str| {
        ConsentPage {
            client_name: "Claude",
            of_website: false,
            client_host: Some("app.example"),
            redirect_uri: &Url::parse(redirect_uri).unwrap(),
            scopes: &Scopes::all(),
            sealed_request: "x",
        }
        .into_response()
    };

    let site = document(page("https://app.example/cb")).await;
    let local = document(page("http://127.0.0.1:53122/callback")).await;

    for document in [&site, &local] {
        let all = texts(document, "main").concat();
        assert!(all.contains("It is identified by the website app.example."), "{all}");
        assert!(all.contains("chose this name itself. Nobody has verified it."));
    }
    assert_eq!(texts(&site, ".warning"), Vec::<String>::new());
    let warning = texts(&local, ".warning").concat();
    assert!(warning.ends_with("Every program here can claim to be the one of app.example."));
}

#[tokio::test]
async fn a_program_on_this_computer_or_an_app_cannot_be_remembered() {
    for redirect_uri in ["http://localhost:53122/callback", "cursor://anysphere.cursor-mcp/oauth"] {
        let document = document(consent("Cursor", redirect_uri, "x")).await;

        assert_eq!(attributes(&document, "form input", "name"), ["request"]);
    }
}

#[tokio::test]
async fn a_client_that_asks_for_no_scope_is_said_to_ask_for_no_more() {
    let page = ConsentPage {
        client_name: "Claude",
        of_website: true,
        client_host: None,
        redirect_uri: &Url::parse("https://claude.ai/").unwrap(),
        scopes: &Scopes::default(),
        sealed_request: "x",
    };

    let document = document(page.into_response()).await;

    assert_eq!(texts(&document, ".access li"), ["See your name and tenant"]);
    assert!(texts(&document, "main").concat().contains("your snippets stay closed to it"));
}

#[tokio::test]
async fn the_account_page_names_each_program_its_rights_and_its_buttons() {
    let document = document(ordinary_account()).await;

    assert_eq!(texts(&document, ".name"), ["Claude Code"]);
    assert_eq!(texts(&document, ".connections .quiet"), ["Last signed in 2026-12-14"]);
    assert_eq!(texts(&document, ".connections .access li").len(), 2);
    assert_eq!(texts(&document, "button"), ["Revoke", "Revoke all", "Sign out"]);
    let actions = attributes(&document, "button[name=action]", "value");
    assert_eq!(actions, ["revoke", "revoke-all", "sign-out"]);
    let labels = attributes(&document, "button", "aria-label");
    assert_eq!(labels, ["Revoke Claude Code"]);
    assert_eq!(attributes(&document, "form", "action"), ["/account", "/account"]);
}

#[tokio::test]
async fn the_error_page_gives_a_next_step_and_the_number_to_report() {
    let document = document(error()).await;

    assert_eq!(texts(&document, "h1"), ["This link does not work any more"]);
    assert_eq!(texts(&document, "code"), ["0f8fad5bd9cb469f"]);
    let all = texts(&document, "main").concat();
    assert!(all.contains("It was made for a sign-in that has ended."));
    assert!(all.contains("Go back to your program and connect again."));
}

#[tokio::test]
async fn the_landing_page_is_the_same_every_time_and_shows_each_setup_whole() {
    let base_url = PublicBaseUrl::try_from(BASE_URL).unwrap();

    let (first, second) = (html(landing()).await, html(landing()).await);

    assert_eq!(first, second);
    let document = Html::parse_document(&first);
    let selector = Selector::parse("details code").unwrap();
    let shown: Vec<String> = document.select(&selector).map(|code| code.text().collect()).collect();
    assert_eq!(shown, ClientSetup::all(&base_url).map(|setup| setup.text));
    assert_eq!(texts(&document, "#address + pre"), ["https://gateway.example.com/mcp"]);
}
