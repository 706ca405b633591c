//! JPEGs of a part of the newest frame, pixel by pixel, on a thread of their own: one after the other, for those who ask.

use super::Encoder;
use super::orders::{Order, Ordered, order};
use crate::camera::Frame;
use crate::clock::{Timestamp, unix_seconds};
use crate::feed::Feed;
use crate::hub::{Jpeg, Waiter};
use crate::picture::{Window, crop};
use crate::shelf::Bytes;
use log::error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Instant;

/// Askers that may wait; what is beyond is refused.
const MOST_WAITING: usize = 8;
/// Somebody looks closely.
const QUALITY: u8 = 95;

/// What comes of an order; `None` if there was no frame.
type Crop = Option<Arc<Jpeg>>;

/// The running thread. It ends with this.
pub struct Crops(SyncSender<Order<Window, Crop>>);

impl Crops {
    /// Starts the thread, which takes its frames from `feed` and its JPEGs' numbers from `numbers`.
    ///
    /// # Errors
    /// The system gives no thread, or no memory to the encoder.
    pub fn start(feed: Arc<Feed>, numbers: Arc<AtomicU64>) -> io::Result<Self> {
        let encoder = Encoder::new().map_err(io::Error::other)?;
        let (sender, orders) = sync_channel(MOST_WAITING);
        let thread = std::thread::Builder::new().name("crop".into());
        thread.spawn(move || run(&orders, &feed, &numbers, encoder))?;
        Ok(Self(sender))
    }

    /// Asks for the part `window` of the newest frame; `waiter` is woken when it is there. `None`: too many wait.
    pub fn ask(&self, window: Window, waiter: Arc<Waiter>) -> Option<Ordered<Crop>> {
        order(&self.0, window, waiter)
    }
}

fn run(
    orders: &Receiver<Order<Window, Crop>>,
    feed: &Feed,
    numbers: &AtomicU64,
    mut encoder: Encoder,
) {
    while let Ok(order) = orders.recv() {
        let jpeg = feed.newest().and_then(|frame| {
            let number = 1 + numbers.fetch_add(1, Ordering::Relaxed);
            cut(&mut encoder, &frame, order.what, number)
        });
        order.finish(jpeg);
    }
}

/// The part `window` of `frame` as a JPEG.
fn cut(encoder: &mut Encoder, frame: &Frame, window: Window, number: u64) -> Option<Arc<Jpeg>> {
    let started = Instant::now();
    let part = crop(frame.planes.as_ref(), (frame.width, frame.height), window);
    let part = Frame {
        width: part.width(),
        height: part.height(),
        planes: Arc::new(part),
        ..frame.clone()
    };
    let mut data = Bytes::default();
    let encoded = encoder.encode(&part, QUALITY, &mut data);
    encoded.inspect_err(|error| error!("crop: {error}")).ok()?;
    Some(Arc::new(Jpeg {
        number,
        sequence: frame.sequence,
        captured: frame.captured,
        timestamp: unix_seconds(frame.captured.unix()),
        arrived: Timestamp::now(),
        encoded_in: started.elapsed(),
        width: part.width,
        height: part.height,
        live: true,
        readings: frame.readings,
        scores: Vec::new(),
        data,
    }))
}
