//! Each rule of the host, tried on a small handler.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

mod bodies;
mod front;
mod life;
mod packages;
mod requests;
mod served;
