//! A configuration as a commented TOML file, and the difference between two of them.

use toml::{Table, Value};

use super::Config;
use super::keys::SECTIONS;

/// What differs between two configurations: dotted names, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Keys that a running picam can take over.
    pub applied: Vec<String>,
    /// Keys that take effect at the next start only.
    pub needs_restart: Vec<String>,
}

impl Config {
    /// The configuration as a file: every key, with what it means, accepts, and its default.
    pub fn to_toml(&self) -> String {
        let mut text = "# The configuration of picam. Later wins, key by key: built-in defaults,\n\
             # /etc/picam/picam.toml (part of the image), /data/picam/picam.toml (the site's),\n\
             # command line. A file needs only the keys that differ.\n"
            .to_owned();
        let (values, defaults) = (self.values(), Config::default().values());
        for section in SECTIONS {
            text += &format!("\n[{}]\n", section.name);
            for key in section.keys {
                let default = find(&defaults, section.name, key.name)
                    .map_or("not set".to_owned(), Value::to_string);
                text += &format!("# {}\n", key.doc);
                text += &format!("# Accepted: {}. Default: {default}.\n", key.accepted());
                match find(&values, section.name, key.name) {
                    Some(value) => text += &format!("{} = {value}\n", key.name),
                    None => text += &format!("#{} =\n", key.name),
                }
            }
        }
        text
    }

    /// The keys whose value differs in `new`, by whether a running picam can take it over.
    pub fn live_changes(&self, new: &Config) -> Changes {
        let (old, new) = (self.values(), new.values());
        let mut changes = Changes::default();
        for section in SECTIONS {
            for key in section.keys {
                if find(&old, section.name, key.name) != find(&new, section.name, key.name) {
                    let list = if key.live {
                        &mut changes.applied
                    } else {
                        &mut changes.needs_restart
                    };
                    list.push(format!("{}.{}", section.name, key.name));
                }
            }
        }
        changes
    }

    fn values(&self) -> Table {
        Table::try_from(self).expect("every field of Config has a TOML type")
    }
}

fn find<'a>(values: &'a Table, section: &str, key: &str) -> Option<&'a Value> {
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
