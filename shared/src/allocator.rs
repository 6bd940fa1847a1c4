//! The allocator of programs that are linked statically, as those in the packages are.

use mimalloc::MiMalloc;

// musl's own has one lock for all threads, at which they wait for each other in every request.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;
