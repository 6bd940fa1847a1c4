//! What becomes of a path on its way: it is decoded, and encoded again for the handler.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All that is no part of a path as it is (RFC 3986 section 3.3).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/');

/// `path` as the handler sees it. An encoded slash is the one thing that decoding leaves, and the
/// `%` of it is encoded in turn.
pub(crate) fn forwarded(path: &str) -> String {
    let decoded = decoded(path);
    utf8_percent_encode(&without_dots(&decoded), ENCODED).to_string()
}

/// `path` as the host reads it, to find out whose it is.
pub(crate) fn decoded(path: &str) -> String {
    let mut decoded = String::new();
    let mut rest = path;
    while let Some(at) = rest.to_ascii_lowercase().find("%2f") {
        let (before, from) = rest.split_at(at);
        let (slash, after) = from.split_at(3);
        decoded.push_str(&decoded_piece(before));
        decoded.push_str(slash);
        rest = after;
    }
    decoded + &decoded_piece(rest)
}

fn decoded_piece(piece: &str) -> String {
    let text = percent_decode_str(piece).decode_utf8();
    text.map_or_else(|_| piece.to_owned(), std::borrow::Cow::into_owned)
}

/// `path` without `.` and `..` (RFC 3986 section 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let last = segments.len().saturating_sub(1);
    for (index, segment) in segments.into_iter().enumerate() {
        if segment == ".." {
            kept.pop();
        }
        match segment {
            "." | ".." if index == last => kept.push(""),
            "." | ".." => {}
            _ => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_and_encoded_again() {
        for (sent, seen) in [
            ("/", "/"),
            ("/mcp", "/mcp"),
            ("/%6dcp", "/mcp"),
            ("/a%20b", "/a%20b"),
            ("/a%2Fb", "/a%252Fb"),
            ("/a%2fb%2Fc", "/a%252fb%252Fc"),
            ("/a:b@c;d=e", "/a:b@c;d=e"),
            ("/%C3%A9", "/%C3%A9"),
            ("/%FF", "/%25FF"),
            ("/%zz", "/%25zz"),
            ("/x/../mcp", "/mcp"),
            ("/x/%2e%2e/mcp", "/mcp"),
            ("/./a/./b/..", "/a/"),
        ] {
            assert_eq!(forwarded(sent), seen, "{sent}");
        }
    }
}
