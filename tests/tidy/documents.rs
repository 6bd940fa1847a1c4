//! That code which a document shows is the code that is tested.

use std::fs;

use crate::source::root;

/// What opens a block that shows a file, before the path of the file.
const MARK: &str = " file=";

/// The blocks of `document` that show a file: its path, and what is shown.
fn shown_in(document: &str) -> Vec<(&str, &str)> {
    let blocks = document.split("\n```").skip(1).step_by(2);
    let shown = blocks.filter_map(|block| {
        let (opening, text) = block.split_once('\n')?;
        let (_, path) = opening.split_once(MARK)?;
        Some((path, text))
    });
    shown.collect()
}

#[test]
fn a_file_that_a_document_shows_is_shown_as_it_is() {
    let mut files = 0;
    for document in fs::read_dir(root().join("docs")).unwrap() {
        let document = document.unwrap().path();
        let text = fs::read_to_string(&document).unwrap();
        for (path, shown) in shown_in(&text) {
            let file = fs::read_to_string(root().join(path)).unwrap();

            assert_eq!(shown, file.trim_end(), "{} shows another {path}", document.display());
            files += 1;
        }
    }
    assert!(files >= 2, "only {files} files are shown: correct this test");
}

#[test]
fn a_shown_file_is_found_among_other_blocks() {
    let document = "A\n\n```sh\nls\n```\n\n```rust file=a/b.rs\n//! A.\n\nuse b;\n```\nend\n";

    assert_eq!(shown_in(document), [("a/b.rs", "//! A.\n\nuse b;")]);
}
