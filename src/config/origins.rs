//! Where the values of a configuration come from: for whoever wonders why one is in force.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::file::FileLine;
use super::problem::ConfigError;
use super::{Config, stored};
use crate::controls::{ControlId, Set, TABLE};

/// The controls that one file sets.
#[derive(Debug)]
pub(super) struct FileControls {
    /// The file.
    pub path: PathBuf,
    /// What it sets.
    pub set: Set,
    /// Where in it.
    pub places: Vec<(ControlId, FileLine)>,
}

/// Where a value comes from that no default is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It stands there.
    Line(FileLine),
    /// Another control that stands in this file brings it about.
    Implied(PathBuf),
    /// An option of the command line.
    Option(&'static str),
}

/// On one line, whatever the file is called.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Origin::Line(place) => place.to_string(),
            Origin::Implied(path) => format!("{}, by another control", path.display()),
            Origin::Option(option) => (*option).to_owned(),
        };
        f.write_str(&text.replace(char::is_control, "?"))
    }
}

/// The origins of all values that are no defaults, by `section.key`.
#[derive(Debug, Default)]
pub(super) struct Origins(BTreeMap<String, Origin>);

impl Origins {
    /// Of keys that stand at these places; a later one wins.
    pub fn of(places: &[(String, FileLine)]) -> Self {
        let lines = places
            .iter()
            .map(|(key, place)| (key.clone(), Origin::Line(place.clone())));
        Self(lines.collect())
    }

    /// The origin of a key's value; `None` for the default.
    pub fn get(&self, section: &str, key: &str) -> Option<&Origin> {
        self.0.get(&format!("{section}.{key}"))
    }

    /// `key`, with its section, has its value from there.
    pub fn set(&mut self, key: &str, origin: Origin) {
        self.0.insert(key.to_owned(), origin);
    }

    /// Lays the controls of a file over those of the layers below, by `lay`, and notes what comes of it.
    pub fn lay(&mut self, state: &mut Set, lay: fn(&mut Set, &Set), file: &FileControls) {
        let before = *state;
        lay(state, &file.set);
        for control in &TABLE {
            let key = format!("controls.{}", control.name);
            let place = file.places.iter().find(|(id, _)| *id == control.id);
            let changed = state.get(control.id) != before.get(control.id);
            match (state.get(control.id), place) {
                (None, _) => {
                    self.0.remove(&key);
                }
                (Some(_), Some((_, place))) => self.set(&key, Origin::Line(place.clone())),
                (Some(_), None) if changed => self.set(&key, Origin::Implied(file.path.clone())),
                (Some(_), None) => {}
            }
        }
    }
}

/// A configuration, and where each of its values comes from.
#[derive(Debug)]
pub struct Traced {
    /// The configuration.
    pub config: Config,
    pub(super) origins: Origins,
}

impl Traced {
    /// Lays over the files what was saved, as a start does; and what of that is left out, for being damaged or not known to
    /// this picam.
    pub fn with_saved(mut self) -> (Self, Option<ConfigError>) {
        let left_out = match stored::read_saved(&self.config.state.directory) {
            Ok(None) => Vec::new(),
            Ok(Some(saved)) => {
                self.origins
                    .lay(&mut self.config.controls, Set::overlay, &saved.controls);
                saved.unknown
            }
            Err(ConfigError(problems)) => problems,
        };
        let some = !left_out.is_empty();
        (self, some.then_some(ConfigError(left_out)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, query: &str) -> FileControls {
        let set = Set::parse_query(query).unwrap();
        let named = TABLE.iter().filter(|it| set.get(it.id).is_some());
        let place = |line| FileLine {
            path: path.into(),
            line,
        };
        FileControls {
            path: path.into(),
            set,
            places: named
                .zip(1..)
                .map(|(it, line)| (it.id, place(line)))
                .collect(),
        }
    }

    #[test]
    fn a_control_comes_from_its_line_or_from_one_that_excludes_it() {
        let (mut origins, mut state) = (Origins::default(), Set::default());
        origins.lay(
            &mut state,
            Set::merge,
            &file("site", "Contrast=2&ExposureTime=9"),
        );
        origins.lay(
            &mut state,
            Set::overlay,
            &file("saved", "LensPosition=1&AfMode=manual"),
        );
        origins.lay(&mut state, Set::merge, &file("late", "ExposureTime=auto"));
        let from = |key| origins.get("controls", key).map(Origin::to_string);
        assert_eq!(from("Contrast").as_deref(), Some("site:2"));
        assert_eq!(from("LensPosition").as_deref(), Some("saved:1"));
        assert_eq!(from("AfMode").as_deref(), Some("saved:2"));
        assert_eq!(
            from("AeEnable").as_deref(),
            Some("late, by another control")
        );
        assert_eq!((from("ExposureTime"), from("Brightness")), (None, None));
    }

    #[test]
    fn an_origin_stays_on_its_line() {
        let path = PathBuf::from("a\nb = 1");
        assert_eq!(
            Origin::Implied(path).to_string(),
            "a?b = 1, by another control"
        );
    }
}
