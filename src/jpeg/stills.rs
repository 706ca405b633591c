//! Stills, one after the other, on a thread of their own: taken, encoded, and told in EXIF how.

use super::Encoder;
use super::exif::with_exif;
use super::orders::{Order, Ordered, order};
use crate::camera::Still;
use crate::clock::UnixSeconds;
use crate::config::Cores;
use crate::hub::{Jpeg, Waiter};
use crate::shelf::Bytes;
use crate::system::affinity::{self, Role};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Askers that may wait; what is beyond is refused.
const MOST_WAITING: usize = 4;
/// After a still that interrupted the streams: each takes the camera from the streams, and nobody is to stop them for good.
const PAUSE: Duration = Duration::from_secs(3);
/// A still that has not come after this will not.
const PATIENCE: Duration = Duration::from_secs(20);

/// Takes a still.
pub type TakeStill = Box<dyn Fn() -> Receiver<Result<Still, String>> + Send>;

/// What comes of an order: the still, or why there is none.
type Outcome = Result<Arc<Jpeg>, String>;

/// The running thread. It ends with this.
pub struct Stills(SyncSender<Order<u8, Outcome>>);

impl Stills {
    /// Starts the thread on the encoder's `cores`. It numbers its JPEGs from `numbers`.
    ///
    /// # Errors
    /// The system gives no thread, or no memory to the encoder.
    pub fn start(take: TakeStill, numbers: Arc<AtomicU64>, cores: Cores) -> io::Result<Self> {
        let (sender, orders) = sync_channel(MOST_WAITING);
        let thread = std::thread::Builder::new().name("still".into());
        thread.spawn(move || {
            affinity::pin_this_thread(Role::EncodeBands, &cores);
            run(&orders, &take, &numbers);
        })?;
        Ok(Self(sender))
    }

    /// Asks for a still of `quality` (1 to 100); `waiter` is woken when it is there. `None`: too many wait.
    pub fn ask(&self, quality: u8, waiter: Arc<Waiter>) -> Option<Ordered<Outcome>> {
        order(&self.0, quality, waiter)
    }
}

fn run(orders: &Receiver<Order<u8, Outcome>>, take: &TakeStill, numbers: &AtomicU64) {
    while let Ok(order) = orders.recv() {
        let taken = match take().recv_timeout(PATIENCE) {
            Ok(taken) => taken,
            Err(_) => Err("the camera does not answer".into()),
        };
        let interrupted = taken.as_ref().map_or(true, |still| still.interrupted);
        let encoded = taken.and_then(|still| encoded(&still, order.what, numbers));
        order.finish(encoded.map(Arc::new));
        if interrupted {
            // Nothing happens that could be waited for: the streams are to have their time.
            std::thread::sleep(PAUSE);
        }
    }
}

/// The encoder and its buffer live no longer than the still: they are large.
fn encoded(still: &Still, quality: u8, numbers: &AtomicU64) -> Result<Jpeg, String> {
    let began = Instant::now();
    let frame = &still.frame;
    let mut encoder = Encoder::new().map_err(|error| error.to_string())?;
    let mut jpeg = Bytes::default();
    encoder
        .encode(frame, quality, &mut jpeg)
        .map_err(|error| error.to_string())?;
    let data = with_exif(&jpeg, still).map_err(|error| format!("EXIF: {error}"))?;
    Ok(Jpeg {
        number: 1 + numbers.fetch_add(1, Ordering::Relaxed),
        sequence: frame.sequence,
        captured: frame.captured,
        timestamp: UnixSeconds(frame.unix),
        arrived: frame.captured,
        encoded_in: began.elapsed(),
        width: frame.width,
        height: frame.height,
        live: true,
        readings: frame.readings,
        scores: Vec::new(),
        data: data.into(),
    })
}
