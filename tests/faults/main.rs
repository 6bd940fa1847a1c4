//! Faults of Azure Storage, each played by an account of Table or Blob Storage in this process:
//! first against the doors to them, then against both apps above (threat 47).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod account;
mod blobs;
mod clients;
mod http;
mod records;
mod snippets;
mod system;
mod tables;
