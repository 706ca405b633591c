//! One JPEG out of bands, so that several cores work on one frame. The frame is cut at rows of MCUs, each band is encoded like
//! a picture of its own by whichever thread is free, and the bands are joined. The pixels are those of the frame that is
//! encoded at once.

use super::encoder::Encoder;
use super::join::join;
use super::worker::Fault;
use crate::camera::Frame;
use crate::config::Cores;
use crate::shelf::Bytes;
use crate::sync::lock;
use crate::system::affinity::{self, Role};
use nix::time::{ClockId, clock_gettime};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Rows of pixels that an MCU has at 4:2:0.
const MCU: usize = 16;
/// Bands for each thread: who is held up takes fewer of them.
const BANDS_A_THREAD: usize = 2;

/// Encodes frames with the help of other threads, which it starts when they are needed for the first time.
pub(super) struct BandEncoder {
    own: Encoder,
    helpers: Vec<Sender<Arc<Job>>>,
    /// Where the helpers run. The thread that starts them may run elsewhere.
    cores: Option<Vec<usize>>,
    /// The system gave no thread.
    is_refused: bool,
    /// The bands of the last frame: their memory is used again.
    spare: Vec<Bytes>,
}

/// What a JPEG has taken.
pub(super) struct Work {
    /// How many threads have worked on it.
    pub(super) threads: usize,
    /// The processor's time.
    pub(super) spent: Duration,
}

/// One frame's work.
struct Job {
    /// Taken away when all bands are done: a thread that comes too late does not keep it from the camera.
    frame: Mutex<Option<Frame>>,
    quality: u8,
    /// Rows of pixels that each band has.
    rows: Vec<Range<usize>>,
    fault: Option<Fault>,
    /// The first band that nobody has taken.
    next: AtomicUsize,
    done: Mutex<Done>,
    changed: Condvar,
}

/// What has been done of it.
#[derive(Default)]
struct Done {
    bands: Vec<Option<Bytes>>,
    spare: Vec<Bytes>,
    left: usize,
    error: Option<String>,
    /// The processor's time for it.
    spent: Duration,
}

impl BandEncoder {
    /// An encoder whose helpers run on these of the encoder's `cores`.
    ///
    /// # Errors
    /// There is no memory for it.
    pub(super) fn new(cores: &Cores) -> turbojpeg::Result<Self> {
        Ok(Self {
            own: Encoder::new()?,
            helpers: Vec::new(),
            cores: affinity::cores_for(Role::EncodeBands, cores),
            is_refused: false,
            spare: Vec::new(),
        })
    }

    /// Writes the JPEG of `frame` with `quality` (1 to 100), 4:2:0, JFIF, into `jpeg`, by at most `threads` threads.
    ///
    /// # Errors
    /// libjpeg-turbo's, in its words.
    pub(super) fn encode(
        &mut self,
        frame: &Frame,
        quality: u8,
        threads: usize,
        fault: Option<Fault>,
        jpeg: &mut Bytes,
    ) -> Result<Work, String> {
        if rows_each(frame.height, threads) >= frame.height {
            let began = processor_time();
            let encoded = self.own.encode(frame, quality, jpeg);
            encoded.map_err(|error| error.to_string())?;
            return Ok(Work {
                threads: 1,
                spent: processor_time().saturating_sub(began),
            });
        }
        let rows = cut(frame.height, threads);
        let helpers = self.helpers(threads.min(rows.len()) - 1);
        let job = Arc::new(Job {
            frame: Mutex::new(Some(frame.clone())),
            quality,
            fault,
            next: AtomicUsize::new(0),
            done: Mutex::new(Done {
                bands: rows.iter().map(|_| None).collect(),
                spare: std::mem::take(&mut self.spare),
                left: rows.len(),
                ..Done::default()
            }),
            changed: Condvar::new(),
            rows,
        });
        for helper in &self.helpers[..helpers] {
            let _ = helper.send(Arc::clone(&job)); // one that has panicked has ended the process
        }
        // What is wrong with the others shows once they have a band: where they come late, this thread has done them all.
        if fault.is_none() {
            job.work(&mut self.own);
        }
        let done = job.wait();
        let bands: Vec<Bytes> = done.bands.into_iter().flatten().collect();
        let joined = match done.error {
            Some(error) => Err(error),
            None => {
                let interval = job.rows[0].len() / MCU * frame.width.div_ceil(MCU);
                join(&bands, frame.height, interval, jpeg)
            }
        };
        self.spare = bands;
        joined.map(|()| Work {
            threads: 1 + helpers,
            spent: done.spent,
        })
    }

    /// So many helpers, or fewer if the system gives no thread.
    fn helpers(&mut self, wanted: usize) -> usize {
        if self.helpers.len() < wanted
            && !self.is_refused
            && let Err(error) = self.start_helpers(wanted)
        {
            self.is_refused = true; // said once, and not asked for again with each frame
            log::warn!("encoder: cannot start a thread that helps: {error}");
        }
        self.helpers.len().min(wanted)
    }

    fn start_helpers(&mut self, wanted: usize) -> io::Result<()> {
        while self.helpers.len() < wanted {
            let (sender, jobs) = channel::<Arc<Job>>();
            let cores = self.cores.clone();
            let mut encoder = Encoder::new().map_err(io::Error::other)?;
            let name = format!("encode-{}", (b'b' + self.helpers.len() as u8) as char);
            thread::Builder::new().name(name).spawn(move || {
                affinity::pin_to(Role::EncodeBands, cores.as_deref());
                for job in jobs {
                    job.fail_as_asked();
                    job.work(&mut encoder);
                }
            })?;
            self.helpers.push(sender);
        }
        Ok(())
    }
}

impl Job {
    /// What a helper does that is to fail.
    fn fail_as_asked(&self) {
        match self.fault {
            Some(Fault::HangBand) => loop {
                thread::park();
            },
            Some(Fault::PanicBand) => panic!("as asked by a test"),
            _ => {}
        }
    }

    /// Encodes bands as long as there are any.
    fn work(&self, encoder: &mut Encoder) {
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(rows) = self.rows.get(index) else {
                return;
            };
            let Some(frame) = lock(&self.frame).clone() else {
                return; // never: it is there until all bands are done
            };
            let mut band = lock(&self.done).spare.pop().unwrap_or_default();
            let began = processor_time();
            let encoded = encoder.encode_rows(&frame, rows.clone(), self.quality, &mut band);
            let spent = processor_time().saturating_sub(began);
            drop(frame);
            let mut done = lock(&self.done);
            done.spent += spent;
            done.bands[index] = Some(band);
            done.left -= 1;
            if let Err(error) = encoded {
                done.error = Some(error.to_string());
            }
            if done.left == 0 {
                self.changed.notify_all();
            }
        }
    }

    /// Waits until all bands are done.
    fn wait(&self) -> Done {
        let done = self
            .changed
            .wait_while(lock(&self.done), |done| done.left > 0);
        let done = std::mem::take(&mut *done.unwrap_or_else(PoisonError::into_inner));
        drop(lock(&self.frame).take());
        done
    }
}

/// How many rows of pixels a band has: whole MCUs.
fn rows_each(height: usize, threads: usize) -> usize {
    let bands = if threads > 1 {
        threads * BANDS_A_THREAD
    } else {
        1
    };
    height.div_ceil(MCU).div_ceil(bands).max(1) * MCU
}

/// Rows of pixels of each band: all but the last have the same number.
fn cut(height: usize, threads: usize) -> Vec<Range<usize>> {
    let each = rows_each(height, threads);
    let starts = (0..height).step_by(each);
    starts
        .map(|start| start..height.min(start + each))
        .collect()
}

/// The processor's time that this thread has taken.
fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Readings;
    use crate::clock::Timestamp;
    use crate::config::AutoOr;
    use crate::picture::Picture;

    fn frame(width: usize, height: usize) -> Frame {
        let mut picture = Picture::filled(width, height, [0, 128, 128]);
        for plane in 0..3 {
            let (columns, _) = picture.plane_size(plane);
            for (at, sample) in picture.plane_mut(plane).iter_mut().enumerate() {
                *sample = ((at % columns * 7) ^ (at / columns * (11 + plane))) as u8;
            }
        }
        Frame {
            sequence: 1,
            captured: Timestamp::now(),
            unix: Duration::ZERO,
            width,
            height,
            planes: Arc::new(picture),
            readings: Readings::default(),
        }
    }

    fn encoded(encoder: &mut BandEncoder, frame: &Frame, threads: usize) -> Bytes {
        let mut jpeg = Bytes::default();
        encoder.encode(frame, 90, threads, None, &mut jpeg).unwrap();
        jpeg
    }

    /// By libjpeg-turbo, jpeg-decoder and zune-jpeg.
    fn decoded(jpeg: &[u8]) -> [Vec<u8>; 3] {
        let file = || std::io::Cursor::new(jpeg);
        [
            turbojpeg::decompress_to_yuv(jpeg).unwrap().pixels,
            jpeg_decoder::Decoder::new(file()).decode().unwrap(),
            zune_jpeg::JpegDecoder::new(file()).decode().unwrap(),
        ]
    }

    #[test]
    fn pixels_are_the_same_however_many_threads_work() {
        let mut encoder = BandEncoder::new(&AutoOr::Auto).unwrap();
        for (width, height) in [(322, 182), (64, 16), (64, 2), (2304, 1296), (96, 4000)] {
            let frame = frame(width, height);
            let alone = decoded(&encoded(&mut encoder, &frame, 1));
            for threads in [2, 3, 4, 8, 2] {
                let pixels = decoded(&encoded(&mut encoder, &frame, threads));
                assert!(pixels == alone, "{width}x{height}, {threads} threads");
            }
        }
    }

    #[test]
    fn bands_are_equal_but_the_last_and_there_are_two_for_each_thread() {
        for height in (2..2600).step_by(2) {
            assert_eq!(cut(height, 1), vec![0..height; 1]);
            for threads in 2..9 {
                let bands = cut(height, threads);
                assert!(bands.len() <= 2 * threads);
                assert_eq!(bands.last().unwrap().end, height);
                let each = bands[0].len();
                for (index, band) in bands.iter().enumerate() {
                    assert_eq!(band.start, index * each);
                    assert!(band.len() == each && each.is_multiple_of(MCU) || band.end == height);
                }
            }
        }
        assert_eq!(cut(1296, 3).len(), 6);
    }
}
