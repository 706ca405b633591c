//! The files of the state folder. `saved.toml` has what was saved, until something else is. `controls.toml` has what was
//! requested beside that, until the machine is started again: only picam itself may have ended. Each is replaced as a whole.

use super::file;
use super::keys::{SAVED, Section, UNSAVED};
use super::origins::FileControls;
use super::problem::{ConfigError, Problem};
use super::reader::Reader;
use crate::controls::Set;
use log::warn;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

const SAVED_FILE: &str = "saved.toml";
const UNSAVED_FILE: &str = "controls.toml";
/// What `saved.toml` is called when it cannot be used.
const DAMAGED_FILE: &str = "saved.toml.bad";
/// The kernel's name for this start of the machine.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What was saved.
pub(super) struct Layer {
    /// The controls.
    pub controls: FileControls,
    /// What this picam does not know: a newer one may have saved it.
    pub unknown: Vec<Problem>,
}

/// What is saved in `folder`; `None` if nothing is, or the path is empty.
///
/// # Errors
/// The file is damaged.
pub(super) fn read_saved(folder: &Path) -> Result<Option<Layer>, ConfigError> {
    if folder.as_os_str().is_empty() {
        return Ok(None);
    }
    let Some(mut reader) = read(&folder.join(SAVED_FILE), SAVED)? else {
        return Ok(None);
    };
    let unknown = std::mem::take(&mut reader.problems);
    let controls = reader.controls.pop();
    Ok(controls.map(|controls| Layer { controls, unknown }))
}

/// A reader that has read one file: its problems are keys that are not known, no others. `None` if there is no file.
fn read(path: &Path, sections: &'static [Section]) -> Result<Option<Reader>, ConfigError> {
    let mut reader = Reader::new(sections);
    match reader.open(path) {
        Err(reason) if reason.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => reader.problems.push(Problem::Read {
            path: path.to_owned(),
            source,
        }),
        Ok(()) => {}
    }
    let is_unknown = |problem: &Problem| {
        matches!(
            problem,
            Problem::UnknownKey { .. } | Problem::UnknownSection { .. }
        )
    };
    let problems = std::mem::take(&mut reader.problems);
    let (unknown, damage): (Vec<_>, Vec<_>) = problems.into_iter().partition(is_unknown);
    if !damage.is_empty() {
        return Err(ConfigError(damage));
    }
    reader.problems = unknown;
    Ok(Some(reader))
}

/// The state folder.
pub(super) struct Folder {
    path: PathBuf,
    /// [`BOOT_ID`]; `None` where that cannot be read: then nothing is kept that was not saved.
    boot: Option<String>,
}

impl Folder {
    /// The folder of this path, which need not be there.
    pub fn new(path: &Path) -> Self {
        let boot = fs::read_to_string(BOOT_ID).inspect_err(|reason| {
            warn!("{BOOT_ID}: {reason}: what is set and not saved ends with picam");
        });
        Self {
            path: path.to_owned(),
            boot: boot.ok().map(|id| id.trim().to_owned()),
        }
    }

    /// Where it has what was saved.
    pub fn saved_file(&self) -> PathBuf {
        self.path.join(SAVED_FILE)
    }

    /// Where it has what was not.
    pub fn unsaved_file(&self) -> PathBuf {
        self.path.join(UNSAVED_FILE)
    }

    /// As [`read_saved`].
    ///
    /// # Errors
    /// The file is damaged.
    pub fn saved(&self) -> Result<Option<Layer>, ConfigError> {
        read_saved(&self.path)
    }

    /// Gives the file with what was saved another name, which is returned.
    ///
    /// # Errors
    /// The system refuses.
    pub fn put_aside(&self) -> io::Result<PathBuf> {
        let aside = self.path.join(DAMAGED_FILE);
        fs::rename(self.saved_file(), &aside)?;
        Ok(aside)
    }

    /// Saves this, or nothing any more; it is on the card when this returns.
    ///
    /// # Errors
    /// The system refuses. What was saved before is saved still.
    pub fn save(&self, set: Option<&Set>) -> io::Result<()> {
        let text = set.map(|set| text("What was saved.", None, set));
        let text = text.transpose()?;
        let wanted = text.as_deref().map(str::as_bytes);
        let before = contents(&self.saved_file());
        if before.as_deref() == wanted {
            return Ok(());
        }
        put_file(&self.path, SAVED_FILE, wanted, true)?;
        let synced = File::open(&self.path).and_then(|folder| folder.sync_all());
        if synced.is_err() {
            let _ = put_file(&self.path, SAVED_FILE, before.as_deref(), true); // what is in force is what is there
        }
        synced
    }

    /// What was requested when picam ended, if the machine has not been started again since then, and `base`, what is saved
    /// or configured, is what it was: whatever has become of that is newer.
    pub fn unsaved(&self, base: &Set) -> Option<Set> {
        let boot = self.boot.as_deref()?;
        let mut reader = match read(&self.unsaved_file(), UNSAVED) {
            Ok(reader) => reader?,
            Err(error) => {
                for line in error.to_string().lines() {
                    warn!("what was not saved is left out: {line}");
                }
                return None;
            }
        };
        let over = |key| reader.values.get("over").and_then(|over| over.get(key));
        let [of_boot, of_base] = ["boot", "controls"].map(|key| over(key).and_then(Value::as_str));
        let is_of_now = of_boot == Some(boot) && of_base == Some(&*base.to_string());
        let controls = reader.controls.pop()?;
        is_of_now.then_some(controls.set)
    }

    /// Keeps what is requested over `base`, if it is anything else, until the machine is started again. After a power cut
    /// nobody reads it: it may reach the card when it will.
    ///
    /// # Errors
    /// The system refuses.
    pub fn keep_unsaved(&self, requested: &Set, base: &Set) -> io::Result<()> {
        let Some(boot) = self.boot.as_deref() else {
            return Ok(());
        };
        let over = Some((boot, base));
        let text =
            (requested != base).then(|| text("What was set and not saved.", over, requested));
        let text = text.transpose()?;
        let wanted = text.as_deref().map(str::as_bytes);
        match contents(&self.unsaved_file()).as_deref() == wanted {
            true => Ok(()),
            false => put_file(&self.path, UNSAVED_FILE, wanted, false),
        }
    }
}

/// Gives the file `name` in `folder` these contents, or removes it. What is written has its name once it is whole, and on the
/// card if it is to be `durable`; the name itself may come there later.
///
/// # Errors
/// The system refuses. The file is as it was.
pub(crate) fn put_file(
    folder: &Path,
    name: &str,
    contents: Option<&[u8]>,
    durable: bool,
) -> io::Result<()> {
    let path = folder.join(name);
    let Some(contents) = contents else {
        return match fs::remove_file(path) {
            Err(reason) if reason.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
    };
    fs::create_dir_all(folder)?;
    let partial = folder.join(format!("{name}.new"));
    let written = File::create(&partial).and_then(|mut file| {
        file.write_all(contents)?;
        if durable {
            file.sync_all()?;
        }
        fs::rename(&partial, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&partial); // a full card has no room for a part of it
    }
    written
}

/// What a file has in it; `None` if there is none. One that cannot be read is taken for empty.
fn contents(path: &Path) -> Option<Vec<u8>> {
    match file::read(path) {
        Err(reason) if reason.kind() == ErrorKind::NotFound => None,
        read => Some(read.unwrap_or_default()),
    }
}

/// A file with `set` as its `[controls]`, in this start of the machine and over these controls.
fn text(what: &str, over: Option<(&str, &Set)>, set: &Set) -> io::Result<String> {
    let mut file = Table::new();
    if let Some((boot, base)) = over {
        let over = [("boot", boot.to_owned()), ("controls", base.to_string())];
        let over = over.map(|(key, text)| (key.to_owned(), Value::String(text)));
        file.insert("over".to_owned(), Value::Table(Table::from_iter(over)));
    }
    let controls = Value::try_from(set).map_err(io::Error::other)?;
    file.insert("controls".to_owned(), controls);
    Ok(format!("# {what} picam writes this file.\n{file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("picam-stored-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Folder::new(&path)
    }

    fn set(query: &str) -> Set {
        Set::parse_query(query).unwrap()
    }

    fn saved(folder: &Folder) -> Option<Set> {
        let layer = folder.saved().unwrap();
        layer.map(|layer| layer.controls.set)
    }

    /// Every kind of value.
    const ALL: &str = "ExposureTime=20000&AnalogueGain=2.5&LensPosition=0&AfMode=manual&AeEnable=0&AwbEnable=0\
                       &ColourGains=1.5,2&AfWindows=0.1,0.2,0.3,0.4&AfMetering=windows&AeFlickerPeriod=50";

    #[test]
    fn what_is_saved_is_read_again_until_nothing_is() {
        let folder = folder("round");
        assert_eq!(saved(&folder), None);
        folder.save(None).unwrap();
        assert!(!folder.path.exists(), "there was nothing to remove");
        for query in [ALL, "Brightness=0.5", ""] {
            folder.save(Some(&set(query))).unwrap();
            assert_eq!(saved(&folder), Some(set(query)));
        }
        folder.save(None).unwrap();
        assert_eq!(saved(&folder), None);
        assert_eq!(fs::read_dir(&folder.path).unwrap().count(), 0);
    }

    #[test]
    fn what_is_not_saved_is_of_one_start_of_the_machine_and_over_one_base() {
        let (mut folder, base) = (folder("boot"), set("Contrast=1"));
        folder.boot = Some("this".into());
        folder.keep_unsaved(&set(ALL), &base).unwrap();
        assert_eq!(folder.unsaved(&base), Some(set(ALL)));
        assert_eq!(folder.unsaved(&set("Contrast=2")), None);
        assert_eq!(saved(&folder), None);
        for other in [Some("another".into()), None] {
            folder.boot = other;
            assert_eq!(folder.unsaved(&base), None);
        }
        folder.boot = Some("another".into());
        folder.keep_unsaved(&base, &base).unwrap();
        assert!(!folder.unsaved_file().exists());
    }

    /// A write that fails leaves what was there, and nothing beside it.
    #[test]
    fn what_cannot_be_written_changes_nothing() {
        let folder = folder("refused");
        folder.save(Some(&set("Brightness=0.5"))).unwrap();
        fs::create_dir(folder.path.join("saved.toml.new")).unwrap();
        folder.save(Some(&set(ALL))).unwrap_err();
        assert_eq!(saved(&folder), Some(set("Brightness=0.5")));
        folder.save(Some(&set("Brightness=0.5"))).unwrap();
        fs::remove_dir(folder.path.join("saved.toml.new")).unwrap();
        folder.save(Some(&set(ALL))).unwrap();
        assert_eq!(saved(&folder), Some(set(ALL)));
    }

    #[test]
    fn a_newer_picams_keys_are_left_out_and_damage_is_told() {
        let folder = folder("damage");
        fs::create_dir_all(&folder.path).unwrap();
        let newer = "[controls]\nBrightness = 0.5\nRotation = 90\n[focus]\ntemperature = 31.5\n";
        fs::write(folder.saved_file(), newer).unwrap();
        let layer = folder.saved().unwrap().unwrap();
        assert_eq!(layer.controls.set, set("Brightness=0.5"));
        let told: Vec<_> = layer.unknown.iter().map(Problem::to_string).collect();
        assert!(told[0].contains("saved.toml:3: unknown key \"Rotation\""));
        assert!(told[1].contains("saved.toml:4: unknown section \"focus\""));

        for damage in [
            &b"[controls]\nLensPosition = -1\n"[..],
            b"[contr\0",
            b"\xff",
        ] {
            fs::write(folder.saved_file(), damage).unwrap();
            assert!(folder.saved().is_err(), "{damage:?}");
        }
        let aside = folder.put_aside().unwrap();
        assert_eq!(fs::read(aside).unwrap(), b"\xff");
        assert_eq!(saved(&folder), None);
    }
}
