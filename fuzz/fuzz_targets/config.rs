//! The TOML files: up to the first zero byte the image's, behind it the site's. They never panic; what is accepted
//! prints as a file that means the same; each line of a refusal is printable and names one of the files and a line.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use picam::config::{Config, Layers, Overrides};

/// A line of a refusal: 60 characters of the file, and what is accepted instead.
const LONGEST_LINE: usize = 1200;

static FILES: LazyLock<[PathBuf; 2]> =
    LazyLock::new(|| ["image.toml", "site.toml"].map(picam_fuzz::file));

/// Loads files with these contents, and leaves none behind.
fn load(contents: &[&[u8]]) -> Result<Config, String> {
    let files: Vec<_> = FILES.iter().take(contents.len()).cloned().collect();
    for (file, bytes) in files.iter().zip(contents) {
        std::fs::write(file, bytes).expect("a temporary file can be written");
    }
    let layers = Layers {
        files: files.clone(),
        required: true,
        overrides: Overrides::default(),
    };
    let loaded = layers.load();
    for file in &files {
        std::fs::remove_file(file).expect("it was just written");
    }
    loaded.map_err(|error| error.to_string())
}

/// Whether the line is `FILE:LINE: TEXT`, for a line that the file has.
fn names_a_place(line: &str, contents: &[&[u8]]) -> bool {
    FILES.iter().zip(contents).any(|(file, bytes)| {
        let place = line.strip_prefix(file.to_str().unwrap_or_default());
        let place = place.and_then(|place| place.strip_prefix(':')?.split_once(": "));
        let lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count();
        place.is_some_and(|(number, text)| {
            !text.is_empty()
                && number
                    .parse()
                    .is_ok_and(|number| (1..=lines).contains(&number))
        })
    })
}

fuzz_target!(|data: &[u8]| {
    let contents: Vec<_> = data.splitn(2, |byte| *byte == 0).collect();
    match load(&contents) {
        Ok(config) => {
            let printed = config.to_toml();
            assert_eq!(load(&[printed.as_bytes()]), Ok(config), "{printed}");
        }
        Err(refusal) => {
            assert!(!refusal.is_empty());
            for line in refusal.lines() {
                assert!(line.len() <= LONGEST_LINE, "{} bytes: {line:?}", line.len());
                assert!(!line.chars().any(char::is_control), "{line:?}");
                assert!(names_a_place(line, &contents), "{line:?}");
            }
        }
    }
});
