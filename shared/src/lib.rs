//! What both function apps agree on: sessions and their tokens, sealing, the storage port,
//! settings, time, logs and serving. Nothing here knows of OAuth endpoints or MCP tools.

#[cfg(any(target_env = "musl", target_feature = "crt-static"))]
mod allocator;
pub mod azure;
pub mod base_url;
pub mod client_assertion;
pub mod clock;
pub mod config;
pub mod deadline;
pub mod scope;
pub mod seal;
pub mod secret;
pub mod serve;
pub mod session;
pub mod storage;
pub mod telemetry;
pub mod trace_context;
