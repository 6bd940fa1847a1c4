//! What the RFCs say, as decisions over values: nothing here waits, and nothing here knows HTTP.

pub mod account;
pub mod authorization_request;
pub mod client_authentication;
pub mod client_id_url;
pub mod client_metadata;
pub mod client_metadata_document;
pub mod consent;
pub mod destination;
pub mod error;
pub mod metadata;
pub mod parameters;
pub mod pkce;
pub mod preregistration;
pub mod prompt;
pub mod redirect_uri;
pub mod registration_policy;
pub mod resource;
pub mod token_request;
