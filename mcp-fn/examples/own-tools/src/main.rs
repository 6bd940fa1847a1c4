//! An MCP server with a tool of its own: it shares a bill among the signed-in user and others.

use std::process::ExitCode;

use mcp_fn::caller::Caller;
use mcp_fn::deployed;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::{ServerHandler, tool, tool_handler, tool_router};

/// What a model has to fill in.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Bill {
    /// What was paid, in cents.
    cents: u64,
    /// How many others share it with the user.
    others: u32,
}

struct OwnTools;

#[tool_router]
impl OwnTools {
    #[tool(description = "Shares a bill equally among the signed-in user and others.")]
    fn share_bill(caller: Caller, Parameters(bill): Parameters<Bill>) -> String {
        let each = bill.cents.div_ceil(u64::from(bill.others) + 1);
        format!("{} pays {each} cents.", caller.session().identity.name)
    }
}

#[tool_handler(name = "own-tools")]
impl ServerHandler for OwnTools {}

#[tokio::main]
async fn main() -> ExitCode {
    deployed::serve(OwnTools).await
}
