//! Pairs that are read are written as the same bytes, and host and SDK read them alike.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chunkwise_fuzz::pairs::check(data));
