//! The fuzz target `url`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| truename_fuzz_targets::url(input));
