//! One clock for everything a frame is stamped with: CLOCK_BOOTTIME, which is what libcamera's
//! SensorTimestamp counts in, runs on through suspend, and never jumps when NTP sets the wall clock.

use nix::time::{ClockId, clock_gettime};
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time between two of `rate` events a second.
pub fn interval(rate: f64) -> Duration {
    Duration::from_secs_f64(1.0 / rate)
}

/// A moment on CLOCK_BOOTTIME, in nanoseconds since the machine was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(u64);

impl Timestamp {
    /// This moment.
    pub fn now() -> Self {
        let now = clock_gettime(ClockId::CLOCK_BOOTTIME)
            .map(Duration::from)
            .unwrap_or_default(); // infallible on Linux: the clock exists and the pointer is ours
        Self(now.as_nanos() as u64)
    }

    /// The moment `nanoseconds` after the machine was started (libcamera's SensorTimestamp).
    pub fn from_boot_nanoseconds(nanoseconds: u64) -> Self {
        Self(nanoseconds)
    }

    /// The moment of a sensor's timestamp. libcamera promises CLOCK_BOOTTIME, but some pipelines hand on their
    /// driver's CLOCK_MONOTONIC, which stands still in suspend: it is taken for the one that is nearer to now.
    pub fn from_sensor(nanoseconds: u64) -> Self {
        let boot = Self::now();
        let monotonic = clock_gettime(ClockId::CLOCK_MONOTONIC)
            .map(Duration::from)
            .unwrap_or_default(); // infallible, as in now()
        let suspended = boot.0.saturating_sub(monotonic.as_nanos() as u64);
        let if_monotonic = nanoseconds.saturating_add(suspended);
        if boot.0.abs_diff(if_monotonic) < boot.0.abs_diff(nanoseconds) {
            Self(if_monotonic)
        } else {
            Self(nanoseconds)
        }
    }

    /// Nanoseconds from the machine's start to this moment.
    pub fn boot_nanoseconds(self) -> u64 {
        self.0
    }

    /// How long ago this was; zero for a moment that is still to come.
    pub fn age(self) -> Duration {
        Self::now().since(self)
    }

    /// The time from `earlier` to this moment; zero where `earlier` is the later one.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// This moment and `span` more.
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.as_nanos() as u64))
    }

    /// `span` before this moment, or the machine's start.
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span.as_nanos() as u64))
    }

    /// This moment by the wall clock, as the time since 1970-01-01 UTC. Read it once a frame: the wall
    /// clock may be set between two calls.
    pub fn unix(self) -> Duration {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        wall.saturating_sub(self.age())
    }
}

/// A time since 1970-01-01 UTC that is shown as seconds with six decimals, as in the header X-Timestamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnixSeconds(pub Duration);

impl fmt::Display for UnixSeconds {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}.{:06}", self.0.as_secs(), self.0.subsec_micros())
    }
}

/// The calendar date and time of `unix` (since 1970-01-01 UTC): `2026-11-22 19:10:00.250 UTC`.
pub fn calendar(unix: Duration) -> String {
    let seconds = unix.as_secs() as libc::time_t;
    // SAFETY: both pointers are to live locals; an all-zero `tm` is a valid value of that plain struct.
    let utc = unsafe {
        let mut utc: libc::tm = std::mem::zeroed();
        libc::gmtime_r(&seconds, &mut utc);
        utc
    };
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03} UTC",
        utc.tm_year + 1900,
        utc.tm_mon + 1,
        utc.tm_mday,
        utc.tm_hour,
        utc.tm_min,
        utc.tm_sec,
        unix.subsec_millis()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_and_spans_saturate() {
        let start = Timestamp::from_boot_nanoseconds(1_000);
        let later = start.after(Duration::from_nanos(500));
        assert_eq!(later.since(start), Duration::from_nanos(500));
        assert_eq!(start.since(later), Duration::ZERO);
        assert_eq!(start.before(Duration::from_secs(1)), Timestamp(0));
        assert!(Timestamp::now().age() < Duration::from_secs(5));
    }

    #[test]
    fn wall_clock_formats() {
        let unix = Duration::new(1_792_000_000, 250_400_000);
        assert_eq!(UnixSeconds(unix).to_string(), "1792000000.250400");
        assert_eq!(calendar(unix), "2026-10-14 17:46:40.250 UTC");
    }
}
