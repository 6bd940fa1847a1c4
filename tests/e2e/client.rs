//! An MCP client and a browser, as far as the tests need them.

use reqwest::StatusCode;
use scraper::{Html, Selector};
use serde::Deserialize;
use url::Url;

use crate::system::{Answer, System};

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// A registered client.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) redirect_uri: String,
    pub(crate) scope: Option<&'static str>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
    pub(crate) expires_in: u64,
    pub(crate) scope: String,
}

impl Client {
    pub(crate) fn new(id: &str, redirect_uri: &str) -> Self {
        Self { id: id.to_owned(), redirect_uri: redirect_uri.to_owned(), scope: None }
    }

    /// A good authorization request.
    pub(crate) fn authorization(&self, system: &System) -> Url {
        self.authorization_with(system, &[])
    }

    /// A good authorization request but for `changes`; an empty value leaves the parameter out.
    pub(crate) fn authorization_with(&self, system: &System, changes: &[(&str, &str)]) -> Url {
        let resource = system.url("/mcp");
        let mut parameters = vec![
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", &self.redirect_uri),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
            ("state", "client-state"),
            ("resource", &resource),
        ];
        parameters.extend(self.scope.map(|scope| ("scope", scope)));
        parameters.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
        parameters.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
        Url::parse_with_params(&system.url("/authorize"), parameters).unwrap()
    }

    /// A good request to redeem `code`.
    pub(crate) fn exchange<'a>(&'a self, code: &'a str) -> Vec<(&'a str, &'a str)> {
        vec![
            ("grant_type", "authorization_code"),
            ("client_id", &self.id),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", VERIFIER),
        ]
    }
}

/// A browser with cookies of its own, which goes where it is told and no further.
pub(crate) struct Browser(pub(crate) reqwest::Client);

impl Browser {
    pub(crate) fn new() -> Self {
        let builder = reqwest::Client::builder().cookie_store(true);
        Self(builder.redirect(reqwest::redirect::Policy::none()).build().unwrap())
    }

    pub(crate) async fn open(&self, url: impl AsRef<str>) -> Answer {
        Answer::of(self.0.get(url.as_ref())).await
    }

    /// Opens `url` and says of the navigation what a browser says.
    pub(crate) async fn navigate(&self, url: impl AsRef<str>, site: &str) -> Answer {
        let request = self.0.get(url.as_ref()).header("sec-fetch-site", site);
        let request = request.header("sec-fetch-mode", "navigate");
        Answer::of(request.header("sec-fetch-dest", "document")).await
    }

    /// Sends a form to `/account` as that page would.
    pub(crate) async fn act(&self, system: &System, form: &[(&str, &str)]) -> Answer {
        let origin = system.url("");
        let origin = [("origin", origin.as_str()), ("sec-fetch-site", "same-origin")];
        self.post_account(system, &origin, form).await
    }

    /// Sends a form to `/account` as a page of `origin` would.
    pub(crate) async fn post_account(
        &self,
        system: &System,
        origin: &[(&'static str, &str)],
        form: &[(&str, &str)],
    ) -> Answer {
        let request = self.0.post(system.url("/account")).form(form);
        let with = |request: reqwest::RequestBuilder, (name, value): &(&'static str, &str)| {
            request.header(*name, *value)
        };
        Answer::of(origin.iter().fold(request, with)).await
    }

    /// Signs in at the account page as the person with the button `label`.
    pub(crate) async fn visit(&self, system: &System, label: &str) -> Answer {
        let to_sign_in = self.act(system, &[("action", "sign-in")]).await;
        assert_eq!(to_sign_in.status, StatusCode::SEE_OTHER, "{}", to_sign_in.body);
        let callback = self.press(&to_sign_in.location(), label).await;
        let answer = self.open(callback).await;
        assert_eq!(answer.location().as_str(), system.url("/account"));
        self.open(answer.location()).await
    }

    pub(crate) async fn head(&self, url: &Url) -> Answer {
        Answer::of(self.0.head(url.as_str())).await
    }

    /// Goes from the client to the consent page, and gives the sealed request that it holds.
    pub(crate) async fn consent_page(&self, authorization: &Url) -> String {
        let answer = self.open(authorization).await;
        assert_eq!(answer.status, StatusCode::FOUND, "{}", answer.body);
        let page = self.open(answer.location()).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        hidden_input(&page.body, "request")
    }

    /// Sends the consent form as a page of `origin` would.
    pub(crate) async fn decide_from(
        &self,
        system: &System,
        origin: &[(&'static str, &str)],
        form: &[(&str, &str)],
    ) -> Answer {
        let mut request = self.0.post(system.url("/consent")).form(form);
        for (name, value) in origin {
            request = request.header(*name, *value);
        }
        Answer::of(request).await
    }

    pub(crate) async fn decide(&self, system: &System, request: &str, decision: &str) -> Answer {
        let origin = system.url("");
        let origin = [("origin", origin.as_str()), ("sec-fetch-site", "same-origin")];
        self.decide_from(system, &origin, &[("request", request), ("decision", decision)]).await
    }

    /// Allows what the page asks, and does not want to be asked again.
    pub(crate) async fn allow_for_good(&self, system: &System, request: &str) -> Answer {
        let form = [("request", request), ("decision", "allow"), ("remember", "yes")];
        let origin = system.url("");
        let origin = [("origin", origin.as_str()), ("sec-fetch-site", "same-origin")];
        let answer = self.decide_from(system, &origin, &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        answer
    }

    /// Goes through consent, up to the address of the identity provider.
    pub(crate) async fn allow(&self, system: &System, authorization: &Url) -> Url {
        let request = self.consent_page(authorization).await;
        let answer = self.decide(system, &request, "allow").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        answer.location()
    }

    /// Signs in as alice, and gives the address of the callback.
    pub(crate) async fn sign_in(&self, identity_provider: &Url) -> Url {
        self.press(identity_provider, "alice").await
    }

    /// Presses the button `label` on the page of the identity provider, and gives the address of
    /// the callback.
    pub(crate) async fn press(&self, identity_provider: &Url, label: &str) -> Url {
        let page = self.open(identity_provider).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        let (action, fields) = form_of_button(&page.body, label);
        let action = identity_provider.join(&action).unwrap();
        let answer = Answer::of(self.0.post(action).form(&fields)).await;
        assert!(answer.status.is_redirection(), "{}", answer.body);
        answer.location()
    }

    /// The whole way to a code.
    pub(crate) async fn code(&self, system: &System, client: &Client) -> String {
        let identity_provider = self.allow(system, &client.authorization(system)).await;
        let callback = self.sign_in(&identity_provider).await;
        let answer = self.open(callback).await;
        answer.sent("code").unwrap_or_else(|| panic!("no code: {answer:?}"))
    }

    /// The whole way to a code for another user than alice.
    pub(crate) async fn code_as(&self, system: &System, client: &Client, name: &str) -> String {
        let identity_provider = self.allow(system, &client.authorization(system)).await;
        let callback = self.press(&identity_provider, name).await;
        self.open(callback).await.sent("code").unwrap()
    }
}

pub(crate) fn hidden_input(html: &str, name: &str) -> String {
    let selector = Selector::parse(&format!("form input[type=hidden][name={name}]")).unwrap();
    let page = Html::parse_document(html);
    let input = page.select(&selector).next().unwrap_or_else(|| panic!("no input: {html}"));
    input.attr("value").unwrap().to_owned()
}

/// Where the form with the button that reads `label` goes, and what it sends.
fn form_of_button(html: &str, label: &str) -> (String, Vec<(String, String)>) {
    let page = Html::parse_document(html);
    let (forms, buttons, inputs) = (selector("form"), selector("button"), selector("input"));
    for form in page.select(&forms) {
        for button in form.select(&buttons) {
            let text = button.text().collect::<String>().to_lowercase();
            if !text.contains(label) {
                continue;
            }
            let pair = |element: scraper::ElementRef<'_>| {
                let name = element.attr("name")?.to_owned();
                Some((name, element.attr("value").unwrap_or_default().to_owned()))
            };
            let fields = form.select(&inputs).filter_map(pair).chain(pair(button)).collect();
            return (form.attr("action").unwrap_or_default().to_owned(), fields);
        }
    }
    panic!("no button {label}: {html}")
}

fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}
