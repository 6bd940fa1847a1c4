//! The least that a server on rmcp can do: one tool, without sessions, JSON answers, and a token
//! that is compared with the only one there is.

use std::error::Error;
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::AUTHORIZATION;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, tool, tool_handler, tool_router};
use tokio::net::TcpListener;

/// It keeps its tools, which the library would list anew for each request otherwise.
struct Greeter {
    tools: ToolRouter<Self>,
}

#[tool_router]
impl Greeter {
    #[tool(description = "Says hello.")]
    fn hello_mcp() -> String {
        "Hello I am MCPTool!".to_owned()
    }
}

#[tool_handler(name = "bare-rmcp", router = self.tools)]
impl ServerHandler for Greeter {}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let port = arguments.next().ok_or("which port?")?.parse::<u16>()?;
    let header = format!("Bearer {}", arguments.next().ok_or("which token?")?);
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true);
    let greeter = Arc::new(Greeter { tools: Greeter::tool_router() });
    let service = StreamableHttpService::new(
        move || Ok(Arc::clone(&greeter)),
        Arc::new(NeverSessionManager::default()),
        config,
    );
    let router = Router::new()
        .route_service("/mcp", service)
        .layer(from_fn_with_state(Arc::<str>::from(header), admit));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    Ok(axum::serve(listener, router).await?)
}

async fn admit(State(header): State<Arc<str>>, request: Request, next: Next) -> Response {
    let presented = request.headers().get(AUTHORIZATION).map(http::HeaderValue::as_bytes);
    if presented != Some(header.as_bytes()) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    next.run(request).await
}
