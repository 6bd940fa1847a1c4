//! The pages: plain forms without script.

use askama::Template;
use axum::response::{Html, IntoResponse, Response};
use http::{StatusCode, header};

use super::parameters::Parameters;
use super::people::{Person, TENANT};
use super::unstored;

/// A button of the page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Choice {
    /// The user gave up.
    Cancelled,
    /// The code comes too late to be redeemed.
    CodeExpired,
    /// Somebody signs in.
    Person(Person),
    /// Entra ID failed.
    ServerError,
    /// Nobody is signed in any more.
    SessionExpired,
    /// Entra ID asks to try again later.
    TemporarilyUnavailable,
}

impl Choice {
    const ERRORS: [Self; 5] = [
        Self::Cancelled,
        Self::SessionExpired,
        Self::CodeExpired,
        Self::ServerError,
        Self::TemporarilyUnavailable,
    ];

    /// The choice of the button with this value.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let people = Person::ALL.map(Self::Person).into_iter();
        people.chain(Self::ERRORS).find(|choice| choice.value() == value)
    }

    fn value(self) -> &'static str {
        match self {
            Self::Cancelled => "access_denied",
            Self::CodeExpired => "expired_code",
            Self::Person(person) => person.as_str(),
            Self::ServerError => "server_error",
            Self::SessionExpired => "login_required",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Cancelled => "Cancel",
            Self::CodeExpired => "Expired code",
            Self::Person(person) => person.display_name(),
            Self::ServerError => "Server error",
            Self::SessionExpired => "Expired session",
            Self::TemporarilyUnavailable => "Temporarily unavailable",
        }
    }

    fn detail(self) -> &'static str {
        match self {
            Self::Person(person) if person.tenant() == TENANT => person.user_name(),
            Self::Person(_) => "a user of another directory, who is not let in",
            other => other.value(),
        }
    }
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in - development identity provider</title>
<link rel="stylesheet" href="/dev-idp/style.css">
</head>
<body>
<main>
<p class="kicker">Development identity provider</p>
<h1>Who is signing in?</h1>
<p>This page stands in for Microsoft Entra ID on this machine. Nobody needs a password.</p>
<form method="post" action="/dev-idp/authorize">
{% for (name, value) in hidden %}<input type="hidden" name="{{ name }}" value="{{ value }}">
{% endfor %}<ul>
{% for choice in people %}<li><button name="choice" value="{{ choice.value() }}"><strong>{{ choice.label() }}</strong> <span>{{ choice.detail() }}</span></button></li>
{% endfor %}</ul>
<h2>Or let something go wrong</h2>
<ul class="errors">
{% for choice in errors %}<li><button class="quiet" name="choice" value="{{ choice.value() }}"><strong>{{ choice.label() }}</strong> <span>{{ choice.detail() }}</span></button></li>
{% endfor %}</ul>
</form>
</main>
</body>
</html>
"#
)]
struct SignInPage<'a> {
    hidden: Vec<(&'a str, &'a str)>,
    people: [Choice; 3],
    errors: [Choice; 5],
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }} - development identity provider</title>
<link rel="stylesheet" href="/dev-idp/style.css">
</head>
<body>
<main>
<p class="kicker">Development identity provider</p>
<h1>{{ title }}</h1>
<p>{{ description }}</p>
</main>
</body>
</html>
"#
)]
struct MessagePage<'a> {
    title: &'a str,
    description: &'a str,
}

/// The page that asks who signs in, for the request that `parameters` make.
pub(super) fn sign_in(parameters: &Parameters) -> Response {
    page(
        StatusCode::OK,
        &SignInPage {
            hidden: parameters.iter().filter(|(name, _)| *name != "choice").collect(),
            people: Person::ALL.map(Choice::Person),
            errors: Choice::ERRORS,
        },
    )
}

/// The page for a request that must not be answered by a redirect.
pub(super) fn error(description: &str) -> Response {
    page(StatusCode::BAD_REQUEST, &MessagePage { title: "Cannot sign you in", description })
}

/// The page after the end of a session.
pub(super) fn signed_out() -> Response {
    let description = "You can close this window.";
    page(StatusCode::OK, &MessagePage { title: "You signed out", description })
}

/// `GET /dev-idp/style.css`.
pub(super) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("page.css")).into_response()
}

fn page(status: StatusCode, template: &impl Template) -> Response {
    // No form-action: Chromium holds redirects after the form to it, and they lead to any client.
    const POLICY: &str =
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'";
    let Ok(html) = template.render() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let headers = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    unstored((status, headers, Html(html)))
}
