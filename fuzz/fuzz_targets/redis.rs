//! The store answers any bytes with one whole reply, and keeps to its size.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chunkwise_fuzz::redis::check(data));
