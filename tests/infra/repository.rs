//! The files that say how the system is deployed, in memory: a check can be tried on a copy with a
//! mistake in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// Every file that a check reads, by its path from the root of the repository.
#[derive(Clone, Debug)]
pub(crate) struct Repository(BTreeMap<String, String>);

const FILES: [&str; 11] = [
    ".github/workflows/azure-dev.yml",
    "azure.yaml",
    "docs/deploy.md",
    "docs/observe.md",
    "docs/settings.md",
    "host.json",
    "http/function.json",
    "mcp-fn/src/lib.rs",
    "mcp-fn/src/metadata.rs",
    "mcp-fn/src/transport/sse/mod.rs",
    "oauth-fn/src/endpoints/mod.rs",
];

impl Repository {
    /// The files as they are.
    pub(crate) fn read() -> Self {
        let mut files = BTreeMap::new();
        for path in FILES {
            files.insert(path.to_owned(), fs::read_to_string(root().join(path)).unwrap());
        }
        collect(&root().join("infra"), &mut files);
        Self(files)
    }

    /// A copy in which the first `from` of the file at `path` is `to`.
    pub(crate) fn with(&self, path: &str, from: &str, to: &str) -> Self {
        let mut copy = self.clone();
        let text = copy.0.get_mut(path).unwrap_or_else(|| panic!("{path} is gone"));
        assert!(
            text.contains(from),
            "{path} does not say {from:?} any more: plant another mistake"
        );
        *text = text.replacen(from, to, 1);
        copy
    }

    /// The text of the file at `path`, if it is there.
    pub(crate) fn find(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// The text of the file at `path`.
    pub(crate) fn text(&self, path: &str) -> &str {
        self.find(path).unwrap_or_else(|| panic!("{path} is gone"))
    }

    /// The JSON in the file at `path`.
    pub(crate) fn json(&self, path: &str) -> Value {
        serde_json::from_str(self.text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// Every file whose name ends with `ending`.
    pub(crate) fn ending_with(&self, ending: &str) -> impl Iterator<Item = (&str, &str)> {
        let files = self.0.iter().filter(move |(path, _)| path.ends_with(ending));
        files.map(|(path, text)| (path.as_str(), text.as_str()))
    }
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            let name = path.strip_prefix(root()).unwrap().to_str().unwrap().replace('\\', "/");
            files.insert(name, fs::read_to_string(&path).unwrap());
        }
    }
}
