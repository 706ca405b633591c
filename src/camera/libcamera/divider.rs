//! Which of the sensor's frames are the stream's.

use std::time::Duration;

/// Chooses the stream's frames among the sensor's, by the times at which they were captured: the sensor may run faster
/// than the stream, and at another rate from frame to frame. What numbers it gives to frames is not looked at: on some
/// pipelines they count what was delivered, not what was captured.
#[derive(Debug)]
pub(super) struct Divider {
    interval: u64,
    newest: Option<Picked>,
}

#[derive(Clone, Copy, Debug)]
struct Picked {
    number: u64,
    time: u64,
}

impl Divider {
    /// For a stream with this `interval` between two frames.
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval: nanoseconds(interval).max(1),
            newest: None,
        }
    }

    /// The frames are to come in this `interval` from now on.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.interval = nanoseconds(interval).max(1);
    }

    /// The number in the stream of the sensor's frame that was captured at `time` (ns) and took `duration`; `None` if it
    /// is left out. When the one that is due was lost, the next one stands in. A frame that is no newer than the one
    /// before it gets the number of that one.
    pub(super) fn pick(&mut self, time: u64, duration: Duration) -> Option<u64> {
        let number = match self.newest {
            None => 0,
            Some(newest) if time <= newest.time => return Some(newest.number),
            Some(newest) => {
                let passed = time - newest.time;
                let slack = nanoseconds(duration).min(self.interval) / 2;
                if passed + slack < self.interval {
                    return None;
                }
                newest.number + (passed + self.interval / 2) / self.interval
            }
        };
        self.newest = Some(Picked { number, time });
        Some(number)
    }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// The numbers of frames that came at these multiples of `duration`.
    fn picked(divider: &mut Divider, duration: u64, frames: &[u64]) -> Vec<u64> {
        let took = Duration::from_nanos(duration);
        let pick = |frame: &u64| divider.pick(7 * SECOND + frame * duration, took);
        frames.iter().filter_map(pick).collect()
    }

    #[test]
    fn every_nth_frame_with_gaps_where_frames_were_lost() {
        let mut divider = Divider::new(Duration::from_millis(100));
        // A line is the smallest step of the sensor's frame duration: never quite what was asked for.
        let frames = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16];
        let numbers = picked(&mut divider, 33_337_000, &frames);
        assert_eq!(
            numbers,
            [0, 1, 2, 5],
            "7 stands in for 6; 10 and 13 are lost"
        );
    }

    #[test]
    fn each_frame_of_a_sensor_at_the_streams_rate_counts() {
        let mut divider = Divider::new(Duration::from_millis(125));
        let numbers = picked(&mut divider, 125_030_000, &[0, 1, 2, 5, 6]);
        assert_eq!(numbers, [0, 1, 2, 5, 6]);
        let long = picked(
            &mut Divider::new(Duration::from_millis(125)),
            SECOND,
            &[0, 1, 2],
        );
        assert_eq!(long, [0, 8, 16], "exposures longer than the interval");
    }

    #[test]
    fn a_frame_that_is_not_new_has_the_number_of_the_one_before() {
        let mut divider = Divider::new(Duration::from_millis(125));
        let duration = Duration::from_millis(125);
        let numbers = [SECOND, SECOND, SECOND / 2, 2 * SECOND].map(|at| divider.pick(at, duration));
        assert_eq!(numbers, [Some(0), Some(0), Some(0), Some(8)]);
    }

    #[test]
    fn the_sensor_may_change_its_rate() {
        let mut divider = Divider::new(Duration::from_millis(120));
        let mut time = SECOND;
        let mut numbers = Vec::new();
        for duration in [40, 40, 40, 40, 40, 40, 120, 120, 40, 40, 40] {
            numbers.push(divider.pick(time, Duration::from_millis(duration)));
            time += duration * 1_000_000;
        }
        let seen: Vec<_> = numbers.iter().map(Option::is_some).collect();
        let (yes, no) = (true, false);
        assert_eq!(seen, [yes, no, no, yes, no, no, yes, yes, yes, no, no]);
        let numbers: Vec<_> = numbers.into_iter().flatten().collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
    }
}
