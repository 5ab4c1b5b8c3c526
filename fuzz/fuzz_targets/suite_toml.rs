//! A suite in TOML is run to its end, or refused with places that lie in it.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chunkwise_fuzz::suite::check("fuzz.toml", data));
