//! A JPEG file that is replayed, decoded by libjpeg-turbo: it is shown, or refused.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static FILE: LazyLock<PathBuf> = LazyLock::new(|| picam_fuzz::file("replay.jpg"));

fuzz_target!(|contents: &[u8]| picam_fuzz::replay(&FILE, contents));
