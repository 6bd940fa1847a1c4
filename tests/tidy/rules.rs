//! Rules for every source. Each comes with an example that breaks it once.

use crate::source::Source;

/// A rule of the house.
struct Rule {
    says: &'static str,
    /// The numbers of the lines that break it.
    broken_lines: fn(&Source) -> Vec<usize>,
    /// A path and a text that break it on one line.
    example: (&'static str, &'static str),
}

const RULES: [Rule; 8] = [
    Rule {
        says: "a file opens with a //! line that says what it is for",
        broken_lines: |source| {
            let opens = source.lines.first().is_some_and(|line| line.starts_with("//! "));
            if opens { Vec::new() } else { vec![1] }
        },
        example: ("shared/src/lib.rs", "use std::fmt;\n"),
    },
    Rule {
        says: "the protocol and the grant decide: they never wait and know nothing of HTTP",
        broken_lines: |source| {
            let pure = source.is_in(&["oauth-fn/src/protocol/", "oauth-fn/src/grant/"]);
            let words = [".await", "async fn", "use axum"];
            if pure { product_lines_with(source, &words) } else { Vec::new() }
        },
        example: ("oauth-fn/src/protocol/pkce.rs", "//! A.\nlet row = store.get(key).await;\n"),
    },
    Rule {
        says: "data flows one way: nothing below the endpoints uses them",
        broken_lines: |source| {
            let above = source.is_in(&["oauth-fn/src/endpoints/", "oauth-fn/src/lib.rs"]);
            if above { Vec::new() } else { product_lines_with(source, &["crate::endpoints"]) }
        },
        example: ("oauth-fn/src/grants/mod.rs", "//! A.\nuse crate::endpoints::token;\n"),
    },
    Rule {
        says: "a lint is silenced with #[expect(..., reason)], never with allow",
        broken_lines: |source| lines_with(source, &[concat!("[", "allow(")]),
        example: ("shared/src/lib.rs", concat!("//! A.\n#[", "allow(dead_code)]\n")),
    },
    Rule {
        says: "nothing is left for later",
        broken_lines: |source| {
            let marks = [
                concat!("TO", "DO"),
                concat!("FIX", "ME"),
                concat!("to", "do!("),
                concat!("unimple", "mented!("),
            ];
            lines_with(source, &marks)
        },
        example: ("shared/src/lib.rs", concat!("//! A.\n// TO", "DO: the rest\n")),
    },
    Rule {
        says: "every test runs",
        broken_lines: |source| lines_with(source, &[concat!("#[", "ignore")]),
        example: ("tests/e2e/main.rs", concat!("//! A.\n#[", "ignore]\n")),
    },
    Rule {
        says: "the name of a test is the sentence that it proves",
        broken_lines: |source| lines_with(source, &[concat!("fn ", "test_")]),
        example: ("shared/src/lib.rs", concat!("//! A.\nfn ", "test_it() {}\n")),
    },
    Rule {
        says: "a folder is named after what it does",
        broken_lines: |source| {
            let vague = ["common", "helpers", "manager", "misc", "util", "utils"];
            let mut parts = source.path.split(['/', '.']);
            if parts.any(|part| vague.contains(&part)) { vec![1] } else { Vec::new() }
        },
        example: ("shared/src/utils/mod.rs", "//! A.\n"),
    },
];

/// A reader keeps that much in mind.
const LONGEST: usize = 300;

/// One line for each place in `source` that breaks a rule.
pub(crate) fn breaches(source: &Source) -> Vec<String> {
    let broken = RULES.iter().flat_map(|rule| {
        let lines = (rule.broken_lines)(source).into_iter();
        lines.map(|number| source.breach(rule.says, number))
    });
    broken.chain(length_breach(source)).collect()
}

fn length_breach(source: &Source) -> Option<String> {
    let too_long = !source.is_test() && source.before_tests().count() > LONGEST;
    let says = format!("a file has at most {LONGEST} lines before its tests");
    too_long.then(|| source.breach(&says, LONGEST + 1))
}

fn lines_with(source: &Source, words: &[&str]) -> Vec<usize> {
    numbers(source.numbered(), words)
}

fn product_lines_with(source: &Source, words: &[&str]) -> Vec<usize> {
    numbers(source.product_code(), words)
}

fn numbers<'a>(lines: impl Iterator<Item = (usize, &'a str)>, words: &[&str]) -> Vec<usize> {
    let with = lines.filter(|(_, line)| words.iter().any(|word| line.contains(word)));
    with.map(|(number, _)| number).collect()
}

#[test]
fn each_rule_catches_its_breach() {
    for Rule { says, example: (path, text), .. } in &RULES {
        assert_eq!(breaches(&Source::new(path, text)).len(), 1, "{says}");
    }
}

#[test]
fn a_file_may_be_300_lines_long_and_then_come_its_tests() {
    let fits = format!("{}mod tests {{\n{}", "//! A.\n".repeat(300), "\n".repeat(300));

    assert!(breaches(&Source::new("shared/src/lib.rs", &fits)).is_empty());
    assert_eq!(breaches(&Source::new("shared/src/lib.rs", &"//! A.\n".repeat(301))).len(), 1);
}
