//! The names of the sources of frames.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where the frames come from: `pattern`, `replay:PATH` or `libcamera`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// A moving test picture with the frame number and the time in it.
    Pattern,
    /// A JPEG file, a folder of JPEG files or a Y4M file, played in a loop.
    Replay(PathBuf),
    /// The camera of this machine.
    Libcamera,
}

/// The text names no [`Source`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such camera source: expected {}", Source::EXPECTED)]
pub struct UnknownSource;

impl Source {
    /// What [`Source::from_str`] accepts.
    pub const EXPECTED: &str =
        "pattern, replay:PATH (a JPEG file, a folder of them or a Y4M file) or libcamera";
}

impl FromStr for Source {
    type Err = UnknownSource;

    fn from_str(text: &str) -> Result<Self, UnknownSource> {
        match (text, text.strip_prefix("replay:")) {
            ("pattern", _) => Ok(Source::Pattern),
            ("libcamera", _) => Ok(Source::Libcamera),
            (_, Some(path)) if !path.is_empty() => Ok(Source::Replay(path.into())),
            _ => Err(UnknownSource),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Pattern => f.write_str("pattern"),
            Source::Replay(path) => write!(f, "replay:{}", path.display()),
            Source::Libcamera => f.write_str("libcamera"),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = UnknownSource;

    fn try_from(text: String) -> Result<Self, UnknownSource> {
        text.parse()
    }
}

impl From<Source> for String {
    fn from(source: Source) -> String {
        source.to_string()
    }
}
