//! Which frames are fresh, and their numbers through all restarts of their source.

use crate::clock::Timestamp;
use std::time::Duration;

/// A capture time may be this far ahead of the moment at which its frame came: clocks are read one after the other.
const TOLERANCE: Duration = Duration::from_millis(1);

/// Numbers frames, and tells those that are new from those that came before.
#[derive(Default)]
pub(super) struct Numbers {
    newest: u64,
    /// What is added to the source's numbers; unknown until its first frame.
    offset: Option<u64>,
    /// The source's number of its newest frame.
    sequence: Option<u64>,
    /// When the newest frame was captured.
    captured: Option<Timestamp>,
}

/// A frame that is fresh.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Numbered {
    /// Its number: one more than that of the frame before, or more where frames were lost.
    pub number: u64,
    /// How many frames were lost before it.
    pub lost: u64,
    /// When it was captured.
    pub captured: Timestamp,
}

impl Numbers {
    /// The source delivered its frame `sequence` at `now`, captured at `captured`. `None` if it is not fresh: its number
    /// or its capture time did not go on. A stream can end in frames that never change, which
    /// counting them would not show. A capture time in the future is replaced by `now`: else it would make all frames after it look old.
    pub(super) fn number(
        &mut self,
        sequence: u64,
        captured: Timestamp,
        now: Timestamp,
    ) -> Option<Numbered> {
        let captured = if captured > now.after(TOLERANCE) {
            now
        } else {
            captured
        };
        if self.sequence == Some(sequence) || self.captured.is_some_and(|last| captured <= last) {
            return None;
        }
        self.sequence = Some(sequence);
        self.captured = Some(captured);
        let expected = self.newest + 1;
        let continued = self.offset.map(|offset| sequence + offset);
        let (number, lost) = match continued.filter(|number| *number >= expected) {
            Some(number) => (number, number - expected),
            None => {
                // A source that goes on keeps its numbers: they may be in the picture, too.
                self.offset = Some(expected.saturating_sub(sequence));
                (expected.max(sequence), 0)
            }
        };
        self.newest = number;
        Some(Numbered {
            number,
            lost,
            captured,
        })
    }

    /// The number of the newest frame.
    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    /// The source may count anew. Capture times go on: they are those of the machine's clock.
    pub(super) fn restart(&mut self) {
        self.offset = None;
        self.sequence = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Timestamp {
        Timestamp::from_boot_nanoseconds(1_000_000 * milliseconds)
    }

    /// Numbers and losses of frames that are captured one a second, at once.
    fn numbered(numbers: &mut Numbers, start: u64, sequences: &[u64]) -> Vec<(u64, u64)> {
        let mut now = at(start);
        let frame = |&sequence: &u64| {
            now = now.after(Duration::from_secs(1));
            let numbered = numbers.number(sequence, now, now)?;
            Some((numbered.number, numbered.lost))
        };
        sequences.iter().filter_map(frame).collect()
    }

    #[test]
    fn numbers_go_on_and_are_kept_where_the_source_goes_on_itself() {
        let mut numbers = Numbers::default();
        assert_eq!(
            numbered(&mut numbers, 0, &[0, 1, 4]),
            [(1, 0), (2, 0), (5, 2)]
        );
        numbers.restart();
        let anew = numbered(&mut numbers, 10_000, &[0, 1]);
        assert_eq!(anew, [(6, 0), (7, 0)], "counts anew");
        numbers.restart();
        let on = numbered(&mut numbers, 20_000, &[10, 12]);
        assert_eq!(on, [(10, 0), (12, 1)], "goes on");
        assert_eq!(
            numbered(&mut numbers, 30_000, &[3]),
            [(13, 0)],
            "never back"
        );
    }

    #[test]
    fn frames_that_do_not_change_are_not_fresh() {
        let mut numbers = Numbers::default();
        let mut fresh = |sequence, captured, now| {
            let numbered = numbers.number(sequence, at(captured), at(now));
            numbered.is_some()
        };
        assert!(fresh(8, 1000, 1010));
        assert!(!fresh(8, 1500, 1510), "the same number");
        assert!(!fresh(9, 1000, 1900), "the same time");
        assert!(!fresh(10, 900, 1999), "back in time");
        assert!(fresh(11, 2000, 2000));
    }

    #[test]
    fn numbers_may_start_again_after_a_restart_but_times_may_not() {
        let mut numbers = Numbers::default();
        assert!(numbers.number(8, at(1000), at(1010)).is_some());
        numbers.restart();
        assert!(numbers.number(0, at(1000), at(2100)).is_none(), "left over");
        assert!(numbers.number(8, at(2200), at(2210)).is_some());
    }

    #[test]
    fn a_time_in_the_future_does_not_make_later_frames_old() {
        let mut numbers = Numbers::default();
        let first = numbers.number(1, at(3_600_000), at(1000)).unwrap();
        assert_eq!(first.captured, at(1000));
        for frame in 2..20 {
            let now = at(1000 + 125 * frame);
            assert!(numbers.number(frame, now, now).is_some(), "{frame}");
        }
    }
}
