//! That the deployment is of one piece: Bicep, policies, OpenAPI documents, azure.yaml, the settings
//! that the apps read and the files of the Functions host agree. Nothing here needs Azure.
#![expect(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, reason = "these are tests")]

mod azure_yaml;
mod bicep;
mod cors;
mod functions_host;
mod grants;
mod hooks;
mod mistakes;
mod mistakes_in_monitoring;
mod modules;
mod policies;
mod queries;
mod repository;
mod resources;
mod routes;
mod settings;
mod workflow;
mod xml;

use repository::Repository;

/// What all checks have to say of `repository`, a line each.
fn complaints(repository: &Repository) -> Vec<String> {
    let checks = [
        azure_yaml::complaints,
        functions_host::complaints,
        grants::complaints,
        modules::complaints,
        policies::complaints,
        queries::complaints,
        resources::complaints,
        routes::complaints,
        settings::complaints,
        workflow::complaints,
    ];
    checks.iter().flat_map(|check| check(repository)).collect()
}

#[test]
fn the_deployment_is_of_one_piece() {
    let complaints = complaints(&Repository::read());

    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
