//! Streams that ended for their age, noted for clients that do not say which one they open anew.

use shared::storage::Key;
use shared::telemetry::ErrorChain;

use super::relay::Mailbox;
use super::session_id::{McpSessionId, StreamId};
use super::streams::{Followed, LATE, Streams};

impl Streams {
    /// Notes for the client `whose` that its stream has ended for its age.
    pub(super) async fn note_ended(&self, whose: &Key, id: &McpSessionId) {
        if let Err(error) = self.relay.note_ended(whose, id).await {
            tracing::warn!(error = %ErrorChain(&error), "the end of a stream is not noted");
        }
    }

    /// Forgets what was noted of the stream `before`, which its client has named.
    pub(super) async fn forget_ended(&self, whose: &Key, before: &McpSessionId) {
        if let Err(error) = self.relay.forget_ended(whose, before).await {
            tracing::debug!(error = %ErrorChain(&error), "an ended stream stays noted");
        }
    }

    /// Lets the new stream of the client `whose` follow the one that has just ended, if it was one:
    /// of several nobody knows which, and nobody takes from a client that runs twice what is for its
    /// other stream here.
    pub(super) async fn follow_ended(&self, whose: &Key, stream: StreamId) {
        let ended = match self.relay.ended(whose, LATE).await {
            Ok(ended) => ended,
            Err(error) => {
                let error = ErrorChain(&error);
                tracing::warn!(%error, "which stream has ended cannot be read");
                return;
            }
        };
        let now = self.clock.now();
        let (recent, old): (Vec<_>, Vec<_>) =
            ended.into_iter().partition(|id| now < id.ends_at.plus(LATE));
        for id in &old {
            self.forget_ended(whose, id).await;
        }
        let [before] = recent.as_slice() else { return };
        let until = now.plus(LATE);
        let followed = Followed { by: stream, mailbox: Mailbox::of(before), until };
        if self.follow_alone(whose, before.stream, followed) {
            self.forget_ended(whose, before).await;
        }
    }

    fn follow_alone(&self, whose: &Key, before: StreamId, followed: Followed) -> bool {
        let mut open = self.lock();
        let mut others = open
            .held
            .iter()
            .filter(|(id, held)| held.whose == *whose && **id != followed.by && **id != before);
        others.next().is_none() && open.follow(before, followed)
    }
}
