//! What Azure answered, noted in the span of the call: what its support asks for.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::headers::HeaderName;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request};
use tracing::Span;

/// Azure's own name for a request.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-ms-request-id");

/// Notes each answer; of several tries, the last one stays.
#[derive(Debug)]
pub(super) struct NoteAnswer;

#[expect(elided_lifetimes_in_paths, reason = "the trait hides this lifetime, so must we")]
#[async_trait]
impl Policy for NoteAnswer {
    async fn send(
        &self,
        context: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        let (following, rest) = next.split_first().ok_or_else(|| ErrorKind::Other.into_error())?;
        let span = Span::current();
        span.record("azure.resource_provider.namespace", "Microsoft.Storage");
        span.record("server.address", request.url().host_str());
        let outcome = following.send(context, request, rest).await;
        if let Ok(answer) = &outcome {
            span.record("http.response.status_code", u16::from(answer.status()));
            let id = answer.headers().get_optional_str(&REQUEST_ID);
            span.record("azure.service.request.id", id.filter(|id| is_id(id)));
        }
        outcome
    }
}

/// Digits and hyphens alone: whatever stands there, nothing else gets into a span.
fn is_id(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}
