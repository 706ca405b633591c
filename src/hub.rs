//! The newest JPEG, shared by all clients: a slot, not a queue. A slow client skips frames; it never delays
//! one and never makes memory grow.

use crate::camera::Readings;
use crate::clock::{Timestamp, UnixSeconds};
use crate::picture::Window;
use crate::shelf::Bytes;
use crate::sync::{lock, read, write};
use may::io::WaitIoWaker;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

/// How much the newest JPEG counts in the smoothed encoding time: an eighth.
const SMOOTHING: u64 = 8;

/// One encoded picture, immutable.
pub struct Jpeg {
    /// Counts the pictures of all sizes that were published, from 1.
    pub number: u64,
    /// The frame's sequence number; a "no signal" picture has that of the last frame.
    pub sequence: u64,
    /// When the frame was captured.
    pub captured: Timestamp,
    /// `captured` by the wall clock.
    pub timestamp: UnixSeconds,
    /// When the camera handed it over; a sensor's exposure and read-out come before.
    pub arrived: Timestamp,
    /// How long the encoder worked on it.
    pub encoded_in: Duration,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// False for a "no signal" picture.
    pub live: bool,
    /// What the camera reported with the frame.
    pub readings: Readings,
    /// How sharp those parts of the frame are that somebody asked for.
    pub scores: Vec<(Window, f64)>,
    /// The JPEG file.
    pub data: Bytes,
}

impl Jpeg {
    /// How sharp this part of the frame is, if somebody asked for it in time.
    pub fn score(&self, window: Window) -> Option<f64> {
        let mut scores = self.scores.iter();
        scores
            .find(|(of, _)| *of == window)
            .map(|(_, score)| *score)
    }
}

/// Wakes one client's coroutine out of its `wait_io`.
pub struct Waiter {
    waker: WaitIoWaker,
    /// The coroutine is in `wait_io`, or just about to be: only then is it worth a wake-up.
    idle: AtomicBool,
}

impl Waiter {
    /// For the coroutine that waits on the socket which `waker` comes from.
    pub fn new(waker: WaitIoWaker) -> Arc<Self> {
        Arc::new(Self {
            waker,
            idle: AtomicBool::new(false),
        })
    }

    /// Whether the coroutine is about to wait. After `set_idle(true)`, check once more what is waited for: earlier
    /// events are not reported.
    pub fn set_idle(&self, idle: bool) {
        self.idle.store(idle, Ordering::SeqCst);
    }

    /// Wakes the coroutine if it waits.
    pub fn wake(&self) {
        if self.idle.load(Ordering::SeqCst) {
            self.waker.wakeup();
        }
    }
}

/// Holds the newest JPEG and knows who waits for the next.
#[derive(Default)]
pub struct Hub {
    newest: RwLock<Option<Arc<Jpeg>>>,
    waiters: Mutex<Vec<Arc<Waiter>>>,
    /// Nanoseconds, smoothed; 0 before the first JPEG.
    encode_time: AtomicU64,
}

impl Hub {
    /// A hub without a picture.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the newest JPEG and wakes everybody who waits.
    pub fn publish(&self, jpeg: Jpeg) {
        let spent = jpeg.encoded_in.as_nanos() as u64;
        let smoothed = match self.encode_time.load(Ordering::Relaxed) {
            0 => spent,
            before => before - before / SMOOTHING + spent / SMOOTHING,
        };
        self.encode_time.store(smoothed, Ordering::Relaxed);
        let replaced = write(&self.newest).replace(Arc::new(jpeg));
        drop(replaced); // outside the lock: it may be the last one to hold a megabyte
        self.wake_all();
    }

    /// The newest JPEG, or `None` before the first.
    pub fn newest(&self) -> Option<Arc<Jpeg>> {
        read(&self.newest).clone()
    }

    /// How long the encoder works on a frame, smoothed; zero before the first JPEG.
    pub fn encode_time(&self) -> Duration {
        Duration::from_nanos(self.encode_time.load(Ordering::Relaxed))
    }

    /// Wakes everybody who waits, for instance because picam stops.
    pub fn wake_all(&self) {
        for waiter in lock(&self.waiters).iter() {
            waiter.wake();
        }
    }

    /// Lets `waiter` be woken by each JPEG from now on, until the returned subscription is dropped.
    pub fn subscribe(&self, waiter: Arc<Waiter>) -> Subscription<'_> {
        lock(&self.waiters).push(Arc::clone(&waiter));
        Subscription { hub: self, waiter }
    }
}

/// A client's place among those that are woken.
pub struct Subscription<'a> {
    hub: &'a Hub,
    waiter: Arc<Waiter>,
}

impl Drop for Subscription<'_> {
    fn drop(&mut self) {
        let mut waiters = lock(&self.hub.waiters);
        if let Some(index) = waiters
            .iter()
            .position(|waiter| Arc::ptr_eq(waiter, &self.waiter))
        {
            waiters.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jpeg(number: u64, encoded_in: Duration) -> Jpeg {
        let now = Timestamp::now();
        Jpeg {
            number,
            sequence: number,
            captured: now,
            timestamp: UnixSeconds::default(),
            arrived: now,
            encoded_in,
            width: 16,
            height: 16,
            live: true,
            readings: Readings::default(),
            scores: Vec::new(),
            data: vec![0xff, 0xd8].into(),
        }
    }

    #[test]
    fn the_newest_jpeg_replaces_the_one_before() {
        let hub = Hub::new();
        assert!(hub.newest().is_none());
        hub.publish(jpeg(1, Duration::ZERO));
        let first = hub.newest().unwrap();
        hub.publish(jpeg(2, Duration::ZERO));
        assert_eq!((first.number, hub.newest().unwrap().number), (1, 2));
        assert_eq!(Arc::strong_count(&first), 1, "the hub keeps one JPEG only");
    }

    #[test]
    fn the_encoding_time_follows_what_the_encoder_needs() {
        let hub = Hub::new();
        let milliseconds = Duration::from_millis;
        hub.publish(jpeg(1, milliseconds(20)));
        assert_eq!(hub.encode_time(), milliseconds(20));
        for number in 2..40 {
            hub.publish(jpeg(number, milliseconds(40)));
        }
        let smoothed = hub.encode_time();
        assert!(
            smoothed > milliseconds(38) && smoothed < milliseconds(41),
            "{smoothed:?}"
        );
    }
}
