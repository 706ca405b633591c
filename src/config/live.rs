//! What a running picam takes over of a changed configuration.

use super::Config;
use super::keys::SECTIONS;
use super::print::find;
use serde::Deserialize;
use toml::Value;

/// What differs between two configurations: dotted names, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Keys that a running picam can take over.
    pub applied: Vec<String>,
    /// Keys that take effect at the next start only.
    pub needs_restart: Vec<String>,
}

impl Config {
    /// This configuration, with the values of `new` for those keys that a running picam can take over.
    ///
    /// # Panics
    /// A key of the table has a type that its field does not have: a mistake in picam, which the tests would show.
    pub fn take_live(&self, new: &Config) -> (Config, Changes) {
        let (mut values, newer) = (self.values(), new.values());
        let mut changes = Changes::default();
        for section in SECTIONS {
            for key in section.keys {
                let value = find(&newer, section.name, key.name);
                if find(&values, section.name, key.name) == value {
                    continue;
                }
                let name = format!("{}.{}", section.name, key.name);
                if !key.live {
                    changes.needs_restart.push(name);
                    continue;
                }
                changes.applied.push(name);
                if let (Some(Value::Table(keys)), Some(value)) =
                    (values.get_mut(section.name), value)
                {
                    keys.insert(key.name.to_owned(), value.clone());
                }
            }
        }
        let mut config = Config::deserialize(Value::Table(values))
            .expect("a value of one Config is a value of another");
        config.controls = new.controls; // all of them are live, and no part of what is deserialized
        (config, changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AutoOr, Source};
    use std::path::PathBuf;

    #[test]
    fn live_keys_change_and_others_wait_for_a_restart() {
        let old = Config::default();
        let mut new = Config::default();
        new.server.allow_origin = "*".into();
        new.camera.rate = 4.0;
        new.camera.width = 640;
        new.camera.source = Source::Replay(PathBuf::from("/photographs"));
        new.jpeg.quality = 50;
        new.cpu.encode = AutoOr::Given(vec![1]);
        new.limits.streams = 3;
        new.controls = crate::controls::Set::parse_query("LensPosition=2").unwrap();
        let (taken, changes) = old.take_live(&new);
        assert_eq!(
            changes.needs_restart,
            ["camera.source", "camera.width", "cpu.encode"]
        );
        assert_eq!(
            changes.applied,
            [
                "server.allow_origin",
                "camera.rate",
                "jpeg.quality",
                "controls.AeEnable",
                "controls.LensPosition",
                "controls.AfMode",
                "controls.AwbEnable",
                "limits.streams"
            ]
        );
        let mut expected = new.clone();
        expected.camera.width = old.camera.width;
        expected.camera.source = old.camera.source.clone();
        expected.cpu = old.cpu.clone();
        assert_eq!(taken, expected);
        assert_eq!(taken.take_live(&taken).1, Changes::default());
    }
}
