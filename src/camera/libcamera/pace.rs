//! When to ask for frames. A sensor keeps to the frame duration it was told, and requests wait for it; but some
//! pipelines have no such control, or have it and take no notice (the virtual one delivers as fast as it can).
//! Those are asked for one frame at a time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Frames that are looked at to tell whether a camera keeps to its rate.
const SAMPLE: usize = 16;

/// Decides when a request may be queued.
pub(super) struct Pace {
    interval: Duration,
    /// When the next request is due; `None` while the camera times its frames itself.
    due: Option<Instant>,
    /// When the newest frames came.
    recent: VecDeque<Instant>,
    /// Frames that are under way with the interval of before.
    older: usize,
}

impl Pace {
    /// For frames in this `interval`; `told` says that the camera has a control for it.
    pub(super) fn new(interval: Duration, told: bool, now: Instant) -> Self {
        Self {
            interval,
            due: (!told).then_some(now),
            recent: VecDeque::new(),
            older: 0,
        }
    }

    /// Frames are to come in this `interval` from now on.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.interval = interval;
        self.recent.clear();
        self.older = SAMPLE;
    }

    /// A frame came. Returns whether this has shown that the camera does not keep to its rate.
    pub(super) fn frame(&mut self, now: Instant) -> bool {
        if self.due.is_some() {
            return false;
        }
        if self.older > 0 {
            self.older -= 1;
            return false;
        }
        self.recent.push_back(now);
        if self.recent.len() <= SAMPLE {
            return false;
        }
        let first = self.recent.pop_front().unwrap_or(now);
        // More than twice as fast over many frames: not a sensor that makes up for a moment.
        let too_fast = now.duration_since(first) < self.interval * SAMPLE as u32 / 2;
        if too_fast {
            self.due = Some(now + self.interval);
        }
        too_fast
    }

    /// Whether a request may be queued now; if so, it is counted.
    pub(super) fn may_queue(&mut self, now: Instant) -> bool {
        match &mut self.due {
            None => true,
            Some(due) if now < *due => false,
            Some(due) => {
                *due = (*due + self.interval).max(now);
                true
            }
        }
    }

    /// When a request may be queued, if not at any time.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(125);

    #[test]
    fn a_sensor_that_keeps_to_its_rate_is_left_alone() {
        let mut now = Instant::now();
        let mut pace = Pace::new(INTERVAL, true, now);
        for frame in 0..1000u32 {
            now += INTERVAL * if frame % 7 == 0 { 2 } else { 3 } / 3;
            assert!(!pace.frame(now));
            assert!(pace.may_queue(now) && pace.may_queue(now));
        }
    }

    #[test]
    fn one_that_takes_no_notice_is_asked_frame_by_frame() {
        let start = Instant::now();
        let mut pace = Pace::new(INTERVAL, true, start);
        let noticed =
            (0..100u32).position(|frame| pace.frame(start + Duration::from_millis(1) * frame));
        assert_eq!(noticed, Some(SAMPLE));
        let due = pace.due().unwrap();
        assert!(!pace.may_queue(due - Duration::from_millis(1)));
        assert!(pace.may_queue(due) && !pace.may_queue(due));
        assert_eq!(pace.due(), Some(due + INTERVAL));
        // What was missed is not made up for.
        assert!(pace.may_queue(due + 10 * INTERVAL) && pace.may_queue(due + 10 * INTERVAL));
        assert!(!pace.may_queue(due + 10 * INTERVAL));
    }

    #[test]
    fn frames_of_the_old_rate_are_no_sign() {
        let mut now = Instant::now();
        let mut pace = Pace::new(INTERVAL / 15, true, now);
        pace.set_interval(INTERVAL);
        for frame in 0..100 {
            now += if frame < 10 { INTERVAL / 15 } else { INTERVAL };
            assert!(!pace.frame(now));
        }
    }

    #[test]
    fn one_without_the_control_is_asked_frame_by_frame_from_the_start() {
        let now = Instant::now();
        let mut pace = Pace::new(INTERVAL, false, now);
        assert!(pace.may_queue(now) && !pace.may_queue(now));
        pace.set_interval(INTERVAL / 2);
        assert!(pace.may_queue(now + INTERVAL));
        assert_eq!(pace.due(), Some(now + INTERVAL + INTERVAL / 2));
    }
}
