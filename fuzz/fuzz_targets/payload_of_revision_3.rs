#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz_bodies::payload_of_revision_3(data));
