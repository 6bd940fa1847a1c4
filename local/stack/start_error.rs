//! Why a system does not start, in words for the person who started it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use shared::base_url::InvalidBaseUrl;
use shared::config::InvalidSettings;
use shared::serve::ServeError;
use shared::session::InvalidDirectoryId;

use crate::azure::AccountError;
use crate::embedded::OpenError;
use crate::gateway::InvalidDocument;
use crate::keys::KeyFileError;

/// Why a system does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The account of Azure Storage cannot be used.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The origin cannot be built from the address.
    #[error("the address makes no origin")]
    BaseUrl(#[from] InvalidBaseUrl),
    /// The directory for the data cannot be made.
    #[error("the data directory {} cannot be used", .path.display())]
    DataDirectory {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be made")]
    Http(#[from] reqwest::Error),
    /// The start was interrupted.
    #[error("the start was interrupted")]
    Interrupted(#[from] tokio::task::JoinError),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyFileError),
    /// Others could reach the development identity provider, which asks for no password.
    #[error(
        "will not listen on {0}: anybody can sign in at the development identity provider, so \
         only this machine may reach it; use an address such as 127.0.0.1:8787"
    )]
    NotLoopback(SocketAddr),
    /// The address cannot be bound.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The routes cannot be read.
    #[error(transparent)]
    Routes(#[from] InvalidDocument),
    /// The data cannot be used.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The settings of the account are not good.
    #[error(transparent)]
    Settings(#[from] InvalidSettings),
    /// The tenant of the identity provider is none.
    #[error(transparent)]
    Tenant(#[from] InvalidDirectoryId),
    /// The issuer of the identity provider is no URL.
    #[error("the issuer is not a URL")]
    Issuer(#[from] url::ParseError),
}
