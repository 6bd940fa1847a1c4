//! The MCP server: validates the session behind each request and serves the snippet tools.

pub mod snippets;
