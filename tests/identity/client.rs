//! An MCP client with the browser of its user.

use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, Response, StatusCode};
use scraper::{Html, Selector};
use serde_json::{Value, json};
use url::Url;

use crate::cloud::Cloud;

const REDIRECT_URI: &str = "http://127.0.0.1:41000/callback";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) struct Client<'a> {
    cloud: &'a Cloud,
    http: reqwest::Client,
    id: String,
}

impl<'a> Client<'a> {
    pub(crate) async fn register(cloud: &'a Cloud) -> Self {
        let none = reqwest::redirect::Policy::none();
        let builder = reqwest::Client::builder().cookie_store(true).redirect(none).no_proxy();
        let http = builder.build().unwrap();
        let registration = json!({ "client_name": "App", "redirect_uris": [REDIRECT_URI] });
        let registered = http.post(cloud.url("/register")).json(&registration);
        let registered: Value = registered.send().await.unwrap().json().await.unwrap();
        let id = registered["client_id"].as_str().unwrap().to_owned();
        Self { cloud, http, id }
    }

    /// Goes to Entra ID by way of the consent page, and gives the address of the callback.
    pub(crate) async fn allow(&self) -> Url {
        let resource = self.cloud.url("/mcp");
        let authorization = Url::parse_with_params(
            &self.cloud.url("/authorize"),
            [
                ("response_type", "code"),
                ("client_id", &self.id),
                ("redirect_uri", REDIRECT_URI),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
                ("state", "client-state"),
                ("resource", &resource),
            ],
        );
        let consent = location(&self.http.get(authorization.unwrap()).send().await.unwrap());
        let page = self.http.get(consent).send().await.unwrap().text().await.unwrap();
        let request = hidden_request(&page);
        let form = [("request", request.as_str()), ("decision", "allow")];
        let consent = self.http.post(self.cloud.url("/consent")).form(&form);
        let origin = self.cloud.url("");
        let consent = consent.header("origin", origin).header("sec-fetch-site", "same-origin");
        let entra_id = location(&consent.send().await.unwrap());
        location(&self.http.get(entra_id).send().await.unwrap())
    }

    /// Comes back from Entra ID, and gives the parameters that the client gets.
    pub(crate) async fn come_back(&self, callback: Url) -> Vec<(String, String)> {
        let client = location(&self.http.get(callback).send().await.unwrap());
        client.query_pairs().into_owned().collect()
    }

    /// A whole sign-in, and the refresh token at its end.
    pub(crate) async fn sign_in(&self) -> String {
        let callback = self.allow().await;
        let answer = self.come_back(callback).await;
        let code = answer.iter().find(|(name, _)| name == "code");
        let (_, code) = code.unwrap_or_else(|| panic!("no code: {answer:?}"));
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &self.id),
            ("code", code),
            ("redirect_uri", REDIRECT_URI),
            ("code_verifier", VERIFIER),
        ];
        Tokens::of(self.http.post(self.cloud.url("/token")).form(&form)).await.refresh_token()
    }

    pub(crate) async fn refresh(&self, refresh_token: &str) -> Tokens {
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", &self.id),
            ("refresh_token", refresh_token),
        ];
        Tokens::of(self.http.post(self.cloud.url("/token")).form(&form)).await
    }
}

/// An answer of the token endpoint.
#[derive(Debug)]
pub(crate) struct Tokens {
    status: StatusCode,
    retry_after: Option<String>,
    body: Value,
}

impl Tokens {
    async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.map(|value| value.to_str().unwrap().to_owned());
        Self { status: response.status(), retry_after, body: response.json().await.unwrap() }
    }

    #[track_caller]
    pub(crate) fn refresh_token(&self) -> String {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        self.body["refresh_token"].as_str().unwrap().to_owned()
    }

    /// Asserts that the client is told to try again.
    #[track_caller]
    pub(crate) fn told_to_wait(&self) {
        assert_eq!(self.status, StatusCode::SERVICE_UNAVAILABLE, "{self:?}");
        assert_eq!(self.body["error"], "temporarily_unavailable");
        assert!(self.retry_after.is_some());
    }
}

fn location(response: &Response) -> Url {
    let location = response.headers().get("location");
    let location = location.unwrap_or_else(|| panic!("no Location: {response:?}"));
    Url::parse(location.to_str().unwrap()).unwrap()
}

fn hidden_request(page: &str) -> String {
    let selector = Selector::parse("input[type=hidden][name=request]").unwrap();
    let page = Html::parse_document(page);
    page.select(&selector).next().unwrap().attr("value").unwrap().to_owned()
}
