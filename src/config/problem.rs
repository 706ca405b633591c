//! Why a configuration is not acceptable: one line for each problem, that says where, what, and what is expected.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::file::FileLine;
use crate::controls::ControlError;

/// One reason why the configuration is not acceptable, displayed as one line.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the fields are what the messages show")]
pub enum Problem {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// The file is not UTF-8, or not TOML.
    #[error("{place}: not TOML: {message}")]
    Syntax { place: FileLine, message: String },
    /// There is no such section.
    #[error("{place}: unknown section {name}: expected {expected}")]
    UnknownSection {
        place: FileLine,
        name: String,
        expected: String,
    },
    /// The name of a section is used for something else.
    #[error("{place}: {name} = {given}: expected a section [{name}] with keys")]
    NotASection {
        place: FileLine,
        name: &'static str,
        given: String,
    },
    /// The section has no such key.
    #[error("{place}: unknown key {name} in [{section}]: expected {expected}")]
    UnknownKey {
        place: FileLine,
        section: &'static str,
        name: String,
        expected: String,
    },
    /// The value has the wrong type or is out of range.
    #[error("{place}: {key} = {given}: expected {expected}")]
    Value {
        place: FileLine,
        key: String,
        given: String,
        expected: String,
    },
    /// A control contradicts another one in the same file.
    #[error("{place}: controls: {source}")]
    Controls {
        place: FileLine,
        source: ControlError,
    },
    /// Two keys have values that do not go together; the place is the later one's.
    #[error("{place}: {small} = {small_value} with {large} = {large_value}: expected {rule}")]
    Order {
        place: FileLine,
        small: &'static str,
        small_value: usize,
        large: &'static str,
        large_value: usize,
        rule: &'static str,
    },
    /// A key has an effect only beside another one.
    #[error("{place}: {key} without {other}: expected both")]
    Alone {
        place: FileLine,
        key: &'static str,
        other: &'static str,
    },
    /// The key table accepted what the types do not: a mistake in picam.
    #[error("the configuration as a whole: {0}")]
    Types(toml::de::Error),
}

/// Why the configuration is not acceptable: all the problems found, one line each.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError(pub Vec<Problem>);

/// More problems are only counted: a file of rubbish must not fill the log.
const PROBLEMS_TOLD: usize = 20;

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.0.iter().take(PROBLEMS_TOLD).enumerate() {
            let line_end = if number > 0 { "\n" } else { "" };
            write!(f, "{line_end}{problem}")?;
        }
        match self.0.len().saturating_sub(PROBLEMS_TOLD) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more like these"),
        }
    }
}
