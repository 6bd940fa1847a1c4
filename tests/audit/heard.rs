//! The audit events of this process, each with its fields and the request that it happened in.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// What was heard so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard(Arc<Mutex<Vec<Fields>>>);

/// The fields of an event or a span.
pub(crate) type Fields = BTreeMap<&'static str, String>;

impl Heard {
    /// Listens to this process from now on.
    pub(crate) fn begin() -> Self {
        let heard = Self::default();
        tracing_subscriber::registry().with(heard.clone()).init();
        heard
    }

    /// The events since the last time.
    pub(crate) fn take(&self) -> Vec<Fields> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Heard {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Collected::default();
        attributes.record(&mut fields);
        context.span(id).unwrap().extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let mut extensions = span.extensions_mut();
        values.record(extensions.get_mut::<Collected>().unwrap());
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        if event.metadata().target() != "audit" {
            return;
        }
        let mut fields = Collected::default();
        event.record(&mut fields);
        let request = context.event_scope(event).and_then(|spans| {
            let mut requests = spans.into_iter().filter(|span| span.name() == "request");
            let request = requests.next()?;
            request.extensions().get::<Collected>()?.0.get("correlation_id").cloned()
        });
        assert_eq!(fields.0.get("correlation_id"), request.as_ref(), "{fields:?}");
        self.0.lock().unwrap().push(fields.0);
    }
}

#[derive(Debug, Default)]
struct Collected(Fields);

impl Visit for Collected {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}
