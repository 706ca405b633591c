//! The other threads' end of the capture thread: what they ask of the camera, and what they may read of it.

use super::Readings;
use crate::config::Requested;
use crate::controls::{ControlError, Ranges, Set};
use crate::sync::lock;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the capture thread can be asked for.
#[allow(
    clippy::large_enum_variant,
    reason = "a few are sent in a picam's life; boxes would cost more words than bytes"
)]
pub(super) enum Command {
    /// All that is requested now, and what of it was asked for just now.
    Apply {
        requested: Set,
        changed: Set,
    },
    Rate(f64),
    Stall(Duration),
    Hang,
    Stop,
}

/// What the capture thread publishes about the open camera.
#[derive(Default)]
pub(super) struct Report {
    ranges: Mutex<Ranges>,
    readings: Mutex<Readings>,
}

impl Report {
    pub(super) fn set_ranges(&self, ranges: Ranges) {
        *lock(&self.ranges) = ranges;
    }

    pub(super) fn set_readings(&self, readings: Readings) {
        *lock(&self.readings) = readings;
    }
}

/// Changes a running camera from other threads, and remembers what was asked of it.
pub struct Remote {
    commands: Mutex<Sender<Command>>,
    requested: Mutex<Set>,
    report: Arc<Report>,
}

impl Remote {
    pub(super) fn new(commands: Sender<Command>, requested: Set, report: Arc<Report>) -> Self {
        Self {
            commands: Mutex::new(commands),
            requested: Mutex::new(requested),
            report,
        }
    }

    /// Merges `set` into what is requested and hands all of it to the camera, which takes it over with one of
    /// its next frames. Returns what is requested now.
    ///
    /// # Errors
    /// A value that the open camera does not accept; nothing changes then.
    pub fn apply(&self, set: &Set) -> Result<Set, ControlError> {
        self.ranges().check(set)?;
        let mut requested = lock(&self.requested);
        requested.merge(set);
        self.send(Command::Apply {
            requested: *requested,
            changed: *set,
        });
        Ok(*requested)
    }

    /// Requests `set` instead of all that was requested before. What the camera cannot do is only
    /// logged: the configuration was accepted without knowing the camera.
    pub fn replace(&self, set: Set) {
        let ranges = self.ranges();
        if let Err(error) = ranges.check(&ranges.applicable(&set)) {
            log::warn!("controls: {error}; the camera takes the nearest");
        }
        let mut requested = lock(&self.requested);
        *requested = set;
        // Under the lock, so that the camera is told in the same order.
        self.send(Command::Apply {
            requested: set,
            changed: set,
        });
    }

    /// What is requested now.
    pub fn requested(&self) -> Set {
        *lock(&self.requested)
    }

    /// What the camera accepts: the open one, else the last one that was open.
    pub fn ranges(&self) -> Ranges {
        *lock(&self.report.ranges)
    }

    /// What the camera reported with its newest frame.
    pub fn readings(&self) -> Readings {
        *lock(&self.report.readings)
    }

    /// Captures `rate` frames a second from now on.
    pub fn set_rate(&self, rate: f64) {
        self.send(Command::Rate(rate));
    }

    /// Lets the source seem to deliver nothing for `span`, as a camera that hangs would.
    pub fn stall(&self, span: Duration) {
        self.send(Command::Stall(span));
    }

    /// Lets the capture thread hang for ever, as in a driver.
    pub fn hang(&self) {
        self.send(Command::Hang);
    }

    /// Ends the capture thread.
    pub fn stop(&self) {
        self.send(Command::Stop);
    }

    fn send(&self, command: Command) {
        let _ = lock(&self.commands).send(command); // the thread is gone when picam stops: nobody to tell
    }
}

/// For the thread that keeps what was set.
impl Requested for Arc<Remote> {
    fn now(&self) -> Set {
        self.requested()
    }

    fn add(&self, news: &Set) {
        // It was checked when it came; the camera may have become another one since then.
        if let Err(error) = self.apply(news) {
            log::warn!("controls: saved, but not in force: {error}");
        }
    }

    fn replace(&self, set: Set) {
        Remote::replace(self, set);
    }
}
