//! What people see: the consent page, the account page, the error page and the landing page.
//! Nothing else is HTML.

mod account;
mod client_setup;
mod consent;
mod display_name;
mod error;
mod landing;

use std::sync::LazyLock;

use askama::Template;
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

pub use account::{AccountPage, ConnectedClient};
pub use client_setup::ClientSetup;
pub use consent::ConsentPage;
pub use display_name::DisplayName;
pub use error::ErrorPage;
pub use landing::LandingPage;

/// The whole of the pages' style. It is inlined, so that a page is one answer and loads nothing.
const STYLE: &str = include_str!("../../templates/pages.css");

/// Allows the one style element by its hash and nothing else, not even framing.
///
/// There is no `form-action`: Chromium applies it to every redirect that follows the form, and
/// the last of them leads to the client, wherever that is.
static CONTENT_SECURITY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let hash = BASE64.encode(&Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; frame-ancestors 'none'; base-uri 'none'"
    );
    HeaderValue::try_from(policy).ok()
});

/// A page on its way out: what the four differ in. The headers they share are added here only.
struct Page<T> {
    status: StatusCode,
    cache_control: &'static str,
    referrer_policy: &'static str,
    content: T,
}

impl<T: Template> IntoResponse for Page<T> {
    fn into_response(self) -> Response {
        let (Ok(html), Some(content_security)) = (self.content.render(), &*CONTENT_SECURITY) else {
            tracing::error!("a page could not be rendered");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let headers = [
            (CACHE_CONTROL, HeaderValue::from_static(self.cache_control)),
            (CONTENT_SECURITY_POLICY, content_security.clone()),
            (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
            (REFERRER_POLICY, HeaderValue::from_static(self.referrer_policy)),
            (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
        ];
        (self.status, headers, html).into_response()
    }
}

#[cfg(test)]
mod tests;
