//! What /set asked for, kept through restarts: a small TOML file that is replaced as a whole, so that a power cut
//! leaves the one before or the one after.

use super::{Layers, Overrides};
use crate::controls::Set;
use crate::sync::lock;
use log::{error, info, warn};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const FILE: &str = "controls.toml";
/// Between two writes at the least: whoever turns a knob must not wear out the card.
const WRITE_INTERVAL: Duration = Duration::from_secs(1);
/// After a write that failed: the card may be full, or not be mounted yet.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// The saved settings of one folder.
pub struct Saved(Mutex<Option<Writer>>);

/// The thread that writes, until [`Saved::finish`].
struct Writer {
    changes: Sender<()>,
    thread: JoinHandle<()>,
}

impl Saved {
    /// The controls that were saved in `folder`; `None` if there are none, or they cannot be read, which is logged.
    pub fn load(folder: &Path) -> Option<Set> {
        let path = folder.join(FILE);
        let layers = Layers {
            files: vec![path.clone()],
            required: false,
            overrides: Overrides::default(),
        };
        if let Ok(false) = path.try_exists() {
            return None;
        }
        match layers.load() {
            Ok(config) => {
                info!("saved controls: {}", config.controls);
                Some(config.controls)
            }
            Err(error) => {
                for line in error.to_string().lines() {
                    warn!("saved controls left out: {line}");
                }
                None
            }
        }
    }

    /// Starts a thread that saves what is `requested` into `folder`: a card may take its time, and nobody should wait
    /// for it.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(
        folder: PathBuf,
        requested: impl Fn() -> Set + Send + 'static,
    ) -> io::Result<Self> {
        let (changes, changed) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("state".into())
            .spawn(move || run(&folder, &changed, requested))?;
        Ok(Self(Mutex::new(Some(Writer { changes, thread }))))
    }

    /// Saves what is requested now, soon.
    pub fn save(&self) {
        if let Some(writer) = &*lock(&self.0) {
            let _ = writer.changes.send(()); // the thread ends after its last sender only
        }
    }

    /// Waits until everything is saved; nothing more is.
    pub fn finish(&self) {
        let writer = lock(&self.0).take();
        if let Some(Writer { changes, thread }) = writer {
            drop(changes);
            if thread.join().is_err() {
                error!("the state thread panicked");
            }
        }
    }
}

fn run(folder: &Path, changed: &Receiver<()>, requested: impl Fn() -> Set) {
    let mut written = None::<Instant>;
    let mut failed = false;
    loop {
        let change = match failed {
            true => changed.recv_timeout(RETRY_INTERVAL),
            false => changed.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        if change == Err(RecvTimeoutError::Disconnected) && !failed {
            return;
        }
        // What comes until the next write is due is written with it; nothing comes any more when picam stops.
        let due = written.map_or_else(Instant::now, |written| written + WRITE_INTERVAL);
        while let Ok(()) = changed.recv_timeout(due.saturating_duration_since(Instant::now())) {}
        let outcome = write(folder, &requested());
        if let Err(reason) = &outcome
            && !failed
        {
            error!("{}: not saved: {reason}", folder.join(FILE).display());
        }
        if change == Err(RecvTimeoutError::Disconnected) {
            return; // that was the last attempt
        }
        failed = outcome.is_err();
        written = Some(Instant::now());
    }
}

/// Replaces the file: what is written is on the card before it gets its name.
fn write(folder: &Path, set: &Set) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut table = toml::Table::new();
    let controls = toml::Value::try_from(set).map_err(io::Error::other)?;
    table.insert("controls".into(), controls);
    let text = format!("# What /set asked for. picam writes this file.\n{table}");
    let partial = folder.join(format!("{FILE}.new"));
    let mut file = File::create(&partial)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&partial, folder.join(FILE))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("picam-saved-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    fn set(query: &str) -> Set {
        Set::parse_query(query).unwrap()
    }

    const ALL: &str =
        "ExposureTime=20000&AnalogueGain=2.5&LensPosition=0&AfMode=manual&AeEnable=0&AwbEnable=1";

    #[test]
    fn what_is_saved_is_loaded_again() {
        let folder = folder("round");
        assert_eq!(Saved::load(&folder), None);
        let requested = Arc::new(Mutex::new(Set::default()));
        let newest = Arc::clone(&requested);
        let saved = Saved::start(folder.clone(), move || *lock(&newest)).unwrap();
        for lens in 1..100 {
            *lock(&requested) = set(&format!("LensPosition={lens}&AfMode=manual"));
            saved.save();
        }
        *lock(&requested) = set(ALL);
        saved.save();
        saved.finish();
        assert_eq!(Saved::load(&folder), Some(set(ALL)));
        assert!(!folder.join("controls.toml.new").exists());
    }

    #[test]
    fn what_could_not_be_saved_is_tried_again_at_the_end() {
        let folder = folder("late");
        fs::write(&folder, "a file where the folder should be").unwrap();
        let (attempt, attempted) = mpsc::channel();
        let requested = move || {
            attempt.send(()).unwrap();
            set(ALL)
        };
        let saved = Saved::start(folder.clone(), requested).unwrap();
        saved.save();
        attempted.recv().unwrap();
        fs::remove_file(&folder).unwrap();
        saved.finish();
        assert_eq!(Saved::load(&folder), Some(set(ALL)));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_left_out() {
        let folder = folder("broken");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(FILE), "[controls]\nExposureTime = -1\n").unwrap();
        assert_eq!(Saved::load(&folder), None);
        write(&folder, &set(ALL)).unwrap();
        assert_eq!(Saved::load(&folder), Some(set(ALL)));
    }
}
