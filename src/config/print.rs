//! A configuration as a commented TOML file.

use toml::{Table, Value};

use super::Config;
use super::keys::SECTIONS;
use super::origins::{Origins, Traced};

impl Config {
    /// The configuration as a file: every key, with what it means, accepts, and its default.
    pub fn to_toml(&self) -> String {
        self.print(&Origins::default())
    }

    fn print(&self, origins: &Origins) -> String {
        let mut text = "# The configuration of picam. Later wins, key by key: built-in defaults,\n\
             # /etc/picam/picam.toml (part of the image), /data/picam/picam.toml (the site's),\n\
             # saved.toml in state.directory (what was saved of [controls] while picam ran),\n\
             # command line. A file needs only the keys that differ.\n"
            .to_owned();
        let (values, defaults) = (self.values(), Config::default().values());
        for section in SECTIONS {
            text += &format!("\n[{}]\n", section.name);
            for key in section.keys {
                let default = find(&defaults, section.name, key.name)
                    .map_or("not set".to_owned(), Value::to_string);
                text += &format!("# {}\n", key.doc);
                text += &format!("# Expected: {}. Default: {default}.\n", key.expected());
                if let Some(origin) = origins.get(section.name, key.name) {
                    text += &format!("# From {origin}.\n");
                }
                match find(&values, section.name, key.name) {
                    Some(value) => text += &format!("{} = {value}\n", key.name),
                    None => text += &format!("#{} =\n", key.name),
                }
            }
        }
        text
    }

    pub(super) fn values(&self) -> Table {
        Table::try_from(self).expect("every field of Config has a TOML type")
    }
}

impl Traced {
    /// The same, with the origin of each value that is no default in a line before it.
    pub fn to_toml(&self) -> String {
        self.config.print(&self.origins)
    }
}

pub(super) fn find<'a>(values: &'a Table, section: &str, key: &str) -> Option<&'a Value> {
    values.get(section)?.get(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A field without a row in the key table could be neither read nor printed.
    #[test]
    fn the_key_table_has_every_field() {
        for (section, keys) in Config::default().values() {
            let row = SECTIONS.iter().find(|s| s.name == section);
            let row = row.unwrap_or_else(|| panic!("[{section}] is not in the key table"));
            for key in keys.as_table().unwrap().keys() {
                assert!(row.keys.iter().any(|k| k.name == key), "{section}.{key}");
            }
        }
    }
}
