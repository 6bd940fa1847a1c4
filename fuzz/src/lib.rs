//! The bodies of the fuzz targets, which the tests of the workspace run on stable Rust too.

#[path = "../../tests/fuzz/apps.rs"]
mod apps;
#[path = "../../tests/fuzz/targets.rs"]
mod targets;

/// Runs the target `name` on `data`: whether they were taken. It panics where a rule does not hold.
pub fn run(name: &str, data: &[u8]) -> bool {
    let (_, target) = targets::TARGETS.into_iter().find(|(known, _)| *known == name).unwrap();
    target(data)
}
