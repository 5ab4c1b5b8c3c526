//! Output of a tap filter is read whole, the same in every pass, or refused with its name and a reason.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chunkwise_fuzz::traffic::check(data));
