//! The recovery ladder: which step to take about a camera that delivers nothing new. Logic only: the capture thread
//! takes the steps, and the [pulse](crate::pulse) knows when one is due.
//!
//! The steps are restart (stop and start the capture), reopen (close the camera and find it again, several times),
//! give up (end the process, for its supervisor to start a new one). A camera that is not there at all is waited for
//! and counts as no step: a new process would not find it either.

use crate::clock::Timestamp;
use std::time::Duration;

/// How often the camera is opened again before the process gives up.
const REOPENS: u32 = 3;
/// A camera is back in order when frames came for this time (or the stall time, if that is longer). One that
/// stalls again before is on the next step: else it could go on with a frame a minute.
const SETTLE_TIME: Duration = Duration::from_secs(5);

/// What is to be done about a stalled camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Stop and start the capture.
    Restart,
    /// Close the camera, and find and open it again.
    Reopen,
    /// End the process with an exit code of its own.
    GiveUp,
}

/// How far a camera has got on the ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rung {
    InOrder,
    Restarted,
    Reopened(u32),
}

/// The state of one camera's recovery.
pub struct Ladder {
    rung: Rung,
    /// When frames came again after the last step; `None` while there was none.
    flowing: Option<Timestamp>,
}

impl Ladder {
    /// For a camera that was just opened.
    pub fn new() -> Self {
        Self {
            rung: Rung::InOrder,
            flowing: None,
        }
    }

    /// A fresh frame came at `now` from a camera that has stalled after `stall_time` without one.
    pub fn frame(&mut self, now: Timestamp, stall_time: Duration) {
        let flowing = *self.flowing.get_or_insert(now);
        if now.since(flowing) >= SETTLE_TIME.max(stall_time) {
            self.rung = Rung::InOrder;
        }
    }

    /// The step after a stall.
    pub fn after_stall(&self) -> Step {
        match self.rung {
            Rung::InOrder => Step::Restart,
            Rung::Restarted => Step::Reopen,
            Rung::Reopened(times) if times < REOPENS => Step::Reopen,
            Rung::Reopened(_) => Step::GiveUp,
        }
    }

    /// The step after an error of the camera: a restart cannot help.
    pub fn after_error(&self) -> Step {
        match self.after_stall() {
            Step::Restart => Step::Reopen,
            step => step,
        }
    }

    /// Whether a reopening did not help before: the next one should not follow at once.
    pub fn has_reopened(&self) -> bool {
        matches!(self.rung, Rung::Reopened(_))
    }

    /// `step` was taken, whether it worked or not.
    pub fn took(&mut self, step: Step) {
        self.rung = match (step, self.rung) {
            (Step::Restart, _) => Rung::Restarted,
            (_, Rung::Reopened(times)) => Rung::Reopened(times + 1),
            (_, _) => Rung::Reopened(1),
        };
        self.flowing = None;
    }

    /// The camera that was not there has been opened.
    pub fn appeared(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Step::{GiveUp, Reopen, Restart};

    const STALL_TIME: Duration = Duration::from_secs(1);

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_boot_nanoseconds(1_000_000 * milliseconds)
    }

    #[test]
    fn restart_then_reopen_then_give_up() {
        let mut ladder = Ladder::new();
        let mut steps = Vec::new();
        while steps.last() != Some(&GiveUp) {
            steps.push(ladder.after_stall());
            ladder.took(ladder.after_stall());
        }
        assert_eq!(steps, [Restart, Reopen, Reopen, Reopen, GiveUp]);
    }

    #[test]
    fn only_a_camera_that_keeps_going_starts_from_the_bottom_again() {
        let mut ladder = Ladder::new();
        ladder.took(Restart);
        ladder.frame(at(2500), STALL_TIME);
        assert_eq!(ladder.after_stall(), Reopen, "one frame is not in order");
        ladder.took(Reopen);
        for frame in 0..=40 {
            ladder.frame(at(4500 + 125 * frame), STALL_TIME);
        }
        assert_eq!(ladder.after_stall(), Restart);
    }

    #[test]
    fn a_slow_camera_has_to_keep_going_for_its_stall_time() {
        let mut ladder = Ladder::new();
        ladder.took(Restart);
        let stall_time = Duration::from_secs(50);
        for frame in 0..5 {
            ladder.frame(at(10_000 * frame), stall_time);
        }
        assert_eq!(ladder.after_stall(), Reopen);
        ladder.frame(at(50_000), stall_time);
        assert_eq!(ladder.after_stall(), Restart);
    }

    #[test]
    fn an_error_skips_the_restart() {
        let mut ladder = Ladder::new();
        assert_eq!(ladder.after_error(), Reopen);
        assert!(!ladder.has_reopened());
        for _ in 0..REOPENS {
            ladder.took(Reopen);
        }
        assert!(ladder.has_reopened());
        assert_eq!(ladder.after_error(), GiveUp);
        ladder.appeared();
        assert_eq!(ladder.after_error(), Reopen);
    }
}
