//! A Y4M file that is replayed: it is played from the beginning again at its end, or refused.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static FILE: LazyLock<PathBuf> = LazyLock::new(|| picam_fuzz::file("replay.y4m"));

fuzz_target!(|contents: &[u8]| picam_fuzz::replay(&FILE, contents));
