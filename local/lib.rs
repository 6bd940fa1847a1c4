//! The whole system in one process: gateway, both apps, a store (embedded, or Azure's) and a
//! development identity provider in the place of Entra ID.

pub mod azure;
pub mod command_line;
pub mod demo;
pub mod embedded;
mod files;
pub mod gateway;
pub mod greeting;
pub mod identity_provider;
pub mod key_vault;
pub mod keys;
mod manual_clock;
mod no_assertions;
pub mod package;
pub mod rotate_keys;
pub mod say;
pub mod sessions;
pub mod smoke;
mod stack;

pub use manual_clock::ManualClock;
pub use no_assertions::NoAssertions;
pub use stack::{Data, Options, Stack, StartError};
