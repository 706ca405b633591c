//! One file of the configuration: read within bounds whatever it is, and where in it things are.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The largest file that is read. All keys with all their comments are a tenth of it.
pub const LARGEST_FILE: u64 = 64 << 10;

/// A line of a file; displayed as `FILE:LINE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileLine {
    /// The file.
    pub path: PathBuf,
    /// The line, counted from 1.
    pub line: usize,
}

impl fmt::Display for FileLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path.display(), self.line)
    }
}

/// The bytes of the file at `path`. A file on a card that anybody wrote may be a pipe without a writer, or endless.
///
/// # Errors
/// It cannot be read, is no file, or has more than [`LARGEST_FILE`] bytes.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    // /dev/null is the usual name for nothing at all.
    let kind = file.metadata()?.file_type();
    if !kind.is_file() && !kind.is_char_device() {
        return Err(io::Error::other("expected a regular file"));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LARGEST_FILE {
        true => Err(io::Error::other(format!(
            "expected at most {LARGEST_FILE} bytes"
        ))),
        false => Ok(bytes),
    }
}

/// A file that was read.
pub(super) struct File<'a> {
    /// Its path.
    pub path: &'a Path,
    bytes: &'a [u8],
    /// Where each line ends.
    ends: Vec<usize>,
}

impl<'a> File<'a> {
    pub(super) fn new(path: &'a Path, bytes: &'a [u8]) -> Self {
        let numbered = bytes.iter().enumerate();
        let ends = numbered.filter(|(_, byte)| **byte == b'\n');
        Self {
            path,
            bytes,
            ends: ends.map(|(at, _)| at).collect(),
        }
    }

    /// The line of the byte at `offset`.
    pub(super) fn place(&self, offset: usize) -> FileLine {
        FileLine {
            path: self.path.to_owned(),
            line: 1 + self.ends.partition_point(|end| *end < offset),
        }
    }

    /// What is written between two offsets, or the beginning of that.
    pub(super) fn written(&self, span: std::ops::Range<usize>) -> String {
        start(&String::from_utf8_lossy(
            self.bytes.get(span).unwrap_or_default(),
        ))
    }

    /// A line, counted from 1, or the beginning of it.
    pub(super) fn line(&self, line: usize) -> String {
        let start_of = |line: usize| match line {
            0 => 0,
            _ => self
                .ends
                .get(line - 1)
                .map_or(self.bytes.len(), |end| end + 1),
        };
        let line = String::from_utf8_lossy(&self.bytes[start_of(line - 1)..start_of(line)]);
        start(line.trim())
    }
}

/// The start of a part of the file: on one line and not long.
fn start(written: &str) -> String {
    const LONGEST: usize = 60;
    let start: String = written
        .chars()
        .take_while(|c| !c.is_control())
        .take(LONGEST)
        .collect();
    if start.len() < written.len() {
        start + "…"
    } else {
        start
    }
}
