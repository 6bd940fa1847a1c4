//! Server-sent events (WHATWG HTML section 9.2), as far as HTTP+SSE needs them.

use axum::body::Bytes;

/// What keeps a silent stream alive.
pub(super) const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n\n");

/// How long a client waits before it opens a stream that has ended once more.
const RECONNECT_AFTER_MILLISECONDS: u32 = 500;

/// The first event of a stream: where messages go. The address is relative, so that it holds under
/// any host and path; the id comes back in `Last-Event-ID` when the client opens a stream anew.
pub(super) fn endpoint(session_id: &str) -> Bytes {
    Bytes::from(format!(
        "retry: {RECONNECT_AFTER_MILLISECONDS}\nid: {session_id}\nevent: endpoint\n\
         data: message?sessionId={session_id}\n\n"
    ))
}

/// An answer. JSON has no line breaks of its own unless it is laid out, which ours is not.
pub(super) fn message(json: &[u8]) -> Bytes {
    let mut event = Vec::with_capacity(json.len() + 24);
    event.extend_from_slice(b"event: message\ndata: ");
    event.extend(json.iter().filter(|byte| !matches!(byte, b'\n' | b'\r')));
    event.extend_from_slice(b"\n\n");
    Bytes::from(event)
}

/// A last word that no client acts on, for who looks at the stream.
pub(super) fn farewell(why: &str) -> Bytes {
    Bytes::from(format!(": closed: {why}\n\n"))
}

/// Takes the data of each event out of a stream that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct EventReader {
    unread: Vec<u8>,
    /// So much of it holds no end of an event.
    searched: usize,
}

impl EventReader {
    /// The data of every event that `piece` completes. Comments and events without data are none.
    pub(super) fn read(&mut self, piece: &[u8]) -> Vec<Bytes> {
        self.unread.extend_from_slice(piece);
        let mut found = Vec::new();
        while let Some(end) = self.end() {
            let event: Vec<u8> = self.unread.drain(..end).collect();
            self.searched = 0;
            found.extend(data(&event));
        }
        // A line break may be the first of two.
        self.searched = self.unread.len().saturating_sub(1);
        found
    }

    /// Where the first event ends, if it has come to its end.
    fn end(&self) -> Option<usize> {
        let unsearched = self.unread.get(self.searched..)?;
        let found = unsearched.windows(2).position(|window| window == b"\n\n")?;
        Some(self.searched + found + 2)
    }
}

fn data(event: &[u8]) -> Option<Bytes> {
    let lines = event.split(|byte| *byte == b'\n');
    let data = lines.filter_map(|line| line.strip_prefix(b"data:"));
    let data: Vec<_> = data.map(|line| line.strip_prefix(b" ").unwrap_or(line)).collect();
    let joined = data.join(&b'\n');
    (!joined.is_empty()).then(|| Bytes::from(joined))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_event_names_a_relative_address_and_itself() {
        let event = endpoint("abc");

        assert_eq!(event, "retry: 500\nid: abc\nevent: endpoint\ndata: message?sessionId=abc\n\n");
    }

    #[test]
    fn an_answer_is_one_event_on_one_line_whatever_it_holds() {
        let event = message(b"{\"a\":\n \"\\n\"}\r\n");

        assert_eq!(event, "event: message\ndata: {\"a\": \"\\n\"}\n\n");
    }

    #[test]
    fn events_are_read_however_they_are_cut_into_pieces() {
        let stream =
            b"retry: 3000\nid: 0\ndata: \n\n: a comment\n\ndata: one\n\ndata:two\ndata: more\n\n";
        for size in 1..stream.len() {
            let mut reader = EventReader::default();

            let read: Vec<_> = stream.chunks(size).flat_map(|piece| reader.read(piece)).collect();

            assert_eq!(read, ["one", "two\nmore"], "{size}");
        }
    }
}
