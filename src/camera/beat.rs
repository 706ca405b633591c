//! When a source that draws or reads its frames delivers the next one.

use crate::clock::interval;
use std::time::{Duration, Instant};

/// The beat of a source that draws or reads its frames: one every 1/rate seconds, without drift.
pub(super) struct Beat {
    interval: Duration,
    due: Instant,
    sequence: u64,
}

impl Beat {
    /// The first beat has the number after `last`.
    pub(super) fn new(rate: f64, last: u64) -> Self {
        Self {
            interval: interval(rate),
            due: Instant::now(),
            sequence: last,
        }
    }

    pub(super) fn set_rate(&mut self, rate: f64) {
        self.interval = interval(rate);
        self.due = self.due.min(Instant::now() + self.interval);
    }

    /// Waits for the next beat, at most `patience`, and returns its number, or `None` if it is still to come.
    /// Beats that were missed are skipped and counted.
    pub(super) fn wait(&mut self, patience: Duration) -> Option<u64> {
        let ahead = self.due.saturating_duration_since(Instant::now());
        // A beat is nothing but time: there is no event to wait for.
        std::thread::sleep(ahead.min(patience));
        if ahead > patience {
            return None;
        }
        let missed = (self.due.elapsed().as_secs_f64() / self.interval.as_secs_f64()) as u32;
        self.due += self.interval * (missed + 1);
        self.sequence += 1 + u64::from(missed);
        Some(self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beat_counts_what_it_missed() {
        let mut beat = Beat::new(1000.0, 0);
        assert_eq!(beat.wait(Duration::from_secs(1)), Some(1));
        beat.due -= Duration::from_millis(10);
        assert!(beat.wait(Duration::ZERO) >= Some(11));
        beat.due = Instant::now() + Duration::from_secs(60);
        assert_eq!(beat.wait(Duration::ZERO), None);
    }
}
