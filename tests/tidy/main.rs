//! House rules that no lint checks. A breach is shown with its rule, its file and its line.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "these are tests")]

mod audit;
mod documents;
mod doors;
mod manifests;
mod metrics;
mod routes;
mod rules;
mod secrets;
mod settings;
mod source;
mod threats;

use source::Source;

#[test]
fn the_sources_keep_the_house_rules() {
    let sources = Source::all();

    let breaches: Vec<String> = sources
        .iter()
        .flat_map(|source| rules::breaches(source).into_iter().chain(doors::breaches(source)))
        .collect();

    assert!(sources.len() > 30, "only {} sources were found", sources.len());
    assert!(breaches.is_empty(), "{} breaches:\n{}", breaches.len(), breaches.join("\n"));
}
