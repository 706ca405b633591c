//! The newest frame, and who wants one: a slot between the capture thread and the encode thread, not a queue.
//! Nothing is encoded while nobody wants it.

use crate::camera::Frame;
use crate::clock::Timestamp;
use crate::picture::Window;
use crate::sync::{lock, wait_until};
use std::sync::{Condvar, Mutex};

/// Windows whose sharpness is measured in one frame at the most: who asks for more gets no score.
const MOST_WINDOWS: usize = 4;

/// A frame and when it came.
pub struct Arrival {
    /// The frame.
    pub frame: Frame,
    /// When the camera handed it over; a sensor's exposure and read-out come before.
    pub arrived: Timestamp,
    /// The parts of it whose sharpness is wanted.
    pub windows: Vec<Window>,
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
    /// Of each client that waits for a JPEG, streams and snapshots.
    wanted: Vec<Wish>,
    stopping: bool,
}

/// What a client waits for.
#[derive(Clone, Copy, PartialEq)]
struct Wish {
    /// The arrival of the oldest frame that it takes.
    from: Timestamp,
    /// The part of the frame whose sharpness it wants to know.
    window: Option<Window>,
}

/// What the encode thread is to do next.
#[allow(
    clippy::large_enum_variant,
    reason = "one lives at a time; a box would cost an allocation a frame"
)]
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

    /// Replaces the waiting frame, whether it was encoded or not. Returns whether somebody has waited for that one in vain.
    pub fn put(&self, frame: Frame) -> bool {
        let (replaced, in_vain) = {
            let mut slot = lock(&self.slot);
            let in_vain = slot.pending.is_some_and(|arrived| slot.is_wanted(arrived));
            slot.pending = Some(Timestamp::now());
            if !slot.wanted.is_empty() {
                self.changed.notify_one();
            }
            (slot.newest.replace(frame), in_vain)
        };
        drop(replaced); // gives its buffer back, outside the lock
        in_vain
    }

    /// One more client waits for a JPEG of a frame that arrived at `from` or later, and for the sharpness of `window` in
    /// it, until the returned value is dropped. If the newest frame is such a one and was not encoded, it is now.
    pub fn want(&self, from: Timestamp, window: Option<Window>) -> Wanted<'_> {
        let mut slot = lock(&self.slot);
        let wish = Wish { from, window };
        slot.wanted.push(wish);
        if slot.pending.is_some_and(|arrived| arrived >= from) {
            self.changed.notify_one();
        }
        Wanted { feed: self, wish }
    }

    /// The newest frame, whether it was encoded or not.
    pub fn newest(&self) -> Option<Frame> {
        lock(&self.slot).newest.clone()
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
            if let Some(arrived) = slot.pending.filter(|arrived| slot.is_wanted(*arrived))
                && let Some(frame) = slot.newest.clone()
            {
                slot.pending = None;
                let windows = slot.windows(arrived);
                return Work::Encode(Arrival {
                    frame,
                    arrived,
                    windows,
                });
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

impl Slot {
    /// Whether somebody takes a frame that arrived then.
    fn is_wanted(&self, arrived: Timestamp) -> bool {
        self.wanted.iter().any(|wish| wish.from <= arrived)
    }

    /// The windows that are wanted of a frame that arrived then, each once.
    fn windows(&self, arrived: Timestamp) -> Vec<Window> {
        let mut windows = Vec::new();
        for wish in self.wanted.iter().filter(|wish| wish.from <= arrived) {
            if let Some(window) = wish.window
                && windows.len() < MOST_WINDOWS
                && !windows.contains(&window)
            {
                windows.push(window);
            }
        }
        windows
    }
}

/// A client's wish for a JPEG.
pub struct Wanted<'a> {
    feed: &'a Feed,
    wish: Wish,
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        let mut slot = lock(&self.feed.slot);
        if let Some(index) = slot.wanted.iter().position(|wish| *wish == self.wish) {
            slot.wanted.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Readings;
    use crate::picture::Picture;
    use std::sync::Arc;
    use std::time::Duration;

    fn frame(sequence: u64) -> Frame {
        Frame {
            sequence,
            captured: Timestamp::now(),
            unix: Duration::ZERO,
            width: 16,
            height: 16,
            planes: Arc::new(Picture::filled(16, 16, [sequence as u8, 128, 128])),
            readings: Readings::default(),
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
        let _wanted = feed.want(Timestamp::now().before(Duration::from_secs(1)), None);
        assert_eq!(at_once(&feed), Some(2));
        assert_eq!(at_once(&feed), None);
        feed.stop();
        assert!(matches!(feed.next(Timestamp::now()), Work::Stop));
    }

    #[test]
    fn nothing_is_encoded_while_nobody_wants_it() {
        let feed = Feed::new();
        drop(feed.want(Timestamp::from_boot_nanoseconds(0), None));
        assert!(!feed.is_wanted());
        let _later = feed.want(Timestamp::now().after(Duration::from_secs(60)), None);
        feed.put(frame(1));
        assert_eq!(at_once(&feed), None);
        let _now = feed.want(Timestamp::from_boot_nanoseconds(0), None);
        assert_eq!(at_once(&feed), Some(1));
    }

    #[test]
    fn an_empty_slot_keeps_no_buffer() {
        let feed = Feed::new();
        feed.put(frame(1));
        assert_eq!(feed.take().map(|frame| frame.sequence), Some(1));
        let _wanted = feed.want(Timestamp::from_boot_nanoseconds(0), None);
        assert_eq!(at_once(&feed), None);
    }

    #[test]
    fn a_frame_wakes_the_encoder() {
        let feed = Arc::new(Feed::new());
        let _wanted = feed.want(Timestamp::from_boot_nanoseconds(0), None);
        let encoder = Arc::clone(&feed);
        let until = Timestamp::now().after(Duration::from_secs(60));
        let thread = std::thread::spawn(move || encoded(encoder.next(until)));
        feed.put(frame(7));
        assert_eq!(thread.join().unwrap(), Some(7));
    }

    #[test]
    fn windows_are_measured_for_those_who_wait_and_each_once() {
        let feed = Feed::new();
        let window = |left| Some(Window([left, 0.0, 0.5, 0.5]));
        let early = Timestamp::from_boot_nanoseconds(0);
        let _wanted = [0.0, 0.1, 0.0, 0.2].map(|left| feed.want(early, window(left)));
        let _later = feed.want(Timestamp::now().after(Duration::from_secs(60)), window(0.3));
        let _plain = feed.want(early, None);
        feed.put(frame(1));
        let Work::Encode(arrival) = feed.next(Timestamp::now()) else {
            panic!("nothing to encode");
        };
        let lefts: Vec<f64> = arrival.windows.iter().map(|window| window.0[0]).collect();
        assert_eq!(lefts, [0.0, 0.1, 0.2]);
    }
}
