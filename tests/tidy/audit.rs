//! That docs/audit.md tells of each audit event what it is and carries, and of no other.

use std::fs;

use oauth_fn::audit::EVENTS;

use crate::source::root;

#[test]
fn each_audit_event_is_documented_with_its_outcome_and_its_fields() {
    let document = fs::read_to_string(root().join("docs/audit.md")).unwrap();

    let documented: Vec<_> = document.lines().filter_map(row).collect();

    let declared = EVENTS.iter().map(|(name, outcome, fields)| {
        let fields = fields.iter().map(|field| (*field).to_owned()).collect();
        ((*name).to_owned(), (*outcome).to_owned(), fields)
    });
    assert_eq!(documented, declared.collect::<Vec<(String, String, Vec<String>)>>());
}

/// Name, outcome and fields of the event that `line` is the row of.
fn row(line: &str) -> Option<(String, String, Vec<String>)> {
    let cells: Vec<&str> = line.strip_prefix("| `")?.trim_end_matches(" |").split(" | ").collect();
    let [name, outcome, _, fields] = cells.as_slice() else {
        return None;
    };
    let quoted = fields.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((name.trim_end_matches('`').to_owned(), (*outcome).to_owned(), quoted))
}
