//! The page for a request that cannot be answered with a redirect.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::{Page, STYLE};

/// Says what went wrong and what to do next. The texts are static, so that the page cannot repeat
/// anything that a request brought.
#[derive(Debug)]
pub struct ErrorPage<'a> {
    /// The status of the answer.
    pub status: StatusCode,
    /// What happened, in a few words.
    pub title: &'static str,
    /// What happened, in one sentence.
    pub explanation: &'static str,
    /// What the user can do about it, in one sentence.
    pub next_step: &'static str,
    /// Under which our logs know more.
    pub correlation_id: &'a str,
}

impl IntoResponse for ErrorPage<'_> {
    fn into_response(self) -> Response {
        let content = Content {
            style: STYLE,
            title: self.title,
            explanation: self.explanation,
            next_step: self.next_step,
            correlation_id: self.correlation_id,
        };
        Page {
            status: self.status,
            cache_control: "no-store",
            referrer_policy: "no-referrer",
            content,
        }
        .into_response()
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct Content<'a> {
    style: &'static str,
    title: &'static str,
    explanation: &'static str,
    next_step: &'static str,
    correlation_id: &'a str,
}
