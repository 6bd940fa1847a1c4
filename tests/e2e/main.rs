//! The whole system over HTTP, as clients, users and attackers meet it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod account;
mod administration;
mod authorization;
mod callback;
mod client;
mod clients;
mod confirmation;
mod consent;
mod document_server;
mod documents;
mod expiry;
mod faults;
mod gate;
mod limits;
mod mcp;
mod metadata;
mod outage;
mod packages;
mod preregistered;
mod prompt;
mod refresh;
mod registration;
mod remembered_consent;
mod restart;
mod revocation;
mod rotation;
mod running;
mod silence;
mod sse;
mod step_up;
mod storage;
mod system;
mod tampering;
mod token;
mod traced;
