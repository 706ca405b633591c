//! The recovery ladder: what to do about a camera that delivers nothing new. Logic only: it is told what
//! happened and when, and says which step is due; the capture thread takes the steps.
//!
//! A stall begins when nothing fresh has come for [`stall_time`]. The steps are restart (stop and start the
//! capture), reopen (close the camera and find it again, several times), give up (end the process, for its
//! supervisor to start a new one). A camera that is not there at all is waited for and counts as no step: a new
//! process would not find it either.

use crate::clock::Timestamp;
use std::time::Duration;

/// A camera has stalled when it delivered nothing for this time or [`STALL_INTERVALS`] frame intervals, whichever
/// is longer: libcamera's own measure ("Dequeue timer expired").
const STALL_MINIMUM: Duration = Duration::from_secs(1);
const STALL_INTERVALS: u32 = 5;
/// What a camera gets on top of the stall time for its first frame after a start, as time or as frame intervals,
/// whichever is longer: exposure and white balance need some frames until they are usable, and the Raspberry Pi's
/// pipelines hold those back (six or seven).
const START_TIME: Duration = Duration::from_secs(2);
const START_INTERVALS: u32 = 10;
/// How often the camera is opened again before the process gives up.
const REOPENS: u32 = 3;
/// A camera is back in order when frames came for this time (or the stall time, if that is longer). One that
/// stalls again before is on the next step: else it could go on with a frame a minute.
const SETTLE_TIME: Duration = Duration::from_secs(5);

/// How long a camera with this frame `interval` may deliver nothing.
pub fn stall_time(interval: Duration) -> Duration {
    STALL_MINIMUM.max(interval * STALL_INTERVALS)
}

/// How much longer its first frame may take.
fn start_time(interval: Duration) -> Duration {
    START_TIME.max(interval * START_INTERVALS)
}

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
    stall_time: Duration,
    start_time: Duration,
    rung: Rung,
    /// When the last fresh frame came, or the last step was taken.
    since: Timestamp,
    /// Sequence number and capture time of the last fresh frame.
    newest: Option<(u64, Timestamp)>,
    /// When frames came again after the last step; `None` while there was none.
    flowing: Option<Timestamp>,
}

impl Ladder {
    /// For a camera that was opened at `now` and has this frame `interval`.
    pub fn new(now: Timestamp, interval: Duration) -> Self {
        Self {
            stall_time: stall_time(interval),
            start_time: start_time(interval),
            rung: Rung::InOrder,
            since: now,
            newest: None,
            flowing: None,
        }
    }

    /// Expects frames in this `interval` from `now` on.
    pub fn set_interval(&mut self, now: Timestamp, interval: Duration) {
        self.stall_time = stall_time(interval);
        self.start_time = start_time(interval);
        self.since = now;
    }

    /// A frame came at `now`. Returns whether it is fresh: both its number and its capture time went on. A stream
    /// can end in frames that never change, and callbacks alone would look well.
    pub fn frame(&mut self, now: Timestamp, sequence: u64, captured: Timestamp) -> bool {
        if let Some((last_sequence, last_captured)) = self.newest
            && (sequence == last_sequence || captured <= last_captured)
        {
            return false;
        }
        self.newest = Some((sequence, captured));
        self.since = now;
        let flowing = *self.flowing.get_or_insert(now);
        if now.since(flowing) >= SETTLE_TIME.max(self.stall_time) {
            self.rung = Rung::InOrder;
        }
        true
    }

    /// The step that is due at `now`, if the camera has stalled.
    pub fn due(&self, now: Timestamp) -> Option<Step> {
        let start_time = match self.flowing {
            Some(_) => Duration::ZERO,
            None => self.start_time,
        };
        (now.since(self.since) >= self.stall_time + start_time).then(|| self.next())
    }

    /// The step after an error of the camera: a restart cannot help.
    pub fn after_error(&self) -> Step {
        match self.next() {
            Step::Restart => Step::Reopen,
            step => step,
        }
    }

    fn next(&self) -> Step {
        match self.rung {
            Rung::InOrder => Step::Restart,
            Rung::Restarted => Step::Reopen,
            Rung::Reopened(times) if times < REOPENS => Step::Reopen,
            Rung::Reopened(_) => Step::GiveUp,
        }
    }

    /// `step` was taken, until `now`, whether it worked or not.
    pub fn took(&mut self, step: Step, now: Timestamp) {
        self.rung = match (step, self.rung) {
            (Step::Restart, _) => Rung::Restarted,
            (_, Rung::Reopened(times)) => Rung::Reopened(times + 1),
            (_, _) => Rung::Reopened(1),
        };
        self.expect_anew(now);
    }

    /// The camera that was not there has been opened at `now`.
    pub fn appeared(&mut self, now: Timestamp) {
        self.rung = Rung::InOrder;
        self.expect_anew(now);
    }

    /// Numbers start again at any value; capture times go on, for they are those of the machine's clock.
    fn expect_anew(&mut self, now: Timestamp) {
        self.since = now;
        self.flowing = None;
        self.newest = self.newest.map(|(_, captured)| (u64::MAX, captured));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(125);

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_boot_nanoseconds(1_000_000 * milliseconds)
    }

    /// A ladder with a camera that delivered frames 1 to 8 in its first second.
    fn running() -> Ladder {
        let mut ladder = Ladder::new(at(0), INTERVAL);
        for sequence in 1..=8 {
            assert!(ladder.frame(at(125 * sequence), sequence, at(125 * sequence)));
        }
        ladder
    }

    #[test]
    fn a_stall_is_a_second_or_five_intervals() {
        assert_eq!(stall_time(INTERVAL), Duration::from_secs(1));
        assert_eq!(stall_time(Duration::from_secs(10)), Duration::from_secs(50));
    }

    #[test]
    fn restart_then_reopen_then_give_up_within_sixteen_seconds() {
        let mut ladder = running();
        let (mut now, mut steps) = (at(1000), Vec::new());
        while steps.last() != Some(&Step::GiveUp) {
            now = now.after(Duration::from_millis(100));
            if let Some(step) = ladder.due(now) {
                steps.push(step);
                ladder.took(step, now);
            }
        }
        use Step::{GiveUp, Reopen, Restart};
        assert_eq!(steps, [Restart, Reopen, Reopen, Reopen, GiveUp]);
        assert_eq!(now.since(at(1000)), Duration::from_secs(1 + 4 * 3));
    }

    #[test]
    fn a_first_frame_may_take_longer() {
        let mut ladder = Ladder::new(at(0), INTERVAL);
        assert_eq!(ladder.due(at(2999)), None);
        assert_eq!(ladder.due(at(3000)), Some(Step::Restart));
        assert!(ladder.frame(at(2999), 0, at(2900)));
        assert_eq!(ladder.due(at(3998)), None);
        assert_eq!(ladder.due(at(3999)), Some(Step::Restart));

        // A slow one, by frames: its pipeline holds the first seven back. And it gets its time anew at another rate.
        let mut ladder = Ladder::new(at(0), Duration::from_secs(2));
        assert_eq!(ladder.due(at(29_999)), None);
        assert_eq!(ladder.due(at(30_000)), Some(Step::Restart));
        ladder.set_interval(at(29_999), INTERVAL);
        assert_eq!(ladder.due(at(32_998)), None);
        assert_eq!(ladder.due(at(32_999)), Some(Step::Restart));
    }

    #[test]
    fn frames_that_do_not_change_are_a_stall() {
        let mut ladder = running();
        assert!(!ladder.frame(at(1500), 8, at(1500)), "the same number");
        assert!(!ladder.frame(at(1900), 9, at(1000)), "the same time");
        assert!(!ladder.frame(at(1999), 10, at(900)), "back in time");
        assert_eq!(ladder.due(at(1999)), None);
        assert_eq!(ladder.due(at(2000)), Some(Step::Restart));
    }

    #[test]
    fn numbers_may_start_again_after_a_step_but_times_may_not() {
        let mut ladder = running();
        ladder.took(Step::Restart, at(2000));
        assert!(!ladder.frame(at(2100), 0, at(1000)), "left over");
        assert!(ladder.frame(at(2200), 8, at(2200)));
    }

    #[test]
    fn only_a_camera_that_keeps_going_starts_from_the_bottom_again() {
        let mut ladder = running();
        ladder.took(Step::Restart, at(2000));
        // One frame a restart is not in order.
        assert!(ladder.frame(at(2500), 0, at(2500)));
        assert_eq!(ladder.due(at(3500)), Some(Step::Reopen));
        ladder.took(Step::Reopen, at(4000));
        for frame in 0..=40 {
            let now = at(4500 + 125 * frame);
            assert!(ladder.frame(now, frame, now));
        }
        assert_eq!(ladder.due(at(4500 + 5000 + 1000)), Some(Step::Restart));
    }

    #[test]
    fn an_error_skips_the_restart() {
        let mut ladder = running();
        assert_eq!(ladder.after_error(), Step::Reopen);
        for _ in 0..REOPENS {
            ladder.took(Step::Reopen, at(2000));
        }
        assert_eq!(ladder.after_error(), Step::GiveUp);
        ladder.appeared(at(3000));
        assert_eq!(ladder.after_error(), Step::Reopen);
    }
}
