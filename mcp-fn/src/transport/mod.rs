//! What carries MCP messages to a handler. Nothing here knows of tools or tokens.

pub mod streamable;
#[cfg(test)]
mod tests;
