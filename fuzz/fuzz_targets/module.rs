//! Any bytes are refused as a module, or described; and run, if they are a plugin.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chunkwise_fuzz::module::check(data));
