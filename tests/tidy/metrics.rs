//! That docs/observe.md tells of each metric what it is measured in and carries, and of no other.

use std::fs;

use shared::telemetry::metrics::METRICS;

use crate::source::root;

#[test]
fn each_metric_is_documented_with_its_unit_and_its_attributes() {
    let document = fs::read_to_string(root().join("docs/observe.md")).unwrap();

    let documented: Vec<_> = document.lines().filter_map(row).collect();

    let declared = METRICS.iter().map(|(name, unit, attributes)| {
        let attributes = attributes.iter().map(|attribute| (*attribute).to_owned()).collect();
        ((*name).to_owned(), (*unit).to_owned(), attributes)
    });
    assert_eq!(documented, declared.collect::<Vec<(String, String, Vec<String>)>>());
}

/// Name, unit and attributes of the metric that `line` is the row of.
fn row(line: &str) -> Option<(String, String, Vec<String>)> {
    let cells: Vec<&str> = line.strip_prefix("| `")?.trim_end_matches(" |").split(" | ").collect();
    let [name, unit, attributes, _] = cells.as_slice() else {
        return None;
    };
    if !name.contains('.') {
        return None;
    }
    let quoted = attributes.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((name.trim_end_matches('`').to_owned(), unit.trim_matches('`').to_owned(), quoted))
}
