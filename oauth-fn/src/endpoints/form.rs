//! How endpoints read what comes: queries, forms, bodies, and who sent a form.

use std::error::Error;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request};
use http::header::{CONTENT_TYPE, ORIGIN};
use http::{HeaderMap, Uri};
use http_body_util::LengthLimitError;
use shared::deadline;

use super::answer::ClientError;
use super::page_error::PageError;
use crate::App;
use crate::protocol::consent::SameOrigin;
use crate::protocol::parameters::Parameters;

/// Largest form, in bytes.
const LARGEST_FORM: usize = 16 * 1024;

/// The parameters of a form body. Those of the query do not count.
#[derive(Debug)]
pub(super) struct OAuthForm(pub(super) Parameters);

impl<S: Send + Sync> FromRequest<S> for OAuthForm {
    type Rejection = ClientError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ClientError> {
        if request.uri().query().is_some() {
            return Err(ClientError::invalid_request(
                "send the parameters in the body, not in the URL",
            ));
        }
        if !is_form(request.headers()) {
            return Err(ClientError::invalid_request(
                "the Content-Type must be application/x-www-form-urlencoded",
            ));
        }
        let body = bounded(request.into_body(), LARGEST_FORM).await?;
        let parameters = Parameters::parse(&body);
        parameters.map(Self).map_err(|error| ClientError::invalid_request(&error.to_string()))
    }
}

/// The parameters of the query, each of which may come once only.
pub(super) fn query(uri: &Uri) -> Result<Parameters, PageError> {
    let unreadable = "The address says something twice, or cannot be read.";
    let parameters = Parameters::parse(uri.query().unwrap_or_default().as_bytes());
    let parameters = parameters.map_err(|_| PageError::unusable(unreadable))?;
    parameters.each_once().map_err(|_| PageError::unusable(unreadable))?;
    Ok(parameters)
}

/// The body, if it is not larger than `largest` bytes and comes in time. From here on the time of the
/// request runs.
pub(super) async fn bounded(body: Body, largest: usize) -> Result<Vec<u8>, ClientError> {
    deadline::body(to_bytes(body, largest)).await?.map(Into::into).map_err(|error| {
        if error.source().is_some_and(<dyn Error>::is::<LengthLimitError>) {
            ClientError::TooLarge(largest)
        } else {
            ClientError::invalid_request("the body broke off")
        }
    })
}

/// The one value of the header `name`. One that came twice, or not as text, says nothing that
/// could be believed, and is no value that anything waits for.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str().unwrap_or("unreadable"));
    if values.next().is_some() { Some("repeated") } else { value }
}

fn is_form(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return false;
    };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Checks that a form was sent by a page of ours.
///
/// # Errors
/// It was not, or nothing tells that it was.
pub(super) fn check_origin(app: &App, headers: &HeaderMap) -> Result<SameOrigin, PageError> {
    let (origin, site) = (only(headers, ORIGIN.as_str()), only(headers, "sec-fetch-site"));
    SameOrigin::check(origin, site, &app.base_url)
        .map_err(|_| PageError::forbidden("The form did not come from a page of this server."))
}

/// The form that a page of ours sent.
///
/// # Errors
/// It cannot be read, or says something twice.
pub(super) async fn read_form(request: Request) -> Result<Parameters, PageError> {
    let read = OAuthForm::from_request(request, &()).await;
    let OAuthForm(form) = read.map_err(|error| match error {
        ClientError::SlowBody(_) => PageError::slow_body(),
        _ => PageError::unusable("The form cannot be read."),
    })?;
    form.each_once().map_err(|_| PageError::unusable("The form says something twice."))?;
    Ok(form)
}
