//! Any host calls with any arguments in any callback get a status or end the guest, never more.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chunkwise_fuzz::host_calls::check(data));
