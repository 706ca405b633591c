//! The layers of the configuration: files laid over the defaults key by key, and the command line
//! over the files. Every problem is one line that says where, what, and what is expected.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::{Table, Value};

use super::accepts::{Accepts, control_text};
use super::file::{self, File, FileLine};
use super::keys::{Key, SECTIONS, Section};
use super::{Config, Source};
use crate::controls::{ControlError, Set, one_of, shown};

/// The file that comes with the image, read-only.
const IMAGE_FILE: &str = "/etc/picam/picam.toml";
/// The site's file, which survives updates.
const SITE_FILE: &str = "/data/picam/picam.toml";

/// What the command line sets; it wins over every file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// Instead of `camera.source`.
    pub source: Option<Source>,
    /// Instead of `server.listen`.
    pub listen: Option<SocketAddr>,
}

/// Where the configuration comes from. Kept by a running picam, to read it again on request.
#[derive(Clone, Debug, PartialEq)]
pub struct Layers {
    /// The files; a later one wins over an earlier one, key by key.
    pub files: Vec<PathBuf>,
    /// Whether a file that does not exist is a problem.
    pub required: bool,
    /// What the command line sets.
    pub overrides: Overrides,
}

/// The image's file and the site's file, both optional.
impl Default for Layers {
    fn default() -> Self {
        Layers {
            files: vec![IMAGE_FILE.into(), SITE_FILE.into()],
            required: false,
            overrides: Overrides::default(),
        }
    }
}

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

impl Layers {
    /// Reads the files and lays them, then the command line, over the defaults.
    ///
    /// # Errors
    /// All problems of all files; the configuration is then not usable at all.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let mut reader = Reader::default();
        for path in &self.files {
            match file::read(path) {
                Ok(bytes) => reader.read(path, &bytes),
                Err(e) if e.kind() == io::ErrorKind::NotFound && !self.required => {}
                Err(source) => reader.problems.push(Problem::Read {
                    path: path.clone(),
                    source,
                }),
            }
        }
        let mut config = reader.finish()?;
        if let Some(source) = &self.overrides.source {
            config.camera.source = source.clone();
        }
        if let Some(listen) = self.overrides.listen {
            config.server.listen = listen;
        }
        Ok(config)
    }
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    /// The newest value of each key that some file sets, by section; `[controls]` is in `controls`.
    values: Table,
    /// The controls that each file sets.
    controls: Vec<Set>,
    /// Every key set, in the order of reading, and where.
    places: Vec<(String, FileLine)>,
    problems: Vec<Problem>,
}

impl Reader {
    fn read(&mut self, path: &Path, bytes: &[u8]) {
        let file = File::new(path, bytes);
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(e) => {
                let message = "not UTF-8".to_owned();
                let place = file.place(e.valid_up_to());
                return self.problems.push(Problem::Syntax { place, message });
            }
        };
        match DeTable::parse(text) {
            Ok(table) => self.file(&file, table.into_inner()),
            Err(e) => {
                let place = file.place(e.span().map_or(0, |span| span.start));
                let message = e.message().trim().replace('\n', ", ");
                let message = format!("{message}, in: {}", file.line(place.line));
                self.problems.push(Problem::Syntax { place, message });
            }
        }
    }

    fn file(&mut self, file: &File, table: DeTable) {
        self.controls.push(Set::default());
        for (name, value) in in_order(table) {
            let Some(section) = SECTIONS.iter().find(|s| s.name == name.as_ref()) else {
                let expected = one_of(&SECTIONS.iter().map(|s| s.name).collect::<Vec<_>>());
                let place = file.place(name.span().start);
                let name = shown(name.as_ref());
                self.problems.push(Problem::UnknownSection {
                    place,
                    name,
                    expected,
                });
                continue;
            };
            let place = file.place(value.span().start);
            let given = file.written(value.span());
            match value.into_inner() {
                DeValue::Table(keys) => self.section(file, section, keys),
                _ => {
                    self.problems.push(Problem::NotASection {
                        place,
                        name: section.name,
                        given,
                    });
                }
            }
        }
    }

    fn section(&mut self, file: &File, section: &'static Section, table: DeTable) {
        for (name, value) in in_order(table) {
            let place = file.place(name.span().start);
            let Some(key) = section.keys.iter().find(|key| key.name == name.as_ref()) else {
                self.problems.push(Problem::UnknownKey {
                    place,
                    section: section.name,
                    name: shown(name.as_ref()),
                    expected: one_of(&section.keys.iter().map(|key| key.name).collect::<Vec<_>>()),
                });
                continue;
            };
            let given = file.written(value.span());
            match Value::deserialize(ValueDeserializer::from(value)) {
                Ok(value) if key.accepts.check(&value) => self.set(place, section, key, value),
                _ => self.problems.push(Problem::Value {
                    place,
                    key: format!("{}.{}", section.name, key.name),
                    given,
                    expected: key.expected(),
                }),
            }
        }
    }

    /// Takes over a value that its key accepts.
    fn set(&mut self, place: FileLine, section: &Section, key: &Key, value: Value) {
        if let Accepts::Control(control) = key.accepts {
            let text = control_text(control, &value).unwrap_or_default();
            if let Some(set) = self.controls.last_mut()
                && let Err(source) = set.insert(control.name, &text)
            {
                self.problems.push(Problem::Controls { place, source });
            }
            return;
        }
        self.places
            .push((format!("{}.{}", section.name, key.name), place));
        let keys = self
            .values
            .entry(section.name)
            .or_insert_with(|| Value::Table(Table::new()));
        if let Value::Table(keys) = keys {
            keys.insert(key.name.to_owned(), value);
        }
    }

    fn finish(mut self) -> Result<Config, ConfigError> {
        let mut config = match Config::deserialize(Value::Table(self.values)) {
            Ok(config) => config,
            Err(e) => {
                self.problems.push(Problem::Types(e));
                return Err(ConfigError(self.problems));
            }
        };
        for set in &self.controls {
            config.controls.merge(set);
        }

        let limits = &config.limits;
        let (streams, soft, hard) = (limits.streams, limits.connections, limits.connections_hard);
        for (right, small, small_value, large, large_value, rule) in [
            (
                streams <= soft,
                "limits.streams",
                streams,
                "limits.connections",
                soft,
                "limits.streams of at most limits.connections",
            ),
            (
                soft < hard,
                "limits.connections",
                soft,
                "limits.connections_hard",
                hard,
                "limits.connections_hard of more than limits.connections",
            ),
        ] {
            let place = self
                .places
                .iter()
                .rev()
                .find(|(key, _)| key == small || key == large);
            if let (false, Some((_, place))) = (right, place) {
                let place = place.clone();
                self.problems.push(Problem::Order {
                    place,
                    small,
                    small_value,
                    large,
                    large_value,
                    rule,
                });
            }
        }
        let server = &config.server;
        if !server.key.is_empty() && server.token.is_empty() {
            let (key, other) = ("server.key", "server.token");
            let place = self.places.iter().rev().find(|(it, _)| it == key);
            if let Some((_, place)) = place {
                let place = place.clone();
                self.problems.push(Problem::Alone { place, key, other });
            }
        }
        if self.problems.is_empty() {
            Ok(config)
        } else {
            Err(ConfigError(self.problems))
        }
    }
}

/// The entries in the order of the file.
fn in_order<'i>(
    table: DeTable<'i>,
) -> impl Iterator<Item = (Spanned<toml::de::DeString<'i>>, Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries.into_iter()
}
