//! One answer on its way from the instance that found it to the one that holds the stream: cut into
//! rows that storage takes, and put together again.

use std::collections::HashMap;

use axum::body::Bytes;
use shared::secret::random_bytes;

use super::session_id::StreamId;

/// So much of an answer goes into one row; its sealed columns must stay below 1 MiB together.
pub(super) const ROW: usize = 14 * 64_000;

const HEAD: usize = 48;

/// One request whose answers are relayed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct PostId([u8; 16]);

impl PostId {
    pub(super) fn generate() -> Self {
        Self(random_bytes())
    }
}

/// Part of an answer, as one row holds it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Part {
    /// The stream that it is for.
    pub(super) stream: StreamId,
    /// What it answers.
    pub(super) post: PostId,
    /// The place of the answer among those to one request: notifications come before the last.
    pub(super) sequence: u32,
    /// When it was left, in milliseconds since the epoch.
    left_at: u64,
    number: u16,
    of: u16,
    text: Bytes,
}

impl Part {
    /// The parts of `text`, which is left at `left_at`. None is too long for a row.
    pub(super) fn all(
        stream: StreamId,
        post: PostId,
        sequence: u32,
        left_at: u64,
        text: &Bytes,
    ) -> Vec<Self> {
        let of = u16::try_from(text.len().div_ceil(ROW)).unwrap_or(u16::MAX);
        let part = |number: u16, text| Self { stream, post, sequence, left_at, number, of, text };
        (0..of)
            .zip(text.chunks(ROW))
            .map(|(number, chunk)| part(number, text.slice_ref(chunk)))
            .collect()
    }

    /// Whither it goes, and since when.
    fn place(&self) -> (StreamId, u64) {
        (self.stream, self.left_at)
    }

    /// What names its row, together with nothing else.
    pub(super) fn name(&self) -> [Vec<u8>; 3] {
        [
            self.post.0.to_vec(),
            self.sequence.to_be_bytes().to_vec(),
            self.number.to_be_bytes().to_vec(),
        ]
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD + self.text.len());
        bytes.extend_from_slice(&self.stream.0);
        bytes.extend_from_slice(&self.post.0);
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.left_at.to_be_bytes());
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&self.of.to_be_bytes());
        bytes.extend_from_slice(&self.text);
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (stream, rest) = bytes.split_first_chunk()?;
        let (post, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (left_at, rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let (of, text) = rest.split_first_chunk()?;
        Some(Self {
            stream: StreamId(*stream),
            post: PostId(*post),
            sequence: u32::from_be_bytes(*sequence),
            left_at: u64::from_be_bytes(*left_at),
            number: u16::from_be_bytes(*number),
            of: u16::from_be_bytes(*of),
            text: Bytes::copy_from_slice(text),
        })
    }
}

/// A whole answer, and the rows that it came in.
#[derive(Debug)]
pub(super) struct Answer<R> {
    pub(super) left_at: u64,
    /// The stream that it is for.
    pub(super) stream: StreamId,
    /// What the client gets.
    pub(super) text: Bytes,
    /// Where its parts lay.
    pub(super) rows: Vec<R>,
}

/// The answers that are whole among `parts`, each request's in their order; the rows of the others.
pub(super) fn whole<R>(parts: Vec<(R, Part)>) -> (Vec<Answer<R>>, Vec<R>) {
    let mut found: HashMap<(PostId, u32), Vec<(R, Part)>> = HashMap::new();
    for (row, part) in parts {
        found.entry((part.post, part.sequence)).or_default().push((row, part));
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_unstable_by_key(|(place, _)| *place);
    let (mut answers, mut unfinished) = (Vec::new(), Vec::new());
    for (_, mut parts) in found {
        parts.sort_unstable_by_key(|(_, part)| part.number);
        match parts.first().map(|(_, part)| (part.place(), usize::from(part.of))) {
            Some((place, of)) if of == parts.len() => answers.push(joined(place, parts)),
            _ => unfinished.extend(parts.into_iter().map(|(row, _)| row)),
        }
    }
    (answers, unfinished)
}

fn joined<R>((stream, left_at): (StreamId, u64), parts: Vec<(R, Part)>) -> Answer<R> {
    let (rows, texts): (Vec<_>, Vec<_>) =
        parts.into_iter().map(|(row, part)| (row, part.text)).unzip();
    let text = match texts.as_slice() {
        [text] => text.clone(),
        _ => Bytes::from(texts.concat()),
    };
    Answer { left_at, stream, text, rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<Part> {
        let text = Bytes::copy_from_slice(text.as_bytes());
        Part::all(StreamId([7; 16]), PostId::generate(), 3, 4711, &text)
    }

    fn numbered(parts: Vec<Part>) -> Vec<(usize, Part)> {
        parts.into_iter().enumerate().collect()
    }

    #[test]
    fn a_part_is_read_as_it_was_written_and_a_cut_one_is_none() {
        let part = parts("answer").remove(0);

        let bytes = part.to_bytes();

        assert_eq!(Part::from_bytes(&bytes), Some(part));
        assert_eq!(Part::from_bytes(&bytes[..HEAD - 1]), None);
    }

    #[test]
    fn a_long_answer_is_whole_with_its_last_part_whatever_their_order() {
        let text = "0123456789".repeat(ROW / 4);
        let mut all = numbered(parts(&text));
        assert_eq!(all.len(), 3);
        all.reverse();
        let last = all.pop().unwrap();

        let (none, unfinished) = whole(all.clone());
        all.push(last);
        let (answers, rest) = whole(all);

        assert!(none.is_empty());
        assert_eq!(unfinished, [1, 2]);
        assert!(rest.is_empty());
        assert_eq!(answers[0].text, text);
        assert_eq!(answers[0].left_at, 4711);
        assert_eq!(answers[0].rows, [0, 1, 2]);
    }

    #[test]
    fn the_answers_to_one_request_keep_their_order() {
        let post = PostId::generate();
        let part = |sequence: u32| {
            let text = Bytes::from(sequence.to_string());
            Part::all(StreamId([7; 16]), post, sequence, 4711, &text).remove(0)
        };

        let (answers, _) = whole(numbered(vec![part(2), part(0), part(1)]));

        let texts: Vec<_> = answers.iter().map(|answer| &answer.text[..]).collect();
        assert_eq!(texts, [b"0", b"1", b"2"]);
    }
}
