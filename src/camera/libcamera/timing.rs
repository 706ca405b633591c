//! When frames are taken: how fast the sensor runs, how many requests are under way, and which of its frames are the
//! stream's.

use super::divider::Divider;
use super::hurry::Hurry;
use super::pace::Pace;
use crate::clock::interval;
use crate::config::{AutoOr, SensorRate};
use std::time::{Duration, Instant};

/// How many of the sensor's frames there are for one of the stream's while the sensor hurries.
const HURRY: f64 = 3.0;
/// Requests are in the camera this long before their frames, in case that the capture thread is busy with something else.
/// Not longer: what is changed then has to wait for the next request.
const QUEUED_TIME: Duration = Duration::from_millis(60);

/// The times of one camera.
pub(super) struct Timing {
    rate: f64,
    sensor_rate: SensorRate,
    /// The shortest time for a frame in the sensor's mode; `None` if the camera does not time its frames.
    shortest: Option<Duration>,
    /// The camera keeps its sensor's frames until requests come for them.
    keeps_frames: bool,
    hurry: Hurry,
    divider: Divider,
    pace: Pace,
    /// When the newest frame came.
    came: Option<Instant>,
    /// The limits that the camera was told last.
    told: Option<Limits>,
}

/// The shortest and the longest time that a frame of the sensor may take.
pub(super) type Limits = [Duration; 2];

impl Timing {
    /// For `rate` frames a second of a camera that needs at least `shortest` for a frame; `None` if it does not time its
    /// frames itself. `keeps_frames`: it keeps its sensor's frames until requests come for them.
    pub(super) fn new(
        rate: f64,
        sensor_rate: SensorRate,
        shortest: Option<Duration>,
        keeps_frames: bool,
        now: Instant,
    ) -> Self {
        let divider = Divider::new(interval(rate));
        let mut timing = Self {
            rate,
            sensor_rate,
            shortest,
            keeps_frames,
            hurry: Hurry::new(now),
            divider,
            pace: Pace::new(interval(rate), shortest.is_some(), now),
            came: None,
            told: None,
        };
        timing.pace = Pace::new(timing.sensor_interval(), shortest.is_some(), now);
        timing
    }

    /// The capture starts anew.
    pub(super) fn restart(&mut self, now: Instant) {
        self.hurry = Hurry::new(now);
        self.divider = Divider::new(interval(self.rate));
        self.pace.set_interval(self.sensor_interval());
        (self.came, self.told) = (None, None);
    }

    /// Frames are to come `rate` times a second.
    pub(super) fn set_rate(&mut self, rate: f64) {
        self.rate = rate;
        self.divider.set_interval(interval(rate));
    }

    /// Somebody changes something, and waits for the effect.
    pub(super) fn hurry(&mut self, now: Instant) {
        self.hurry.begin(now);
    }

    /// What the camera is to be told before its next frame, if that is new.
    pub(super) fn news(&mut self) -> Option<Limits> {
        let limits = self.limits();
        if self.told == Some(limits) {
            return None;
        }
        if self.told.is_some() {
            self.pace.set_interval(limits[0]);
        }
        self.told = Some(limits);
        Some(limits)
    }

    /// The limits as they are to be. In a hurry a frame may take as long as one of the stream: in the dark exposures
    /// are long.
    fn limits(&self) -> Limits {
        let sensor = self.sensor_interval();
        match self.sensor_rate {
            AutoOr::Auto if self.hurry.is_on() => [sensor, interval(self.rate)],
            _ => [sensor, sensor],
        }
    }

    /// The longest time that a frame of the sensor may take, whether it hurries or not.
    pub(super) fn longest(&self) -> Duration {
        match self.sensor_rate {
            AutoOr::Auto => interval(self.rate),
            AutoOr::Given(_) => self.sensor_interval(),
        }
    }

    /// The time for each of the sensor's frames.
    fn sensor_interval(&self) -> Duration {
        let hurries = self.hurry.is_on() && self.pace.due().is_none();
        interval(match (self.sensor_rate, self.shortest) {
            (AutoOr::Auto, Some(shortest)) if hurries => {
                let fastest = 1.0 / shortest.as_secs_f64();
                multiple(self.rate, fastest.min(HURRY * self.rate))
            }
            (sensor_rate, _) => calm_rate(self.rate, sensor_rate),
        })
    }

    /// Whether another request may be queued now beside those that are `under_way`; if so, it is counted.
    pub(super) fn may_queue(&mut self, now: Instant, under_way: usize) -> bool {
        let waits = self.keeps_frames
            && (under_way >= self.depth() || self.just_in_time().is_some_and(|due| now < due));
        !waits && self.pace.may_queue(now)
    }

    /// When another request may be queued, if that is foreseen.
    pub(super) fn due(&self, under_way: usize) -> Option<Instant> {
        let another = self.keeps_frames && under_way < self.depth();
        let just_in_time = self.just_in_time().filter(|_| another);
        self.pace.due().max(just_in_time)
    }

    /// How many requests wait for frames.
    fn depth(&self) -> usize {
        1 + (QUEUED_TIME.as_nanos() / self.sensor_interval().as_nanos().max(1)) as usize
    }

    /// When the next frame's request is to be queued.
    fn just_in_time(&self) -> Option<Instant> {
        let spare = self.sensor_interval().saturating_sub(QUEUED_TIME);
        self.came.map(|came| came + spare)
    }

    /// A frame came, whatever is in it. Returns whether this has shown that the camera does not keep to its rate.
    pub(super) fn came(&mut self, now: Instant) -> bool {
        self.came = Some(now);
        self.pace.frame(now)
    }

    /// The number in the stream of the sensor's frame that was captured at `time` (ns) and took `duration`; `None` if it is
    /// left out. `searching`: an algorithm has not settled.
    pub(super) fn pick(
        &mut self,
        now: Instant,
        time: u64,
        duration: Option<Duration>,
        searching: bool,
    ) -> Option<u64> {
        self.hurry.frame(now, searching);
        let duration = duration.unwrap_or_else(|| self.sensor_interval());
        self.divider.pick(time, duration)
    }
}

/// Frames a second of a sensor that does not hurry, for `rate` of the stream.
pub(super) fn calm_rate(rate: f64, sensor_rate: SensorRate) -> f64 {
    match sensor_rate {
        AutoOr::Auto => rate,
        AutoOr::Given(most) => multiple(rate, most),
    }
}

/// The largest multiple of `rate` up to `most`, and at least `rate`.
fn multiple(rate: f64, most: f64) -> f64 {
    // A hair more, for 30.0 / 10.0 must be 3 whatever floating point says.
    rate * (most / rate + 1e-6).floor().max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limits of a stream with `rate` frames a second, ms, of a sensor that does 56 Hz.
    fn limits(rate: f64, sensor_rate: SensorRate) -> [f64; 2] {
        let shortest = Duration::from_secs_f64(1.0 / 56.03);
        let mut timing = Timing::new(rate, sensor_rate, Some(shortest), true, Instant::now());
        let news = timing.news().unwrap();
        assert_eq!(timing.news(), None);
        news.map(|it| (it.as_secs_f64() * 1e4).round() / 10.0)
    }

    #[test]
    fn a_sensor_runs_at_a_multiple_of_the_streams_rate() {
        assert_eq!(limits(8.0, AutoOr::Given(0.0)), [125.0, 125.0]);
        assert_eq!(limits(8.0, AutoOr::Given(30.0)), [41.7, 41.7]);
        assert_eq!(limits(10.0, AutoOr::Given(30.0)), [33.3, 33.3]);
        assert_eq!(limits(0.1, AutoOr::Given(0.3)), [3333.3, 3333.3]);
        assert_eq!(
            limits(30.0, AutoOr::Given(10.0)),
            [33.3, 33.3],
            "never slower"
        );
    }

    #[test]
    fn a_sensor_hurries_as_far_as_its_mode_can() {
        assert_eq!(limits(8.0, AutoOr::Auto), [41.7, 125.0]);
        assert_eq!(limits(28.0, AutoOr::Auto), [17.9, 35.7]);
        assert_eq!(limits(30.0, AutoOr::Auto), [33.3, 33.3]);
    }

    #[test]
    fn a_sensor_that_is_calm_runs_at_the_streams_rate() {
        let start = Instant::now();
        let shortest = Some(Duration::from_millis(18));
        let mut timing = Timing::new(8.0, AutoOr::Auto, shortest, true, start);
        assert_eq!(timing.depth(), 2);
        timing.news();
        for frame in 0..30 {
            let time = Duration::from_millis(42 * frame);
            timing.pick(start + time, time.as_nanos() as u64, None, false);
        }
        assert_eq!(timing.news(), Some([interval(8.0); 2]));
        assert_eq!(timing.depth(), 1);
        timing.hurry(start + Duration::from_secs(2));
        assert_eq!(timing.news(), Some([interval(24.0), interval(8.0)]));
        assert_eq!(timing.longest(), interval(8.0));
    }

    #[test]
    fn requests_are_queued_shortly_before_their_frames() {
        let start = Instant::now();
        let shortest = Some(Duration::from_millis(18));
        let mut timing = Timing::new(8.0, AutoOr::Given(0.0), shortest, true, start);
        assert!(timing.may_queue(start, 0), "nothing is known of frames yet");
        assert!(!timing.may_queue(start, 1));
        timing.came(start);
        let due = start + interval(8.0) - QUEUED_TIME;
        assert_eq!(timing.due(0), Some(due));
        assert_eq!(timing.due(1), None);
        assert!(!timing.may_queue(due - Duration::from_millis(1), 0));
        assert!(timing.may_queue(due, 0));
    }

    #[test]
    fn a_fast_sensor_has_more_requests_at_once() {
        let start = Instant::now();
        let shortest = Some(Duration::from_millis(8));
        let mut timing = Timing::new(100.0, AutoOr::Auto, shortest, true, start);
        timing.came(start);
        let queued = (0..20).take_while(|&under_way| timing.may_queue(start, under_way));
        assert_eq!(queued.count(), 7);
    }

    #[test]
    fn one_that_takes_no_notice_never_hurries() {
        let start = Instant::now();
        let mut timing = Timing::new(8.0, AutoOr::Auto, None, false, start);
        assert_eq!(timing.news(), Some([interval(8.0); 2]));
        let mut timing = Timing::new(
            8.0,
            AutoOr::Auto,
            Some(Duration::from_millis(1)),
            false,
            start,
        );
        timing.news();
        let noticed = (0..100).position(|frame| timing.came(start + Duration::from_millis(frame)));
        assert!(noticed.is_some());
        assert_eq!(timing.news(), Some([interval(8.0); 2]));
    }
}
