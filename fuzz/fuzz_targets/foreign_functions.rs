//! Any arguments of foreign functions get a status; expressions and zlib streams keep their promises.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chunkwise_fuzz::foreign_functions::check(data));
