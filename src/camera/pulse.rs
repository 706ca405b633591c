//! The capture thread's sign of life. It is atomics only: whoever reads it never waits for the capture thread,
//! which may be stuck inside a driver for ever.

use crate::clock::Timestamp;
use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// What the capture thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Finding and opening the camera.
    Opening,
    /// Waiting for frames and handing them on.
    Capturing,
    /// Stopping and starting the capture.
    Restarting,
    /// Closing the camera.
    Closing,
    /// Waiting for a camera that is not there.
    Waiting,
    /// The thread has ended, or is about to.
    Ended,
}

impl Phase {
    const ALL: [Phase; 6] = [
        Phase::Opening,
        Phase::Capturing,
        Phase::Restarting,
        Phase::Closing,
        Phase::Waiting,
        Phase::Ended,
    ];

    /// The longest that the thread may be in this phase without a sign of life. libcamera's stop() can block for
    /// ever; what works takes less than a second, or a few when everything is read from a slow card at first.
    pub fn limit(self) -> Option<Duration> {
        match self {
            Phase::Opening => Some(Duration::from_secs(30)),
            Phase::Ended => None,
            _ => Some(Duration::from_secs(10)),
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Opening => "opening",
            Phase::Capturing => "capturing",
            Phase::Restarting => "restarting",
            Phase::Closing => "closing",
            Phase::Waiting => "waiting",
            Phase::Ended => "ended",
        })
    }
}

/// Shared by the capture thread, which writes it, and those that watch it.
pub struct Pulse {
    phase: AtomicU8,
    /// When the thread said last that it is alive, in nanoseconds since the machine was started.
    beat: AtomicU64,
    /// When the last fresh frame came; 0 before the first.
    frame: AtomicU64,
}

impl Pulse {
    /// A pulse that begins at `now`, with the camera being opened.
    pub fn new(now: Timestamp) -> Self {
        Self {
            phase: AtomicU8::new(Phase::Opening as u8),
            beat: AtomicU64::new(now.boot_nanoseconds()),
            frame: AtomicU64::new(0),
        }
    }

    /// The thread is in `phase`, and alive.
    pub fn beat(&self, phase: Phase, now: Timestamp) {
        self.beat.store(now.boot_nanoseconds(), Ordering::SeqCst);
        self.phase.store(phase as u8, Ordering::SeqCst);
    }

    /// A fresh frame came.
    pub fn frame(&self, now: Timestamp) {
        self.frame.store(now.boot_nanoseconds(), Ordering::SeqCst);
    }

    /// What the thread is doing.
    pub fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.phase.load(Ordering::SeqCst)) % Phase::ALL.len()]
    }

    /// The phase in which the thread is stuck, if it has been there for longer than its limit.
    pub fn stuck(&self, now: Timestamp) -> Option<Phase> {
        let phase = self.phase();
        let beat = Timestamp::from_boot_nanoseconds(self.beat.load(Ordering::SeqCst));
        (now.since(beat) > phase.limit()?).then_some(phase)
    }

    /// The time since the last fresh frame; `None` before the first.
    pub fn silence(&self, now: Timestamp) -> Option<Duration> {
        match self.frame.load(Ordering::SeqCst) {
            0 => None,
            frame => Some(now.since(Timestamp::from_boot_nanoseconds(frame))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_boot_nanoseconds(1_000_000_000 * seconds)
    }

    #[test]
    fn each_phase_has_its_limit() {
        let pulse = Pulse::new(at(100));
        assert_eq!(pulse.stuck(at(130)), None);
        assert_eq!(pulse.stuck(at(131)), Some(Phase::Opening));
        for phase in Phase::ALL {
            pulse.beat(phase, at(200));
            assert_eq!(pulse.phase(), phase);
            assert_eq!(
                pulse.stuck(at(100_000)),
                phase.limit().is_some().then_some(phase)
            );
        }
    }

    #[test]
    fn silence_counts_from_the_last_frame() {
        let pulse = Pulse::new(at(100));
        assert_eq!(pulse.silence(at(101)), None);
        pulse.frame(at(102));
        assert_eq!(pulse.silence(at(105)), Some(Duration::from_secs(3)));
    }
}
