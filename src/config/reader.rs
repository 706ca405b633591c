//! What files say, read through the key table: values and controls, where each stands, and every problem.

use std::io;
use std::path::Path;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};
use toml::{Table, Value};

use super::Config;
use super::accepts::{Accepts, control_text};
use super::file::{self, File, FileLine};
use super::keys::{Key, Section};
use super::origins::{FileControls, Origins, Traced};
use super::problem::{ConfigError, Problem};
use crate::controls::{Set, one_of, shown};
/// What has been read so far.
#[derive(Default)]
pub(super) struct Reader {
    /// What the files may have.
    sections: &'static [Section],
    /// The newest value of each key that some file sets, by section; `[controls]` is in `controls`.
    pub values: Table,
    /// The controls that each file sets.
    pub controls: Vec<FileControls>,
    /// Every other key set, in the order of reading, and where.
    places: Vec<(String, FileLine)>,
    /// What is not acceptable, in the order of reading.
    pub problems: Vec<Problem>,
}

impl Reader {
    /// A reader of files that may have these sections.
    pub fn new(sections: &'static [Section]) -> Self {
        Self {
            sections,
            ..Self::default()
        }
    }

    /// Reads one file more.
    ///
    /// # Errors
    /// It cannot be read. What is wrong with its text is among `problems`.
    pub fn open(&mut self, path: &Path) -> io::Result<()> {
        let bytes = file::read(path)?;
        self.read(path, &bytes);
        Ok(())
    }

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
        self.controls.push(FileControls {
            path: file.path.to_owned(),
            set: Set::default(),
            places: Vec::new(),
        });
        for (name, value) in in_order(table) {
            let sections = self.sections.iter();
            let Some(section) = sections.clone().find(|s| s.name == name.as_ref()) else {
                let expected = one_of(&sections.map(|s| s.name).collect::<Vec<_>>());
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
            if let Some(controls) = self.controls.last_mut() {
                match controls.set.insert(control.name, &text) {
                    Ok(()) => controls.places.push((control.id, place)),
                    Err(source) => self.problems.push(Problem::Controls { place, source }),
                }
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

    /// What the files, laid over each other and over the defaults, come to.
    ///
    /// # Errors
    /// All problems.
    pub fn finish(mut self) -> Result<Traced, ConfigError> {
        let mut config = match Config::deserialize(Value::Table(self.values)) {
            Ok(config) => config,
            Err(e) => {
                self.problems.push(Problem::Types(e));
                return Err(ConfigError(self.problems));
            }
        };
        let mut origins = Origins::of(&self.places);
        for file in &self.controls {
            origins.lay(&mut config.controls, Set::merge, file);
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
            Ok(Traced { config, origins })
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
