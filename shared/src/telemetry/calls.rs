//! A span and a measurement for each call that leaves us: to storage, and over HTTP to others.

use std::time::Instant;

use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::metrics;

/// One call of storage: the semantic conventions for databases, and those of the Azure SDK, whose
/// fields the client of Azure fills in.
#[derive(Clone, Copy, Debug)]
pub struct StorageCall<'a> {
    /// What kind of store it is.
    pub system: &'static str,
    /// What is kept there: `sessions`, `relay` or `snippets`.
    pub namespace: &'static str,
    /// What it is asked for.
    pub operation: &'static str,
    /// The table or container, in which there is nothing from outside.
    pub collection: &'a str,
}

impl StorageCall<'_> {
    /// Observes `work`, of whose errors `kind_of` tells the kind in one word. What nobody waits for,
    /// such as a look into the relay, is measured alone.
    ///
    /// # Errors
    /// Those of `work`.
    pub async fn observe<T, E>(
        self,
        work: impl Future<Output = Result<T, E>>,
        kind_of: fn(&E) -> &'static str,
    ) -> Result<T, E> {
        let span = if Span::current().is_none() { Span::none() } else { self.span() };
        let error = Some(metrics::CANCELLED);
        let mut observed = Observed { call: self, span, begun: Instant::now(), error };
        let outcome = work.instrument(observed.span.clone()).await;
        observed.error = outcome.as_ref().err().map(kind_of);
        outcome
    }

    fn span(&self) -> Span {
        tracing::info_span!(
            "storage",
            otel.kind = "client",
            otel.name = format!("{} {}", self.operation, self.collection),
            otel.status_code = Empty,
            azure.resource_provider.namespace = Empty,
            azure.service.request.id = Empty,
            db.collection.name = self.collection,
            db.namespace = self.namespace,
            db.operation.name = self.operation,
            db.system.name = self.system,
            error.type = Empty,
            http.response.status_code = Empty,
            server.address = Empty,
        )
    }
}

/// What storage answers when others came first: not what was hoped for, and no failure.
const ANSWERS: [&str; 3] = ["exists", "lost", "no_table"];

/// A call on its way. It is measured however it ends: who waits for it may go away.
struct Observed<'a> {
    call: StorageCall<'a>,
    span: Span,
    begun: Instant,
    error: Option<&'static str>,
}

impl Drop for Observed<'_> {
    fn drop(&mut self) {
        if let Some(error) = self.error {
            self.span.record("error.type", error);
            if !ANSWERS.contains(&error) {
                self.span.record("otel.status_code", "ERROR");
            }
        }
        metrics::storage(&self.call, self.error, self.begun.elapsed());
    }
}

/// One call over HTTP to somebody else, who is told nothing of our trace: the semantic conventions
/// for HTTP clients, without the address.
#[derive(Clone, Copy, Debug)]
pub struct HttpCall<'a> {
    /// The method.
    pub method: &'static str,
    /// The host, unless others choose it.
    pub server: Option<&'a str>,
}

impl HttpCall<'_> {
    /// Observes `work`, of whose outcome `status_of` tells the status, or in one word why there is none.
    pub async fn observe<T>(
        self,
        work: impl Future<Output = T>,
        status_of: fn(&T) -> Result<u16, &'static str>,
    ) -> T {
        let begun = Instant::now();
        let span = tracing::info_span!(
            "call",
            otel.kind = "client",
            otel.name = self.method,
            otel.status_code = Empty,
            error.type = Empty,
            http.request.method = self.method,
            http.response.status_code = Empty,
            server.address = self.server,
        );
        let outcome = work.instrument(span.clone()).await;
        let status = status_of(&outcome);
        if let Ok(status) = status {
            span.record("http.response.status_code", status);
        }
        let error = match status {
            Ok(status) if status >= 400 => Some(status.to_string()),
            Ok(_) => None,
            Err(error) => Some(error.to_owned()),
        };
        if let Some(error) = error {
            span.record("error.type", error).record("otel.status_code", "ERROR");
        }
        metrics::http_client(&self, status, begun.elapsed());
        outcome
    }
}
