//! A stand-in for the host of Azure Functions, for tests: takes a package as it is deployed, starts
//! its handler as the host would, and sends it requests as the host would.
//!
//! The host itself cannot be had outside Azure. What it does to requests was read in its sources, and
//! each rule has a test in `tests/rules`.

mod forward;
mod front;
mod headers;
mod host;
mod log;
pub mod measure;
pub mod package;
mod path;
mod process;
mod relay;

pub use host::{Host, HostOptions};
pub use log::{Level, LogLine};
pub use package::{Package, Programs};
pub use process::StartError;
pub use relay::relay;
