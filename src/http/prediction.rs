//! When a stream client will read next. A client that reads rarely is sent the last frame that will be there in
//! time, not the first one after its last read: that would be as old as its reading interval when it is shown.

use crate::clock::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// A frame that is read within this time of its arrival, or a quarter of the interval, was waited for.
const IMMEDIATE: Duration = Duration::from_millis(20);
/// A read at most this much earlier than predicted, or a 64th of the interval, counts as predicted.
const EXACT: Duration = Duration::from_millis(15);
const EXACT_PART: u32 = 64;
/// Linux holds an acknowledgement back for 40 ms. One that comes this late was not caused by the read: that went
/// unseen, before the probe.
const HELD_BACK: Duration = Duration::from_millis(35);
/// Between an acknowledgement and the next probe hardly any read goes unseen in this time.
const LEAST_GAP: Duration = Duration::from_millis(3);
/// Reading intervals that are remembered. One of the shortest counts, but not the shortest of many: the time of a
/// single read may be wrong.
const REMEMBERED_INTERVALS: usize = 5;
/// So many frames may lie unread at a client from the first moments, while its window says nothing yet.
const FIRST_DOUBTS: u32 = 3;
/// A frame comes so late to let the client read older ones first; at most so many frames do.
const LATE: Duration = Duration::from_secs(1);
const LATEST: Duration = Duration::from_secs(2);
const MOST_DELAYED: u32 = 12;
/// A read that was waited for tells nothing of the client's interval, unless the next one comes this many frame
/// intervals later.
const LONG_INTERVALS: u32 = 4;
/// One long interval may be a pause: the client that goes on then waits for this long at the most.
const LONGEST_GUESS: Duration = Duration::from_secs(5);
/// To a client that reads no more often than this each frame comes early, at little cost: that it waits must show at once.
const SELDOM: Duration = Duration::from_secs(3);
/// When such a client has waited, nobody knows for how long: this part of its interval is the guess. Without it a
/// prediction that is too late would make it wait longer each time.
const WAITED_PART: u32 = 16;
/// A frame may come late in this many reads in a row. Then one has to come early: a client that has begun to read
/// faster looks just like one that waits for a late frame.
const LATE_READS: u32 = 3;

/// What was seen of the client reading a frame.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// When the whole frame was there to be read.
    pub available: Timestamp,
    /// When it was last known to lie unread.
    pub unread: Timestamp,
    /// When a probe was sent whose acknowledgement would come with the read. Before that a read could go unseen.
    pub watched: Timestamp,
    /// When the acknowledgement came that showed it.
    pub seen: Timestamp,
    /// What probe and acknowledgement take on the way at the least.
    pub round_trip: Duration,
    /// Whether it was a read at all: a window that grows for the first time may hide what lies unread.
    pub certain: bool,
}

impl Read {
    /// Whether the client read at once: it has waited.
    fn was_waited_for(&self, interval: Duration) -> bool {
        let at_once = self.round_trip + IMMEDIATE.min(interval / 4);
        self.seen.since(self.available) < at_once
    }

    /// When it took place, as far as can be known.
    pub fn time(&self) -> Timestamp {
        let gap = self.watched.since(self.unread);
        let held_back = self.seen.since(self.watched) >= self.round_trip + HELD_BACK;
        match held_back && gap > LEAST_GAP {
            true => self.unread.after(gap / 2),
            false => self.seen.before(self.round_trip / 2),
        }
    }
}

/// What is to be done about the client's next frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// The client waits for each frame: it gets the newest there is.
    Hungry,
    /// The client lets frames lie, but its next read is not known yet.
    Unknown,
    /// The frame should be there at this moment at the latest.
    Due(Timestamp),
}

/// The reads of one client.
pub struct Reads {
    /// The latest reads, as exactly as they are known; the newest last.
    times: VecDeque<Timestamp>,
    /// Whether the only one of `times` is a read that was waited for.
    began_hungry: bool,
    predicted: Option<Timestamp>,
    /// How much earlier than predicted a read may come.
    exact: Duration,
    late_in_a_row: u32,
    /// How many older frames may lie unread: those of the first moments, or behind a window that has grown.
    doubts: u32,
    /// The window has grown.
    grew: bool,
    /// The frame that is read next came late, to let an older one be read before it.
    delayed: bool,
    /// How many came late.
    all_delayed: u32,
}

impl Default for Reads {
    fn default() -> Self {
        Self {
            times: VecDeque::new(),
            began_hungry: false,
            predicted: None,
            exact: EXACT,
            late_in_a_row: 0,
            doubts: FIRST_DOUBTS,
            grew: false,
            delayed: false,
            all_delayed: 0,
        }
    }
}

impl Reads {
    /// The client has read a frame. `interval` is the time between two frames.
    pub fn observe(&mut self, read: Read, interval: Duration) -> Outlook {
        let predicted = self.predicted.take();
        let delayed = std::mem::take(&mut self.delayed);
        self.doubts = match read.certain {
            true => self.doubts - u32::from(delayed),
            false => self.doubts.max(1),
        };
        self.grew = !read.certain || self.grew && self.doubts > 0;
        let waited_for = read.was_waited_for(interval);
        let time = match predicted {
            // A client that has let frames lie before goes on so, until it is certain that it does not.
            _ if waited_for && !read.certain && self.times.len() > 1 => {
                return self.assume(read.time(), interval);
            }
            // Perhaps it has waited since then, perhaps not.
            Some(at) if waited_for && read.time() >= at.before(self.exact) => {
                self.late_in_a_row += 1;
                let interval = self
                    .times
                    .back()
                    .map_or(Duration::ZERO, |last| at.since(*last));
                let waited = match interval < SELDOM {
                    true => Duration::ZERO,
                    false => interval / WAITED_PART,
                };
                at.min(read.time()).before(waited)
            }
            _ if waited_for => {
                *self = Self {
                    times: VecDeque::from([read.time()]),
                    began_hungry: true,
                    doubts: self.doubts,
                    grew: self.grew,
                    all_delayed: self.all_delayed,
                    ..Self::default()
                };
                return Outlook::Hungry;
            }
            _ => read.time(),
        };
        if !waited_for {
            self.late_in_a_row = 0;
        }
        let since = self.times.back().map(|before| time.since(*before));
        if std::mem::take(&mut self.began_hungry) && since < Some(interval * LONG_INTERVALS) {
            self.times.clear();
        }
        self.predict_after(time, interval)
    }

    /// Takes it that the client reads as it did before; the last time was not after `now`, or is still to come.
    fn assume(&mut self, now: Timestamp, interval: Duration) -> Outlook {
        let Some((short, last)) = self.short_interval().zip(self.times.back().copied()) else {
            return Outlook::Unknown;
        };
        let passed = now.since(last).as_nanos() / short.as_nanos().max(1);
        let passed = u32::try_from(passed).unwrap_or(u32::MAX).max(1);
        let time = last.after(short.saturating_mul(passed));
        self.predict_after(time, interval)
    }

    /// Forgets all that is known: what was taken for a read was none.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// The read that is expected next, if any is.
    pub fn predicted(&self) -> Option<Timestamp> {
        self.predicted
    }

    /// The same, or a guess from the only two.
    pub fn expected(&self) -> Option<Timestamp> {
        let guess = || Some(self.times.back()?.after(self.short_interval()?));
        self.predicted.or_else(guess)
    }

    fn short_interval(&self) -> Option<Duration> {
        let mut intervals = [Duration::ZERO; REMEMBERED_INTERVALS];
        let pairs = self.times.iter().zip(self.times.iter().skip(1));
        let mut known = 0;
        for (slot, (one, next)) in intervals.iter_mut().zip(pairs) {
            *slot = next.since(*one);
            known += 1;
        }
        let intervals = &mut intervals[..known];
        intervals.sort_unstable();
        intervals.get(known / 4).copied()
    }

    fn predict_after(&mut self, last: Timestamp, interval: Duration) -> Outlook {
        self.times.push_back(last);
        if self.times.len() > REMEMBERED_INTERVALS + 1 {
            self.times.pop_front();
        }
        let Some(short) = self.short_interval() else {
            return Outlook::Unknown;
        };
        if self.times.len() == 2 {
            // One interval is not a habit: only a long one is worth a guess, and an early one.
            if short < interval * LONG_INTERVALS {
                return Outlook::Unknown;
            }
            return Outlook::Due(last.after(LONGEST_GUESS.min(short * 3 / 4)));
        }
        let next = last.after(short);
        self.predicted = Some(next);
        self.exact = EXACT.max(short / EXACT_PART);
        // One that reads about as often as frames come must not miss any.
        let is_slow = short > interval + interval / 4;
        if self.doubts > 0 && self.all_delayed < MOST_DELAYED && is_slow {
            // Comes after the next read. If the client reads an older one then, nothing lies there any more; else it waits.
            self.delayed = true;
            self.all_delayed += 1;
            let late = match self.grew {
                true => short.min(LATEST), // more than one may lie there
                false => LATE.min(short / 2),
            };
            return Outlook::Due(next.after(interval.max(late)));
        }
        // A frame somewhat late is younger than the one before it by a whole interval.
        Outlook::Due(match self.late_in_a_row < LATE_READS && short < SELDOM {
            true => next.after(interval / 4),
            false => next.before(2 * self.exact),
        })
    }
}
