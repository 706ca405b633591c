//! From frames to JPEGs: the newest frame waits in the [`Feed`], one thread encodes it once for all clients
//! and publishes it on the [`Hub`]. Nothing is encoded while nobody wants it.

mod encoder;
mod no_signal;

pub use encoder::Encoder;

use crate::camera::{Frame, stall_time};
use crate::clock::{Timestamp, unix_seconds};
use crate::config::Cores;
use crate::hub::{Hub, Jpeg};
use crate::metrics::Metrics;
use crate::system::affinity;
use log::{error, info, warn};
use no_signal::NoSignal;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two "no signal" pictures.
const NO_SIGNAL_INTERVAL: Duration = Duration::from_secs(1);

/// Where the capture thread leaves the newest frame for the encoder: a slot, not a queue.
pub struct Feed {
    state: Mutex<State>,
    changed: Condvar,
    /// Nanoseconds between two frames at the configured rate.
    interval: AtomicU64,
    quality: AtomicU8,
}

struct State {
    newest: Option<Frame>,
    /// The newest frame has not been encoded.
    pending: bool,
    /// When the newest frame came, or the start.
    arrived: Timestamp,
    /// Since the camera has stalled: when the next "no signal" picture is due.
    lost: Option<Timestamp>,
    /// For each client that waits for a JPEG, streams and snapshots, the arrival of the oldest frame it takes.
    wanted: Vec<Timestamp>,
    stopping: bool,
}

/// What the encode thread is to do next.
enum Work {
    Encode {
        frame: Frame,
        arrived: Timestamp,
    },
    /// The camera has stalled. The first time, with the last frame there was: its buffer goes back to the
    /// camera, which may be about to be closed.
    NoSignal {
        last: Option<Frame>,
        wanted: bool,
    },
    Stop,
}

impl Feed {
    /// An empty slot for a camera of `rate` frames a second whose JPEGs get `quality` (1 to 100).
    pub fn new(rate: f64, quality: u8) -> Self {
        let feed = Self {
            state: Mutex::new(State {
                newest: None,
                pending: false,
                arrived: Timestamp::now(),
                lost: None,
                wanted: Vec::new(),
                stopping: false,
            }),
            changed: Condvar::new(),
            interval: AtomicU64::new(0),
            quality: AtomicU8::new(quality),
        };
        feed.set_rate(rate);
        feed
    }

    /// Replaces the waiting frame, whether it was encoded or not.
    pub fn put(&self, frame: Frame) {
        let (replaced, silence) = {
            let mut state = self.lock();
            let silence = state.lost.take().map(|_| state.arrived.age());
            state.pending = true;
            state.arrived = Timestamp::now();
            if !state.wanted.is_empty() {
                self.changed.notify_one();
            }
            (state.newest.replace(frame), silence)
        };
        drop(replaced); // gives its buffer back, outside the lock
        if let Some(silence) = silence {
            info!(
                "camera: frames come again after {:.1} s",
                silence.as_secs_f64()
            );
        }
    }

    /// One more client waits for a JPEG of a frame that arrived at `from` or later, until the returned value is dropped.
    /// If the newest frame is such a one and was not encoded, it is now.
    pub fn want(&self, from: Timestamp) -> Wanted<'_> {
        let mut state = self.lock();
        state.wanted.push(from);
        if state.pending && state.arrived >= from {
            self.changed.notify_one();
        }
        Wanted { feed: self, from }
    }

    /// Expects `rate` frames a second from now on.
    pub fn set_rate(&self, rate: f64) {
        // The silence so far is no stall by the new measure.
        self.lock().arrived = Timestamp::now();
        self.interval.store((1e9 / rate) as u64, Ordering::Relaxed);
        self.changed.notify_one();
    }

    /// Encodes with `quality` (1 to 100) from now on.
    pub fn set_quality(&self, quality: u8) {
        self.quality.store(quality, Ordering::Relaxed);
    }

    /// The time between two frames at the configured rate.
    pub fn interval(&self) -> Duration {
        Duration::from_nanos(self.interval.load(Ordering::Relaxed))
    }

    /// The time since the newest frame came, or since the start if none ever did.
    pub fn silence(&self) -> Duration {
        self.lock().arrived.age()
    }

    /// Whether the camera has stalled: no frame for [`Feed::stall_time`].
    pub fn is_lost(&self) -> bool {
        self.silence() >= self.stall_time()
    }

    /// How long a camera may deliver nothing: a second or five frame intervals, whichever is longer.
    pub fn stall_time(&self) -> Duration {
        stall_time(self.interval())
    }

    /// Ends the encode thread.
    pub fn stop(&self) {
        self.lock().stopping = true;
        self.changed.notify_one();
    }

    /// Waits for something to do.
    fn next(&self) -> Work {
        let mut state = self.lock();
        loop {
            if state.stopping {
                return Work::Stop;
            }
            if state.pending && state.wanted.iter().any(|&from| from <= state.arrived) {
                state.pending = false;
                if let Some(frame) = state.newest.clone() {
                    let arrived = state.arrived;
                    return Work::Encode { frame, arrived };
                }
            }
            // Watched without clients too: a stall is logged when it begins, not when somebody looks.
            let due = state.lost.unwrap_or(state.arrived.after(self.stall_time()));
            let left = due.since(Timestamp::now());
            if left.is_zero() {
                state.lost = Some(Timestamp::now().after(NO_SIGNAL_INTERVAL));
                state.pending = false;
                let last = state.newest.take();
                let wanted = !state.wanted.is_empty();
                return Work::NoSignal { last, wanted };
            }
            state = match self.changed.wait_timeout(state, left) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's wish for a JPEG.
pub struct Wanted<'a> {
    feed: &'a Feed,
    from: Timestamp,
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        let mut state = self.feed.lock();
        if let Some(index) = state.wanted.iter().position(|&from| from == self.from) {
            state.wanted.swap_remove(index);
        }
    }
}

/// Starts the encode thread, pinned to `cores`: it takes frames from `feed`, encodes them, and publishes them on
/// `hub` until the feed is stopped. `size` is that of the "no signal" picture while there was no frame at all.
///
/// # Errors
/// The system gives no thread, or no memory to the encoder.
pub fn start(
    feed: Arc<Feed>,
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
    size: (usize, usize),
    cores: &Cores,
) -> std::io::Result<JoinHandle<()>> {
    let cores = cores.clone();
    let encoder = Encoder::new().map_err(std::io::Error::other)?;
    let worker = Worker {
        no_signal: NoSignal::new(size),
        encoder,
        feed,
        hub,
        metrics,
        published: 0,
    };
    std::thread::Builder::new()
        .name("encode".into())
        .spawn(move || {
            affinity::pin_this_thread(affinity::Role::Encode, &cores);
            worker.run();
        })
}

struct Worker {
    encoder: Encoder,
    no_signal: NoSignal,
    feed: Arc<Feed>,
    hub: Arc<Hub>,
    metrics: Arc<Metrics>,
    published: u64,
}

impl Worker {
    fn run(mut self) {
        let mut lost = false;
        loop {
            match self.feed.next() {
                Work::Stop => return,
                Work::Encode { frame, arrived } => {
                    lost = false;
                    self.publish(&frame, arrived, true);
                }
                Work::NoSignal { last, wanted } => {
                    if !std::mem::replace(&mut lost, true) || last.is_some() {
                        self.metrics.stalls.inc();
                        let silence = self.feed.silence().as_secs_f64();
                        warn!("camera: no frame for {silence:.1} s");
                    }
                    if let Some(last) = last {
                        self.no_signal.remember(&last);
                    }
                    if wanted {
                        let frame = self.no_signal.frame(self.feed.silence());
                        self.publish(&frame, frame.captured, false);
                    }
                }
            }
        }
    }

    /// Encodes `frame` and shows it to all clients.
    fn publish(&mut self, frame: &Frame, arrived: Timestamp, live: bool) {
        let started = Instant::now();
        let quality = self.feed.quality.load(Ordering::Relaxed);
        let data: Arc<[u8]> = match self.encoder.encode(frame, quality) {
            Ok(jpeg) => jpeg.into(),
            Err(error) => return error!("frame {}: not encoded: {error}", frame.sequence),
        };
        let spent = started.elapsed();
        self.published += 1;
        let unix = frame.captured.unix();
        self.metrics.encoded(data.len(), spent);
        self.hub.publish(Jpeg {
            number: self.published,
            sequence: frame.sequence,
            captured: frame.captured,
            arrived,
            timestamp: unix_seconds(unix),
            width: frame.width,
            height: frame.height,
            live,
            part_head: format!(
                "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {}\r\nX-Frame: {}\r\n\r\n",
                data.len(),
                unix_seconds(unix),
                frame.sequence
            ),
            data,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Picture;

    fn frame(sequence: u64) -> Frame {
        Frame {
            sequence,
            captured: Timestamp::now(),
            width: 16,
            height: 16,
            planes: Arc::new(Picture::filled(16, 16, [sequence as u8, 128, 128])),
        }
    }

    #[test]
    fn only_the_newest_frame_is_encoded_and_only_once() {
        let feed = Feed::new(8.0, 90);
        feed.put(frame(1));
        feed.put(frame(2));
        let _wanted = feed.want(Timestamp::now().before(Duration::from_secs(1)));
        assert!(matches!(feed.next(), Work::Encode { frame, .. } if frame.sequence == 2));
        feed.stop();
        assert!(matches!(feed.next(), Work::Stop));
    }

    #[test]
    fn nothing_is_encoded_while_nobody_wants_it() {
        let feed = Feed::new(100.0, 90);
        drop(feed.want(Timestamp::from_boot_nanoseconds(0)));
        let _later = feed.want(Timestamp::now().after(Duration::from_secs(60)));
        feed.put(frame(1));
        // What comes next is the stall, a second later: the frame was not encoded.
        assert!(matches!(
            feed.next(),
            Work::NoSignal {
                last: Some(_),
                wanted: true
            }
        ));
        assert!(feed.is_lost());
        feed.put(frame(2));
        assert!(!feed.is_lost());
    }
}
