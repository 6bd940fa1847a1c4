//! A name that somebody else chose, made fit to be shown.

use std::fmt;

/// A client's name without anything invisible, at most 80 characters, never empty.
///
/// It is still any text at all: HTML is escaped where it is written.
#[derive(Debug, Eq, PartialEq)]
pub struct DisplayName(String);

const LONGEST: usize = 80;

impl From<&str> for DisplayName {
    fn from(text: &str) -> Self {
        let visible: String = text.chars().filter(|character| !is_invisible(*character)).collect();
        let words: Vec<&str> = visible.split_whitespace().collect();
        let name = words.join(" ");
        match name.char_indices().nth(LONGEST) {
            _ if name.is_empty() => Self("A program without a name".to_owned()),
            Some(_) => Self(name.chars().take(LONGEST - 1).chain(['…']).collect()),
            None => Self(name),
        }
    }
}

impl fmt::Display for DisplayName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Whether a reader cannot see `character` but could be misled by it: controls, what turns the
/// direction of the text, and what takes no space. White space is not meant.
fn is_invisible(character: char) -> bool {
    let control = character.is_control() && !character.is_whitespace();
    let hidden = matches!(
        character,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    control || hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        DisplayName::from(text).to_string()
    }

    #[test]
    fn an_ordinary_name_stays_as_it_is() {
        for name in ["Claude Code", "Müller & Söhne <beta>", "工具箱", "أداة"] {
            assert_eq!(shown(name), name);
        }
    }

    #[test]
    fn what_cannot_be_seen_is_left_out() {
        for name in [
            "Cur\u{202e}sor",
            "\u{2066}Cursor\u{2069}",
            "C\u{200b}u\u{200d}r\u{feff}sor",
            "Cursor\0\u{7}\u{1b}\u{9f}",
            "C\u{ad}ursor\u{e0041}",
        ] {
            assert_eq!(shown(name), "Cursor");
        }
    }

    #[test]
    fn white_space_of_any_kind_is_one_space() {
        assert_eq!(shown("  My\r\n\n\tnice\u{a0}\u{3000}\u{2028}tool "), "My nice tool");
    }

    #[test]
    fn a_name_is_cut_after_80_characters() {
        assert_eq!(shown(&"ä".repeat(80)), "ä".repeat(80));
        assert_eq!(shown(&"ä".repeat(81)), format!("{}…", "ä".repeat(79)));
    }

    #[test]
    fn a_name_of_nothing_is_said_to_be_missing() {
        for name in ["", "   ", "\u{200b}\u{202e}"] {
            assert_eq!(shown(name), "A program without a name");
        }
    }
}
