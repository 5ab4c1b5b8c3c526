//! Any property path and value gets a status, and what a guest could set it can read.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chunkwise_fuzz::property_path::check(data));
