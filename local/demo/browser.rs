//! The user's browser: keeps cookies, follows redirects, presses buttons. It runs no script.

use http::header::{LOCATION, ORIGIN};
use url::Url;

use super::form::{Button, Page};
use super::{Cause, unexpected};

const MOST_REDIRECTS: usize = 10;

/// A browser with its cookies.
#[derive(Debug)]
pub(super) struct Browser {
    http: reqwest::Client,
    redirect_uri: String,
}

/// Where a navigation ends.
#[derive(Debug)]
pub(super) enum Arrival {
    /// At the client's redirect URI, where no server has to listen.
    Client(Url),
    /// At a page.
    Page(Page),
}

impl Browser {
    /// A browser that hands what comes to `redirect_uri` to the client.
    pub(super) fn new(redirect_uri: &str) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .cookie_store(true)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { http, redirect_uri: redirect_uri.to_owned() })
    }

    /// Opens `url`.
    pub(super) async fn open(&self, url: Url) -> Result<Arrival, Cause> {
        self.navigate(self.http.get(url)).await
    }

    /// Presses `button` of the form on `page`.
    pub(super) async fn press(&self, page: &Page, button: &Button) -> Result<Arrival, Cause> {
        let request = self
            .http
            .post(page.form.action.clone())
            .form(&page.form.fields_with(button))
            .header(ORIGIN, page.url.origin().ascii_serialization())
            .header("sec-fetch-site", "same-origin")
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document")
            .header("sec-fetch-user", "?1");
        self.navigate(request).await
    }

    async fn navigate(&self, mut request: reqwest::RequestBuilder) -> Result<Arrival, Cause> {
        for _ in 0..MOST_REDIRECTS {
            let answer = request.header("accept", "text/html").send().await?;
            let (url, status) = (answer.url().clone(), answer.status());
            if !status.is_redirection() {
                let page = Page::read(url, status, &answer.text().await?)?;
                return Ok(Arrival::Page(page));
            }
            let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let Some(location) = location else {
                return unexpected(format_args!("{url} redirects to nowhere"));
            };
            let next = url.join(location)?;
            if next.as_str().starts_with(&self.redirect_uri) {
                return Ok(Arrival::Client(next));
            }
            request = self.http.get(next);
        }
        unexpected("the redirects do not end")
    }
}
