//! The quality, where a stream is not to need more than a given rate (`jpeg.max_mbit`): lowered while frames are too large,
//! and raised again, slowly.

use log::{info, warn};
use std::time::{Duration, Instant};

/// Lower, a picture is no picture.
const LOWEST: u8 = 30;
/// How much the newest frame counts in the size of frames.
const SMOOTHING: f64 = 0.25;
/// Between two steps.
const PAUSE: Duration = Duration::from_secs(1);
/// From the last step to the next one up. Each step up that was too much doubles it, up to the second time.
const PATIENCE: Duration = Duration::from_secs(5);
const MOST_PATIENCE: Duration = Duration::from_secs(80);
/// A step down is one for each such part by which frames are too large, and no more than the second number.
const PART: f64 = 0.05;
const STEP: u8 = 10;
/// It goes up where frames have less than this part of what they may have.
const ROOM: f64 = 0.8;

/// By how much the quality is lowered, and how that came.
pub(super) struct Budget {
    lowered: u8,
    /// Bytes of a frame with the quality of now, smoothed.
    size: Option<f64>,
    /// When the last step was made; whether that was one up.
    stepped: Option<(Instant, bool)>,
    patience: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            lowered: 0,
            size: None,
            stepped: None,
            patience: PATIENCE,
        }
    }
}

impl Budget {
    /// The quality for the next frame, where `configured` is the best.
    pub(super) fn quality(&self, configured: u8) -> u8 {
        let lowest = LOWEST.min(configured);
        configured.saturating_sub(self.lowered).max(lowest)
    }

    /// A frame came to so many bytes at `now`; `most`: so many are wanted at the most, if that is limited.
    pub(super) fn learn(&mut self, bytes: usize, most: Option<f64>, configured: u8, now: Instant) {
        let Some(most) = most else {
            *self = Self::default();
            return;
        };
        let bytes = bytes as f64;
        let size = self
            .size
            .map_or(bytes, |size| size + SMOOTHING * (bytes - size));
        self.size = Some(size);
        let since = self.stepped.map(|(at, _)| now.duration_since(at));
        if since.is_some_and(|since| since < PAUSE) {
            return;
        }
        let quality = self.quality(configured);
        if size > most && quality > LOWEST.min(configured) {
            let step = (((size / most - 1.0) / PART).ceil() as u8).clamp(1, STEP);
            if self.lowered == 0 {
                warn!("encoder: jpeg.max_mbit lowers the quality below {configured}");
            }
            // Never below the lowest: it would take as long to come back.
            self.lowered = configured - quality.saturating_sub(step).max(LOWEST);
            self.patience = match self.stepped {
                Some((_, true)) => (2 * self.patience).min(MOST_PATIENCE),
                _ => self.patience,
            };
            self.step(now, false);
        } else if size < ROOM * most
            && self.lowered > 0
            && since.is_none_or(|since| since >= self.patience)
        {
            self.lowered -= 1;
            if self.lowered == 0 {
                info!("encoder: the quality is {configured} again");
            }
            self.step(now, true);
        }
    }

    fn step(&mut self, now: Instant, up: bool) {
        self.stepped = Some((now, up));
        self.size = None; // that of the old quality says nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As photographs do it: the last few steps cost most.
    fn bytes(quality: u8, detail: f64) -> usize {
        (detail * 2e6 / (1.0 + 0.12 * f64::from(100 - quality))) as usize
    }

    /// Qualities, frame by frame at 8 Hz.
    fn run(budget: &mut Budget, seconds: u64, most: Option<f64>, detail: f64) -> Vec<u8> {
        // Each run begins so long after the one before that a step up is due.
        let start = budget.stepped.map_or_else(Instant::now, |(at, _)| at) + MOST_PATIENCE;
        (0..8 * seconds)
            .map(|frame| {
                let quality = budget.quality(100);
                let now = start + Duration::from_millis(125 * frame);
                budget.learn(bytes(quality, detail), most, 100, now);
                quality
            })
            .collect()
    }

    #[test]
    fn nothing_is_lowered_without_a_limit_or_below_it() {
        let mut budget = Budget::default();
        assert!(run(&mut budget, 60, None, 1.0).iter().all(|&it| it == 100));
        assert!(
            run(&mut budget, 60, Some(2.1e6), 1.0)
                .iter()
                .all(|&it| it == 100)
        );
    }

    #[test]
    fn frames_come_below_the_limit_within_seconds_and_stay_there() {
        for most in [1.8e6, 1e6, 5e5] {
            let mut budget = Budget::default();
            let qualities = run(&mut budget, 120, Some(most), 1.0);
            let fits = |quality: u8| bytes(quality, 1.0) as f64 <= most;
            let late = &qualities[8 * 10..];
            let over = late.iter().filter(|&&it| !fits(it)).count();
            assert!(over * 20 < late.len(), "{most}: {over} of {}", late.len());
            let least = *late.iter().min().unwrap();
            assert!(
                !fits((least + 12).min(100)),
                "{most}: quality {least} is lower than need be"
            );
        }
    }

    #[test]
    fn the_quality_has_an_end_and_comes_back() {
        let mut budget = Budget::default();
        assert_eq!(run(&mut budget, 60, Some(1000.0), 1.0).pop(), Some(LOWEST));
        let back = run(&mut budget, 1000, Some(2.1e6), 0.5);
        assert_eq!(back.last(), Some(&100));
        assert!(back.windows(2).all(|pair| pair[1] <= pair[0] + 1), "slowly");
        assert_eq!(budget.quality(20), 20, "less than the lowest is configured");
        run(&mut budget, 60, Some(1e6), 1.0);
        assert_eq!(
            run(&mut budget, 1, None, 1.0).pop(),
            Some(100),
            "the limit is gone"
        );
    }
}
