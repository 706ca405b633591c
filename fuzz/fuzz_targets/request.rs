//! The first bytes of a connection: whatever they are, they are a request, its beginning, or malformed, and more bytes do
//! not change a verdict.

#![no_main]

use libfuzzer_sys::fuzz_target;
use picam::http::{Examined, examine};

fuzz_target!(|bytes: &[u8]| {
    let mut longer = bytes.to_vec();
    longer.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
    match examine(bytes) {
        Examined::Incomplete => {}
        whole @ Examined::Whole(_) => assert_eq!(whole, examine(&longer)),
        malformed @ Examined::Malformed(_) => assert_eq!(malformed, examine(&longer)),
    }
    for cut in 0..bytes.len().min(64) {
        if let Examined::Whole(_) = examine(&bytes[..cut]) {
            assert!(matches!(examine(bytes), Examined::Whole(_)));
        }
    }
});
