//! What carries MCP messages to a handler. Nothing here knows of tools.

mod fault;
mod observed;
mod service;
pub mod sse;
pub mod streamable;
#[cfg(test)]
mod tests;

pub use service::{LARGEST_MESSAGE, Service};
