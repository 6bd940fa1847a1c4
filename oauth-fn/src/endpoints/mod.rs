//! The endpoints, one file each: take the request apart, let others decide and write, answer.

mod account;
mod answer;
mod authorize;
mod callback;
mod code;
mod consent;
mod form;
mod landing;
mod limit;
mod metadata;
mod page_error;
mod register;
mod revoke;
mod sign_in;
mod sign_in_error;
mod token;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, PRAGMA, REFERRER_POLICY};
use http::{HeaderName, HeaderValue, Method};
use shared::deadline;
use shared::telemetry::request::{self, Scheme};
use tower_http::cors::{Any, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::App;
use crate::correlation;
use crate::limits::Limit;

/// Every route of this app, as in `infra/apim/oauth.openapi.json`.
pub(crate) fn router(app: App) -> Router {
    let scheme = Scheme::from(&app.base_url);
    Router::new()
        .merge(documents())
        .merge(back_channel(&app))
        .merge(front_channel(&app))
        .with_state(app)
        .layer((
            from_fn_with_state(scheme, request::observe),
            from_fn(correlation::begin),
            from_fn(deadline::begin),
        ))
}

/// What clients discover; public and cacheable, and never limited.
fn documents() -> Router<App> {
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(metadata::show))
        .route("/.well-known/oauth-authorization-server/{*path}", get(metadata::show))
        .route("/.well-known/openid-configuration", get(metadata::show))
        .layer(cors(&[Method::GET]))
        .route("/", get(landing::show))
}

/// What clients call by themselves: from any origin, since no cookie counts here.
fn back_channel(app: &App) -> Router<App> {
    let registration = Router::new()
        .route("/register", post(register::register))
        .layer(from_fn_with_state((app.clone(), Limit::Registration), limit::permit));
    Router::new()
        .route("/token", post(token::issue))
        .route("/revoke", post(revoke::revoke))
        .layer(from_fn_with_state((app.clone(), Limit::BackChannel), limit::permit))
        .merge(registration)
        .layer(cors(&[Method::POST]))
        .layer(header(CACHE_CONTROL, "no-store"))
        .layer(header(PRAGMA, "no-cache"))
}

/// Where browsers come with their users; never for scripts of other origins.
fn front_channel(app: &App) -> Router<App> {
    Router::new()
        .route("/authorize", get(authorize::authorize))
        .route("/consent", get(consent::ask).post(consent::decide))
        .route("/account", get(account::show).post(account::act))
        // A sign-in is finished once, so a look at the headers alone must not do it.
        .route("/oauth-callback", get(callback::finish).head(callback::refuse))
        .layer(from_fn_with_state((app.clone(), Limit::FrontChannel), limit::permit))
        .layer(header(CACHE_CONTROL, "no-store"))
        .layer(header(PRAGMA, "no-cache"))
        .layer(SetResponseHeaderLayer::if_not_present(
            REFERRER_POLICY,
            HeaderValue::from_static("no-referrer"),
        ))
}

fn cors(methods: &[Method]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(Any)
        .allow_methods(methods.to_vec())
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            HeaderName::from_static("mcp-protocol-version"),
        ])
        .max_age(std::time::Duration::from_hours(1))
}

fn header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
}
