//! The Rust files of this repository, and which of their lines are product code.

use std::fs;
use std::path::Path;

/// A file, with its path from the root of the repository.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) lines: Vec<String>,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), lines: text.lines().map(str::to_owned).collect() }
    }

    /// Every Rust file that is ours.
    pub(crate) fn all() -> Vec<Self> {
        let mut found = Vec::new();
        for folder in ["local", "mcp-fn", "oauth-fn", "shared", "tests"] {
            collect(&root().join(folder), &mut found);
        }
        found.sort_by(|one, other| one.path.cmp(&other.path));
        found
    }

    /// Whether the path begins with one of `places`.
    pub(crate) fn is_in(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path.starts_with(place))
    }

    /// Whether the whole file is only there for tests.
    pub(crate) fn is_test(&self) -> bool {
        let mut parts = self.path.split('/');
        parts.any(|part| matches!(part, "tests" | "tests.rs" | "testing" | "testing.rs"))
    }

    /// The lines up to the tests, numbered from 1.
    pub(crate) fn before_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.lines.iter().position(|line| line == "mod tests {");
        self.numbered().take(tests.unwrap_or(self.lines.len()))
    }

    /// The lines up to the tests that are no comments; none if the whole file is a test.
    pub(crate) fn product_code(&self) -> impl Iterator<Item = (usize, &str)> {
        let code = self.before_tests().filter(|(_, line)| !line.trim_start().starts_with("//"));
        code.take_while(|_| !self.is_test())
    }

    /// How a breach is shown: the rule, then where and what.
    pub(crate) fn breach(&self, rule: &str, number: usize) -> String {
        let line = self.lines.get(number - 1).map_or("", |line| line.trim());
        format!("  {rule}\n    {}:{number}: {line}", self.path)
    }

    /// Every line, numbered from 1.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines.iter().enumerate().map(|(index, line)| (index + 1, line.as_str()))
    }
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            found.push(Source::new(&name, &fs::read_to_string(&path).unwrap()));
        }
    }
}
