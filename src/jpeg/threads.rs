//! How many threads encode a frame, where the configuration leaves that open: no more than the rate of the frames needs, so
//! that a machine with little to do stays cool.

use std::time::Duration;

/// An encoded frame is to be there after this part of the time between two frames.
const PART: u32 = 4;
/// One thread less must do with this much (per cent) of that: the number is not to go up and down.
const EASE: u32 = 75;
/// How much the newest frame counts in what a frame takes: an eighth.
const SMOOTHING: u32 = 8;

/// The number, by what frames have taken so far.
pub(super) struct Threads {
    most: usize,
    now: usize,
    /// The processor's time for a frame, smoothed; zero before the first one.
    spent: Duration,
}

impl Threads {
    /// One, and never more than `most`.
    pub(super) fn up_to(most: usize) -> Self {
        Self {
            most: most.max(1),
            now: 1,
            spent: Duration::ZERO,
        }
    }

    /// How many are to encode the next frame.
    pub(super) fn now(&self) -> usize {
        self.now
    }

    /// A frame has taken so much of the processor's time, and there is one each `interval`.
    pub(super) fn learn(&mut self, spent: Duration, interval: Duration) {
        self.spent = match self.spent {
            Duration::ZERO => spent,
            before => before - before / SMOOTHING + spent / SMOOTHING,
        };
        let needed = |time: Duration| self.spent.as_nanos().div_ceil(time.as_nanos().max(1));
        let (up, down) = (interval / PART, interval / PART * EASE / 100);
        let range = needed(up).max(1)..=needed(down).max(1);
        let number = (self.now as u128).clamp(*range.start(), *range.end());
        self.now = (number as usize).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(threads: &mut Threads, spent: u64, interval: u64) -> usize {
        for _ in 0..100 {
            threads.learn(
                Duration::from_micros(spent),
                Duration::from_micros(interval),
            );
        }
        threads.now()
    }

    #[test]
    fn as_many_as_the_rate_needs() {
        let mut threads = Threads::up_to(3);
        assert_eq!(after(&mut threads, 12_000, 125_000), 1);
        assert_eq!(
            after(&mut threads, 32_000, 125_000),
            2,
            "more than a quarter"
        );
        assert_eq!(
            after(&mut threads, 100_000, 125_000),
            3,
            "there are no more"
        );
        assert_eq!(after(&mut threads, 60_000, 125_000), 3, "with ease");
        assert_eq!(after(&mut threads, 40_000, 125_000), 2);
        assert_eq!(after(&mut threads, 30_000, 125_000), 2, "not up and down");
        assert_eq!(after(&mut threads, 20_000, 125_000), 1);
        assert_eq!(after(&mut threads, 20_000, 1_000_000), 1);
        assert_eq!(after(&mut threads, 20_000, 10_000), 3);
    }
}
