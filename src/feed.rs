//! The newest frame, and who wants one: a slot between the capture thread and the encode thread, not a queue.
//! Nothing is encoded while nobody wants it.

use crate::camera::Frame;
use crate::clock::Timestamp;
use crate::sync::{lock, wait_until};
use std::sync::{Condvar, Mutex};

/// A frame and when it came.
pub struct Arrival {
    /// The frame.
    pub frame: Frame,
    /// When the camera handed it over; a sensor's exposure and read-out come before.
    pub arrived: Timestamp,
}

/// Where the capture thread leaves the newest frame.
#[derive(Default)]
pub struct Feed {
    slot: Mutex<Slot>,
    changed: Condvar,
}

#[derive(Default)]
struct Slot {
    newest: Option<Frame>,
    /// When the newest frame came, while it has not been handed to the encoder.
    pending: Option<Timestamp>,
    /// For each client that waits for a JPEG, streams and snapshots, the arrival of the oldest frame it takes.
    wanted: Vec<Timestamp>,
    stopping: bool,
}

/// What the encode thread is to do next.
pub enum Work {
    /// Somebody wants this frame.
    Encode(Arrival),
    /// There was nothing to do in the time given.
    Nothing,
    /// The thread is to end.
    Stop,
}

impl Feed {
    /// An empty slot.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the waiting frame, whether it was encoded or not.
    pub fn put(&self, frame: Frame) {
        let replaced = {
            let mut slot = lock(&self.slot);
            slot.pending = Some(Timestamp::now());
            if !slot.wanted.is_empty() {
                self.changed.notify_one();
            }
            slot.newest.replace(frame)
        };
        drop(replaced); // gives its buffer back, outside the lock
    }

    /// One more client waits for a JPEG of a frame that arrived at `from` or later, until the returned value is dropped.
    /// If the newest frame is such a one and was not encoded, it is now.
    pub fn want(&self, from: Timestamp) -> Wanted<'_> {
        let mut slot = lock(&self.slot);
        slot.wanted.push(from);
        if slot.pending.is_some_and(|arrived| arrived >= from) {
            self.changed.notify_one();
        }
        Wanted { feed: self, from }
    }

    /// Whether anybody waits for a JPEG.
    pub fn is_wanted(&self) -> bool {
        !lock(&self.slot).wanted.is_empty()
    }

    /// Empties the slot: a camera that has stalled needs its buffer back, it may be about to be closed.
    pub fn take(&self) -> Option<Frame> {
        let mut slot = lock(&self.slot);
        slot.pending = None;
        slot.newest.take()
    }

    /// Waits until there is something to encode, at most until `until`.
    pub fn next(&self, until: Timestamp) -> Work {
        let mut slot = lock(&self.slot);
        loop {
            if slot.stopping {
                return Work::Stop;
            }
            let wanted = |arrived: &Timestamp| slot.wanted.iter().any(|from| from <= arrived);
            if let Some(arrived) = slot.pending.filter(wanted)
                && let Some(frame) = slot.newest.clone()
            {
                slot.pending = None;
                return Work::Encode(Arrival { frame, arrived });
            }
            match wait_until(&self.changed, slot, until) {
                Some(woken) => slot = woken,
                None => return Work::Nothing,
            }
        }
    }

    /// Ends the encode thread.
    pub fn stop(&self) {
        lock(&self.slot).stopping = true;
        self.changed.notify_one();
    }
}

/// A client's wish for a JPEG.
pub struct Wanted<'a> {
    feed: &'a Feed,
    from: Timestamp,
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        let mut slot = lock(&self.feed.slot);
        if let Some(index) = slot.wanted.iter().position(|&from| from == self.from) {
            slot.wanted.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;
    use std::sync::Arc;
    use std::time::Duration;

    fn frame(sequence: u64) -> Frame {
        Frame {
            sequence,
            captured: Timestamp::now(),
            width: 16,
            height: 16,
            planes: Arc::new(Picture::filled(16, 16, [sequence as u8, 128, 128])),
        }
    }

    fn encoded(work: Work) -> Option<u64> {
        match work {
            Work::Encode(arrival) => Some(arrival.frame.sequence),
            Work::Nothing | Work::Stop => None,
        }
    }

    fn at_once(feed: &Feed) -> Option<u64> {
        encoded(feed.next(Timestamp::now()))
    }

    #[test]
    fn only_the_newest_frame_is_encoded_and_only_once() {
        let feed = Feed::new();
        feed.put(frame(1));
        feed.put(frame(2));
        let _wanted = feed.want(Timestamp::now().before(Duration::from_secs(1)));
        assert_eq!(at_once(&feed), Some(2));
        assert_eq!(at_once(&feed), None);
        feed.stop();
        assert!(matches!(feed.next(Timestamp::now()), Work::Stop));
    }

    #[test]
    fn nothing_is_encoded_while_nobody_wants_it() {
        let feed = Feed::new();
        drop(feed.want(Timestamp::from_boot_nanoseconds(0)));
        assert!(!feed.is_wanted());
        let _later = feed.want(Timestamp::now().after(Duration::from_secs(60)));
        feed.put(frame(1));
        assert_eq!(at_once(&feed), None);
        let _now = feed.want(Timestamp::from_boot_nanoseconds(0));
        assert_eq!(at_once(&feed), Some(1));
    }

    #[test]
    fn an_empty_slot_keeps_no_buffer() {
        let feed = Feed::new();
        feed.put(frame(1));
        assert_eq!(feed.take().map(|frame| frame.sequence), Some(1));
        let _wanted = feed.want(Timestamp::from_boot_nanoseconds(0));
        assert_eq!(at_once(&feed), None);
    }

    #[test]
    fn a_frame_wakes_the_encoder() {
        let feed = Arc::new(Feed::new());
        let _wanted = feed.want(Timestamp::from_boot_nanoseconds(0));
        let encoder = Arc::clone(&feed);
        let until = Timestamp::now().after(Duration::from_secs(60));
        let thread = std::thread::spawn(move || encoded(encoder.next(until)));
        feed.put(frame(7));
        assert_eq!(thread.join().unwrap(), Some(7));
    }
}
