//! See tests/fuzz/targets.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz_targets::run("sse_message", data);
});
