//! The other threads' end of the capture thread: what they ask of the camera, and what they may read of it.

use super::still::Asker;
use super::{Readings, Still};
use crate::config::Requested;
use crate::controls::{ControlError, Ranges, Set};
use crate::sync::lock;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

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
        /// Counts the changes.
        number: u64,
    },
    Rate(f64),
    /// A still is to be taken, and what comes of it sent there.
    Still(Asker),
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

    pub(super) fn readings(&self) -> Readings {
        *lock(&self.readings)
    }
}

/// Changes a running camera from other threads, and remembers what was asked of it.
pub struct Remote {
    commands: Mutex<Sender<Command>>,
    wishes: Mutex<Wishes>,
    report: Arc<Report>,
}

/// What the camera is to do.
struct Wishes {
    requested: Set,
    /// What takes precedence for a while, and since when.
    held: Option<(Set, Instant)>,
    /// How often the camera was told something else.
    changes: u64,
}

impl Wishes {
    /// What the camera is told.
    fn in_force(&self) -> Set {
        let mut set = self.requested;
        if let Some((held, _)) = &self.held {
            set.merge(held);
        }
        set
    }
}

impl Remote {
    pub(super) fn new(commands: Sender<Command>, requested: Set, report: Arc<Report>) -> Self {
        let wishes = Wishes {
            requested,
            held: None,
            changes: 0,
        };
        Self {
            commands: Mutex::new(commands),
            wishes: Mutex::new(wishes),
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
        let mut wishes = lock(&self.wishes);
        wishes.requested.merge(set);
        self.tell(&mut wishes, *set);
        Ok(wishes.requested)
    }

    /// Whether the camera is held.
    ///
    /// # Errors
    /// It is, for this long.
    pub fn check_free(&self) -> Result<(), HoldError> {
        match &lock(&self.wishes).held {
            Some((_, since)) => Err(HoldError::Taken(since.elapsed())),
            None => Ok(()),
        }
    }

    /// Lets the camera work with `set` beside what is requested, until the returned value is dropped or kept: meanwhile
    /// other values are requested in vain.
    ///
    /// # Errors
    /// Somebody else does that, for this long; or a value that the open camera does not accept.
    pub fn hold(&self, set: &Set) -> Result<Held<'_>, HoldError> {
        self.ranges().check(set)?;
        let mut wishes = lock(&self.wishes);
        if let Some((_, since)) = wishes.held {
            return Err(HoldError::Taken(since.elapsed()));
        }
        wishes.held = Some((*set, Instant::now()));
        self.tell(&mut wishes, *set);
        Ok(Held { remote: self })
    }

    /// Requests `set` instead of all that was requested before. What the camera cannot do is only
    /// logged: the configuration was accepted without knowing the camera.
    pub fn replace(&self, set: Set) {
        let ranges = self.ranges();
        if let Err(error) = ranges.check(&ranges.applicable(&set)) {
            log::warn!("controls: {error}; the camera takes the nearest");
        }
        let mut wishes = lock(&self.wishes);
        wishes.requested = set;
        self.tell(&mut wishes, set);
    }

    /// What is requested now.
    pub fn requested(&self) -> Set {
        lock(&self.wishes).requested
    }

    /// What the camera accepts: the open one, else the last one that was open.
    pub fn ranges(&self) -> Ranges {
        *lock(&self.report.ranges)
    }

    /// What the camera reported with its newest frame.
    pub fn readings(&self) -> Readings {
        self.report.readings()
    }

    /// Captures `rate` frames a second from now on.
    pub fn set_rate(&self, rate: f64) {
        self.send(Command::Rate(rate));
    }

    /// Takes a still: the stream pauses for it. What comes of it can be received once.
    pub fn still(&self) -> Receiver<Result<Still, String>> {
        let (sender, outcome) = mpsc::channel();
        self.send(Command::Still(sender));
        outcome
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

    /// The number of the newest change: a frame whose [`Readings::change`] is no less shows all that was requested until now.
    pub fn changes(&self) -> u64 {
        lock(&self.wishes).changes
    }

    /// Tells the camera what is in force, under the lock of the wishes: it is told in the same order.
    fn tell(&self, wishes: &mut Wishes, changed: Set) {
        wishes.changes += 1;
        self.send(Command::Apply {
            requested: wishes.in_force(),
            changed,
            number: wishes.changes,
        });
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

/// Why the camera cannot be held.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// It is held by somebody else.
    #[error("the camera is being focused for {:.0} s: expected one at a time", .0.as_secs_f64())]
    Taken(Duration),
    /// A value is refused.
    #[error(transparent)]
    Refused(#[from] ControlError),
}

/// Values that take precedence over what is requested. What is requested comes back with its drop.
pub struct Held<'a> {
    remote: &'a Remote,
}

impl Held<'_> {
    /// Adds `set` to the values.
    pub fn change(&self, set: &Set) {
        let mut wishes = lock(&self.remote.wishes);
        if let Some((held, _)) = &mut wishes.held {
            held.merge(set);
        }
        self.remote.tell(&mut wishes, *set);
    }

    /// Requests `set`, and gives the rest back.
    pub fn keep(self, set: &Set) {
        lock(&self.remote.wishes).requested.merge(set);
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut wishes = lock(&self.remote.wishes);
        wishes.held = None;
        let requested = wishes.requested;
        self.remote.tell(&mut wishes, requested);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(query: &str) -> Set {
        Set::parse_query(query).unwrap()
    }

    #[test]
    fn what_is_held_takes_precedence_and_what_was_requested_meanwhile_comes_after() {
        let (sender, commands) = mpsc::channel();
        let told = || match commands.try_recv() {
            Ok(Command::Apply {
                requested, changed, ..
            }) => (requested, changed),
            _ => panic!("nothing was told"),
        };
        let start = set("AfMode=continuous&AeEnable=1");
        let remote = Remote::new(sender, start, Arc::default());

        let held = remote.hold(&set("LensPosition=1")).unwrap();
        assert_eq!(told().0, set("AeEnable=1&LensPosition=1&AfMode=manual"));
        assert!(matches!(remote.hold(&start), Err(HoldError::Taken(_))));
        held.change(&set("LensPosition=2"));
        assert_eq!(told().0, set("AeEnable=1&LensPosition=2&AfMode=manual"));
        remote.apply(&set("LensPosition=9&Contrast=2")).unwrap();
        assert_eq!(
            told().0,
            set("AeEnable=1&LensPosition=2&AfMode=manual&Contrast=2")
        );
        assert_eq!(
            remote.requested(),
            set("AeEnable=1&LensPosition=9&AfMode=manual&Contrast=2")
        );
        drop(held);
        assert_eq!(told().0, remote.requested());

        remote
            .hold(&set("LensPosition=3&AeEnable=0"))
            .unwrap()
            .keep(&set("LensPosition=3"));
        told();
        let kept = set("AeEnable=1&LensPosition=3&AfMode=manual&Contrast=2");
        assert_eq!(told(), (kept, kept));
        assert_eq!(remote.requested(), kept);
    }
}
