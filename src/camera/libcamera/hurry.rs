//! When a sensor should run faster than its stream: its algorithms settle by frames, not by seconds. So it hurries from
//! the start on, and again whenever exposure or focus is searching, until nothing moves any more.

use std::time::{Duration, Instant};

/// The hurry goes on for this long after everything has settled: algorithms pause between two steps.
const CALM_TIME: Duration = Duration::from_millis(500);
/// A light that flickers never settles. Such a hurry ends all the same, and none follows for as long again: the
/// processor is to stay cool.
const LONGEST: Duration = Duration::from_secs(15);

/// Whether the sensor hurries.
#[derive(Debug)]
pub(super) struct Hurry {
    phase: Phase,
    /// Whether something was searching in the newest frame.
    searching: bool,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Hurried {
        until: Instant,
        /// Since when nothing has been searching.
        settled: Option<Instant>,
    },
    Calm {
        /// No hurry begins by itself before.
        until: Instant,
    },
}

impl Hurry {
    /// The camera starts: nothing is settled.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            phase: hurried(now),
            searching: true,
        }
    }

    pub(super) fn is_on(&self) -> bool {
        matches!(self.phase, Phase::Hurried { .. })
    }

    /// Somebody changes something, and waits for the effect.
    pub(super) fn begin(&mut self, now: Instant) {
        self.phase = hurried(now);
    }

    /// A frame came while an algorithm was `searching`, or none was.
    pub(super) fn frame(&mut self, now: Instant, searching: bool) {
        let begins = !std::mem::replace(&mut self.searching, searching) && searching;
        match &mut self.phase {
            Phase::Hurried { until, .. } if now >= *until => {
                let until = now + LONGEST;
                self.phase = Phase::Calm { until };
            }
            Phase::Hurried { settled, .. } if searching => *settled = None,
            Phase::Hurried { settled, .. } => {
                let settled = *settled.get_or_insert(now);
                if now.duration_since(settled) >= CALM_TIME {
                    self.phase = Phase::Calm { until: now };
                }
            }
            Phase::Calm { until } if begins && now >= *until => self.begin(now),
            Phase::Calm { .. } => {}
        }
    }
}

fn hurried(now: Instant) -> Phase {
    Phase::Hurried {
        until: now + LONGEST,
        settled: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(50);

    /// Lets frames come for `span`; returns how long the hurry was on.
    fn run(hurry: &mut Hurry, now: &mut Instant, span: Duration, searching: bool) -> Duration {
        let mut on = Duration::ZERO;
        for _ in 0..span.as_millis() / FRAME.as_millis() {
            *now += FRAME;
            hurry.frame(*now, searching);
            on += if hurry.is_on() { FRAME } else { Duration::ZERO };
        }
        on
    }

    #[test]
    fn it_ends_when_everything_has_settled_for_a_while() {
        let mut now = Instant::now();
        let mut hurry = Hurry::new(now);
        let mut run = |seconds, searching| {
            let span = Duration::from_secs(seconds);
            run(&mut hurry, &mut now, span, searching)
        };
        assert_eq!(run(3, true), Duration::from_secs(3));
        assert_eq!(run(10, false), CALM_TIME);
        assert_eq!(run(3, true), Duration::from_secs(3), "it begins again");
    }

    #[test]
    fn a_short_pause_is_no_end() {
        let mut now = Instant::now();
        let mut hurry = Hurry::new(now);
        for _ in 0..10 {
            run(&mut hurry, &mut now, CALM_TIME - FRAME, false);
            run(&mut hurry, &mut now, FRAME, true);
            assert!(hurry.is_on());
        }
    }

    #[test]
    fn what_never_settles_hurries_half_of_the_time_at_most() {
        let mut now = Instant::now();
        let mut hurry = Hurry::new(now);
        let mut on = Duration::ZERO;
        for _ in 0..100 {
            on += run(&mut hurry, &mut now, Duration::from_secs(1), true);
            on += run(&mut hurry, &mut now, FRAME, false);
        }
        assert!(on <= Duration::from_secs(60), "{on:?}");
        assert!(on >= LONGEST);
    }

    #[test]
    fn a_user_is_never_kept_waiting() {
        let mut now = Instant::now();
        let mut hurry = Hurry::new(now);
        run(&mut hurry, &mut now, LONGEST + FRAME, true);
        assert!(!hurry.is_on());
        hurry.begin(now);
        assert_eq!(
            run(&mut hurry, &mut now, LONGEST - FRAME, true),
            LONGEST - FRAME
        );
    }
}
