//! The rate that a stream client asks for by `?fps=`.

use crate::clock::{Timestamp, interval};
use std::time::Duration;

/// The least rate a client may ask for, frames a second.
pub(super) const LEAST_FPS: f64 = 0.001;

/// Lets frames pass at the rate a client asked for; all of them if it asked for none.
pub(super) struct RateLimit {
    interval: Option<Duration>,
    due: Timestamp,
}

impl RateLimit {
    pub(super) fn new(fps: Option<f64>) -> Self {
        Self {
            interval: fps.map(interval),
            due: Timestamp::from_boot_nanoseconds(0),
        }
    }

    /// A frame is sent if it arrived at this moment or later. The camera's beat jitters: a frame that comes
    /// somewhat early is meant too.
    pub(super) fn earliest(&self, camera_interval: Duration) -> Timestamp {
        self.due.before(camera_interval / 4)
    }

    /// A frame that arrived then was sent. The rate holds on average; what a slow client missed is not made up for.
    pub(super) fn sent(&mut self, arrived: Timestamp) {
        if let Some(interval) = self.interval {
            let next = self.due.after(interval);
            self.due = if next > arrived {
                next
            } else {
                arrived.after(interval)
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_in_10_s(fps: f64) -> usize {
        let mut limit = RateLimit::new(Some(fps));
        let camera = Duration::from_millis(125);
        let jitter = |number: u64| (number * 7_919) % 20; // ms
        let frames = (0..80).map(|number| {
            Timestamp::from_boot_nanoseconds((5_000 + number * 125 + jitter(number)) * 1_000_000)
        });
        let sent = frames.filter(|&arrived| {
            let fits = arrived >= limit.earliest(camera);
            if fits {
                limit.sent(arrived);
            }
            fits
        });
        sent.count()
    }

    #[test]
    fn a_rate_holds_on_average() {
        assert_eq!(sent_in_10_s(100.0), 80);
        assert_eq!(sent_in_10_s(8.0), 80);
        assert_eq!(sent_in_10_s(4.0), 40);
        assert!(
            (29..=31).contains(&sent_in_10_s(3.0)),
            "{}",
            sent_in_10_s(3.0)
        );
        assert_eq!(sent_in_10_s(0.2), 2);
        assert_eq!(sent_in_10_s(LEAST_FPS), 1);
        assert_eq!(sent_in_10_s(1e300), 80);
    }

    proptest::proptest! {
        /// Whatever the rates: over ten seconds the client gets as many frames as it asked for, or as there are.
        #[test]
        fn any_rate_holds_on_average(fps in 0.2_f64..60.0, camera in 1_u64..60, phase in 0_u64..1000) {
            let mut limit = RateLimit::new(Some(fps));
            let between = Duration::from_micros(1_000_000 / camera);
            let start = Timestamp::from_boot_nanoseconds((5000 + phase) * 1_000_000);
            let arrivals = (0..10 * camera as u32).map(|number| start.after(between * number));
            let sent = arrivals.filter(|&arrived| {
                let fits = arrived >= limit.earliest(between);
                if fits {
                    limit.sent(arrived);
                }
                fits
            });
            let (sent, wanted) = (sent.count() as f64, 10.0 * fps.min(camera as f64));
            proptest::prop_assert!((sent - wanted).abs() <= 1.0 + wanted * 0.02, "{sent}, not {wanted}");
        }
    }
}
