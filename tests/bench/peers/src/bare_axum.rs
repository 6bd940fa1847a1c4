//! The least that a server on axum can do: it reads the whole body of a request and answers with
//! constant bytes. It holds streams of HTTP+SSE open, too, and never says anything on them.

use std::convert::Infallible;
use std::error::Error;
use std::net::Ipv4Addr;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use futures::StreamExt;
use tokio::net::TcpListener;

/// What a server of MCP answers to a call of `hello_mcp`.
const ANSWER: &str = concat!(
    r#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"Hello I am MCPTool!"}],"#,
    r#""isError":false}}"#
);

const ENDPOINT: &str = "event: endpoint\ndata: /mcp/message?sessionId=1\n\n";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let port = std::env::args().nth(1).ok_or("which port?")?.parse::<u16>()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let router = Router::new().route("/mcp", post(answer)).route("/mcp/sse", get(stream));
    Ok(axum::serve(listener, router).await?)
}

async fn answer(_whole_body: Bytes) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], ANSWER)
}

async fn stream() -> impl IntoResponse {
    let endpoint = futures::stream::iter([Ok::<_, Infallible>(ENDPOINT)]);
    let body = Body::from_stream(endpoint.chain(futures::stream::pending()));
    ([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")], body)
}
