//! JPEGs of the newest frame that one request wants for itself: a part of it, pixel by pixel, or another quality. One after
//! the other, on a thread of their own.

use super::Encoder;
use super::orders::{Order, Ordered, order};
use crate::camera::Frame;
use crate::clock::{Timestamp, UnixSeconds};
use crate::config::Cores;
use crate::feed::Feed;
use crate::hub::{Jpeg, Waiter};
use crate::picture::{Window, crop};
use crate::shelf::Bytes;
use crate::system::affinity::{self, Role};
use log::error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

/// Askers that may wait; what is beyond is refused.
const MOST_WAITING: usize = 8;

/// What is wanted of the newest frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Single {
    /// The part of it; else all.
    pub window: Option<Window>,
    /// Of the JPEG, 1 to 100.
    pub quality: u8,
}

/// What comes of an order; `None` if there was no frame.
type Outcome = Option<Arc<Jpeg>>;

/// The running thread. It ends with this.
pub struct Singles(SyncSender<Order<Single, Outcome>>);

impl Singles {
    /// Starts the thread on the encoder's `cores`. It takes its frames from `feed` and numbers its JPEGs from `numbers`.
    ///
    /// # Errors
    /// The system gives no thread, or no memory to the encoder.
    pub fn start(feed: Arc<Feed>, numbers: Arc<AtomicU64>, cores: Cores) -> io::Result<Self> {
        let encoder = Encoder::new().map_err(io::Error::other)?;
        let (sender, orders) = sync_channel(MOST_WAITING);
        let thread = std::thread::Builder::new().name("single".into());
        thread.spawn(move || {
            affinity::pin_this_thread(Role::EncodeBands, &cores);
            run(&orders, &feed, &numbers, encoder);
        })?;
        Ok(Self(sender))
    }

    /// Asks for a JPEG of the newest frame; `waiter` is woken when it is there. `None`: too many wait.
    pub fn ask(&self, single: Single, waiter: Arc<Waiter>) -> Option<Ordered<Outcome>> {
        order(&self.0, single, waiter)
    }
}

fn run(
    orders: &Receiver<Order<Single, Outcome>>,
    feed: &Feed,
    numbers: &AtomicU64,
    mut encoder: Encoder,
) {
    while let Ok(order) = orders.recv() {
        let jpeg = feed.newest().and_then(|frame| {
            let number = 1 + numbers.fetch_add(1, Ordering::Relaxed);
            encoded(&mut encoder, frame, order.what, number)
        });
        order.finish(jpeg);
    }
}

fn encoded(
    encoder: &mut Encoder,
    mut frame: Frame,
    Single { window, quality }: Single,
    number: u64,
) -> Outcome {
    let started = Instant::now();
    if let Some(window) = window {
        let part = crop(frame.planes.as_ref(), (frame.width, frame.height), window);
        (frame.width, frame.height) = (part.width(), part.height());
        frame.planes = Arc::new(part); // gives the camera's buffer back
    }
    let mut data = Bytes::default();
    let encoded = encoder.encode(&frame, quality, &mut data);
    encoded
        .inspect_err(|error| error!("a JPEG for one request: {error}"))
        .ok()?;
    Some(Arc::new(Jpeg {
        number,
        sequence: frame.sequence,
        captured: frame.captured,
        timestamp: UnixSeconds(frame.unix),
        arrived: Timestamp::now(),
        encoded_in: started.elapsed(),
        width: frame.width,
        height: frame.height,
        live: true,
        readings: frame.readings,
        scores: Vec::new(),
        data,
    }))
}
