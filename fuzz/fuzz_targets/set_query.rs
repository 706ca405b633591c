//! The query of `/set`: never panics; a set reads back as the same, a refusal is one printable line that stays short
//! however long the query is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picam::controls::Set;

/// A quoted text of 60 characters, each escaped in up to 10 bytes, and the names of all controls.
const LONGEST_REFUSAL: usize = 1200;

fuzz_target!(|query: &str| {
    match Set::parse_query(query) {
        Ok(set) => {
            let displayed = set.to_string().replace(' ', "&");
            assert_eq!(Set::parse_query(&displayed), Ok(set), "{displayed:?}");
        }
        Err(refusal) => {
            let line = refusal.to_string();
            assert!(
                line.len() <= LONGEST_REFUSAL,
                "{} bytes: {line:?}",
                line.len()
            );
            assert!(
                !line.is_empty() && !line.chars().any(char::is_control),
                "{line:?}"
            );
        }
    }
});
