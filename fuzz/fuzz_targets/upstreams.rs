//! A script answers the same calls in the same way, or is refused with its name and a reason.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chunkwise_fuzz::upstreams::check(data));
