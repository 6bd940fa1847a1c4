//! What the load generator, the servers in memory and the benches share.

pub mod signed_in;
