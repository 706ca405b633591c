//! The other threads' end of the capture thread: what they ask of the camera, and what they may know of it.

use super::{Phase, Pulse, Readings};
use crate::controls::{ControlError, Limits, Set};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
        news: Set,
    },
    Rate(f64),
    Stall(Duration),
    Hang,
    Stop,
}

/// What the capture thread tells about the open camera.
#[derive(Default)]
pub(super) struct Known {
    limits: Mutex<Limits>,
    readings: Mutex<Readings>,
}

impl Known {
    pub(super) fn set_limits(&self, limits: Limits) {
        *lock(&self.limits) = limits;
    }

    pub(super) fn set_readings(&self, readings: Readings) {
        *lock(&self.readings) = readings;
    }
}

/// Changes a running camera from other threads, and remembers what was asked of it.
pub struct Remote {
    commands: Mutex<Sender<Command>>,
    requested: Mutex<Set>,
    known: Arc<Known>,
    pulse: Arc<Pulse>,
}

impl Remote {
    pub(super) fn new(
        commands: Sender<Command>,
        requested: Set,
        known: Arc<Known>,
        pulse: Arc<Pulse>,
    ) -> Self {
        Self {
            commands: Mutex::new(commands),
            requested: Mutex::new(requested),
            known,
            pulse,
        }
    }

    /// Merges `set` into what is requested and hands all of it to the camera, which takes it over with one of
    /// its next frames. Returns what is requested now.
    ///
    /// # Errors
    /// A value that the open camera does not accept; nothing changes then.
    pub fn apply(&self, set: &Set) -> Result<Set, ControlError> {
        self.limits().check(set)?;
        let mut requested = lock(&self.requested);
        requested.merge(set);
        self.send(Command::Apply {
            requested: *requested,
            news: *set,
        });
        Ok(*requested)
    }

    /// Requests `set` instead of all that was requested before. What the camera cannot do is only said: the
    /// configuration was accepted without knowing the camera.
    pub fn replace(&self, set: Set) {
        let limits = self.limits();
        if let Err(error) = limits.check(&limits.applicable(&set)) {
            log::warn!("controls: {error}; the camera takes the nearest");
        }
        let mut requested = lock(&self.requested);
        *requested = set;
        // Under the lock, so that the camera is told in the same order.
        self.send(Command::Apply {
            requested: set,
            news: set,
        });
    }

    /// What is requested now.
    pub fn requested(&self) -> Set {
        *lock(&self.requested)
    }

    /// What the open camera accepts.
    pub fn limits(&self) -> Limits {
        *lock(&self.known.limits)
    }

    /// What the camera reported with its newest frame.
    pub fn readings(&self) -> Readings {
        *lock(&self.known.readings)
    }

    /// What the capture thread is doing.
    pub fn phase(&self) -> Phase {
        self.pulse.phase()
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
