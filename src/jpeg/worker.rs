//! An encode thread: how it is started, what it does with frames, and what it shows while there are none. One makes JPEGs
//! as large as the frames; one for each smaller width helps those who cannot take so much.

use super::bands::BandEncoder;
use super::budget::Budget;
use super::no_signal::NoSignal;
use super::overload::Overload;
use super::shrink::Shrink;
use super::threads::Threads;
use crate::camera::Frame;
use crate::clock::{Timestamp, UnixSeconds};
use crate::config::{AutoOr, Cores, JpegConfig};
use crate::exit::{Exit, leave};
use crate::feed::{Arrival, Feed, Work};
use crate::focus::sharpness;
use crate::hub::{Hub, Jpeg};
use crate::log_limit::LogLimit;
use crate::metrics::Metrics;
use crate::picture::Window;
use crate::pulse::{EncoderPulse, Pulse, Verdict};
use crate::shelf::{Bytes, Shelf};
use crate::system::affinity::{self, Role};
use crate::system::faults;
use log::{error, info, warn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between two "no signal" pictures, and the longest time between two checks of the pulse.
const NO_SIGNAL_INTERVAL: Duration = Duration::from_secs(1);

/// What other threads may change of a running encoder.
pub struct Settings {
    quality: AtomicU8,
    /// The quality of the newest frame.
    quality_now: AtomicU8,
    /// Bits a second that a stream may need; 0: as many as it does.
    most_bits: AtomicU64,
    /// 0: as many as are needed.
    threads: AtomicU8,
    /// How many encoded the newest frame.
    threads_now: AtomicU8,
    fault: Arc<AtomicU8>,
}

/// How the encoder can be made to fail, for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// Refuses every frame.
    Fail = 1,
    /// Never comes back from a frame.
    Hang,
    /// Panics.
    Panic,
    /// Reads from an address where nothing is.
    Segfault,
    /// A thread that helps never comes back from a band.
    HangBand,
    /// A thread that helps panics.
    PanicBand,
}

impl Fault {
    const ALL: [Fault; 6] = [
        Fault::Fail,
        Fault::Hang,
        Fault::Panic,
        Fault::Segfault,
        Fault::HangBand,
        Fault::PanicBand,
    ];
}

impl Settings {
    /// As `config` says.
    pub fn new(config: &JpegConfig) -> Self {
        let settings = Self {
            quality: AtomicU8::new(0),
            quality_now: AtomicU8::new(config.quality),
            most_bits: AtomicU64::new(0),
            threads: AtomicU8::new(0),
            threads_now: AtomicU8::new(1),
            fault: Arc::default(),
        };
        settings.change(config);
        settings
    }

    /// Those of an encoder beside this one, as `config` says. A test lets both fail.
    pub fn beside(&self, config: &JpegConfig) -> Self {
        Self {
            fault: Arc::clone(&self.fault),
            ..Self::new(config)
        }
    }

    /// As `config` says, from the next frame on.
    pub fn change(&self, config: &JpegConfig) {
        let threads = match config.threads {
            AutoOr::Auto => 0,
            AutoOr::Given(threads) => threads,
        };
        self.quality.store(config.quality, Ordering::Relaxed);
        let most = (config.max_mbit * 1e6) as u64;
        self.most_bits.store(most, Ordering::Relaxed);
        self.threads.store(threads, Ordering::Relaxed);
    }

    /// How many threads encoded the newest frame.
    pub fn threads(&self) -> u8 {
        self.threads_now.load(Ordering::Relaxed)
    }

    /// The quality of the newest frame.
    pub fn quality(&self) -> u8 {
        self.quality_now.load(Ordering::Relaxed)
    }

    /// Bytes of a frame at the most, with one each `interval`.
    fn most_bytes(&self, interval: Duration) -> Option<f64> {
        let bits = self.most_bits.load(Ordering::Relaxed);
        (bits > 0).then(|| bits as f64 / 8.0 * interval.as_secs_f64())
    }

    /// Shows `fault` from the next frame on.
    pub fn inject(&self, fault: Fault) {
        self.fault.store(fault as u8, Ordering::Relaxed);
    }

    fn fault(&self) -> Option<Fault> {
        let fault = self.fault.load(Ordering::Relaxed);
        let mut all = Fault::ALL.into_iter();
        all.find(|known| *known as u8 == fault)
    }
}

/// What the encode thread works with.
pub struct EncodeJob {
    /// Where frames come from.
    pub feed: Arc<Feed>,
    /// Where JPEGs go to.
    pub hub: Arc<Hub>,
    /// Knows whether frames come; is told of each JPEG.
    pub pulse: Arc<Pulse>,
    /// The thread's number there.
    pub encoder: usize,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// What may change meanwhile.
    pub settings: Arc<Settings>,
    /// Numbers the JPEGs of all sizes.
    pub numbers: Arc<AtomicU64>,
    /// Columns and rows of the "no signal" picture while there was no frame at all.
    pub size: (usize, usize),
    /// Columns of the JPEGs, fewer than those of the frames; `None`: as many.
    pub width: Option<usize>,
    /// Where the thread runs.
    pub cores: Cores,
}

/// The running encode thread. It ends when the feed is stopped.
pub struct Encoding(JoinHandle<()>);

impl Encoding {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives no thread, or no memory to the encoder.
    pub fn start(job: EncodeJob) -> std::io::Result<Self> {
        let worker = EncodeWorker {
            encoder: BandEncoder::new(&job.cores).map_err(std::io::Error::other)?,
            threads: Threads::up_to(affinity::count_for(Role::EncodeBands, &job.cores)),
            shelf: Arc::default(),
            overload: Overload::default(),
            budget: Budget::default(),
            no_signal: NoSignal::new(job.size),
            shrink: job.width.map(Shrink::to),
            refused: LogLimit::new(),
            job,
        };
        let thread = std::thread::Builder::new()
            .name(match worker.job.width {
                None => "encode".into(),
                Some(width) => format!("encode-{width}"),
            })
            .spawn(move || {
                affinity::pin_this_thread(Role::Encode, &worker.job.cores);
                let leads = worker.leads();
                match catch_unwind(AssertUnwindSafe(|| worker.run())) {
                    Ok(()) => {}
                    Err(panic) if leads => resume_unwind(panic), // the pulse will know
                    Err(_) => leave(Exit::EncoderLost),
                }
            })?;
        Ok(Self(thread))
    }

    /// Waits until the thread has ended.
    pub fn join(self) {
        if self.0.join().is_err() {
            error!("the encode thread panicked");
        }
    }
}

struct EncodeWorker {
    job: EncodeJob,
    encoder: BandEncoder,
    threads: Threads,
    shelf: Arc<Shelf>,
    overload: Overload,
    budget: Budget,
    no_signal: NoSignal,
    shrink: Option<Shrink>,
    refused: LogLimit,
}

impl EncodeWorker {
    fn run(mut self) {
        // Since the camera has stalled: when the next "no signal" picture is due.
        let mut dark: Option<Timestamp> = None;
        loop {
            let now = Timestamp::now();
            let until = dark.unwrap_or(self.job.pulse.patience_ends());
            match self.job.feed.next(until.min(now.after(NO_SIGNAL_INTERVAL))) {
                Work::Stop => return,
                Work::Encode(arrival) => self.publish(arrival, true),
                // What its client ran into has gone with it. The full size stays in doubt until a frame is encoded.
                Work::Nothing if !self.leads() && !self.job.feed.is_wanted() => {
                    self.pulse().forget_failures();
                }
                Work::Nothing => {}
            }
            let now = Timestamp::now();
            match (self.job.pulse.verdict(now), dark) {
                (Verdict::NoFrames, None) => {
                    self.stalled(now);
                    dark = Some(now);
                }
                (Verdict::NoFrames, Some(due)) if now >= due => {
                    self.show_no_signal(now);
                    dark = Some(now.after(NO_SIGNAL_INTERVAL));
                }
                (Verdict::NoFrames, _) | (_, None) => {}
                (_, Some(_)) => {
                    if self.leads() {
                        info!("camera: frames come again");
                    }
                    dark = None;
                }
            }
        }
    }

    /// Takes the last frame there was for the "no signal" pictures to come: its buffer goes back to the camera.
    fn stalled(&mut self, now: Timestamp) {
        if self.leads() {
            self.job.metrics.stalls.inc();
            let silence = self.job.pulse.silence(now).as_secs_f64();
            warn!("camera: no frame for {silence:.1} s");
        }
        if let Some(last) = self.job.feed.take() {
            let last = self.sized(last);
            self.no_signal.remember(&last);
        }
    }

    fn show_no_signal(&mut self, now: Timestamp) {
        if self.job.feed.is_wanted() {
            let frame = self.no_signal.frame(self.job.pulse.silence(now));
            let arrival = Arrival {
                frame,
                arrived: Timestamp::now(),
                windows: Vec::new(),
            };
            self.publish(arrival, false);
        }
    }

    /// Whether the log speaks of the camera by this thread, and the counters of its JPEGs.
    fn leads(&self) -> bool {
        self.shrink.is_none()
    }

    fn pulse(&self) -> &EncoderPulse {
        self.job.pulse.encoder(self.job.encoder)
    }

    /// The frame in the size of the JPEGs. A larger one goes back to the camera.
    fn sized(&mut self, frame: Frame) -> Frame {
        match &mut self.shrink {
            Some(shrink) if frame.width > shrink.width() => shrink.shrink(&frame),
            _ => frame,
        }
    }

    /// Encodes a frame and shows it to all clients.
    fn publish(&mut self, arrival: Arrival, live: bool) {
        let started = Instant::now();
        self.pulse().encoding(Timestamp::now());
        let scores = scores(&arrival);
        let Arrival { frame, arrived, .. } = arrival;
        let frame = &self.sized(frame);
        let data = match self.encode(frame) {
            Ok(jpeg) => jpeg,
            Err(reason) => {
                self.pulse().failed(Timestamp::now());
                self.job.metrics.frames_refused.inc();
                if let Some(more) = self.refused.allow() {
                    error!("frame {}: not encoded: {reason}{more}", frame.sequence);
                }
                return;
            }
        };
        let encoded_in = started.elapsed();
        if self.leads() {
            self.job.metrics.encoded(data.len(), encoded_in);
            self.overload.encoded(self.job.metrics.frames_skipped.get());
        }
        self.job.hub.publish(Jpeg {
            number: 1 + self.job.numbers.fetch_add(1, Ordering::Relaxed),
            sequence: frame.sequence,
            captured: frame.captured,
            timestamp: UnixSeconds(frame.unix),
            arrived,
            encoded_in,
            width: frame.width,
            height: frame.height,
            live,
            readings: frame.readings,
            scores,
            data,
        });
        self.pulse().published();
    }

    fn encode(&mut self, frame: &Frame) -> Result<Bytes, String> {
        let settings = &self.job.settings;
        let fault = settings.fault();
        match fault {
            Some(Fault::Fail) => return Err("as asked by a test".into()),
            Some(Fault::Hang) => loop {
                std::thread::park();
            },
            Some(Fault::Panic) => panic!("as asked by a test"),
            Some(Fault::Segfault) => faults::segfault(),
            Some(Fault::HangBand | Fault::PanicBand) | None => {}
        }
        let configured = settings.quality.load(Ordering::Relaxed);
        let quality = self.budget.quality(configured);
        let threads = match settings.threads.load(Ordering::Relaxed) {
            0 => self.threads.now(),
            given => given.into(),
        };
        let mut jpeg = self.shelf.take();
        let work = self
            .encoder
            .encode(frame, quality, threads, fault, &mut jpeg)?;
        settings
            .threads_now
            .store(work.threads as u8, Ordering::Relaxed);
        settings.quality_now.store(quality, Ordering::Relaxed);
        let interval = self.job.pulse.interval();
        self.threads.learn(work.spent, interval);
        let most = settings.most_bytes(interval);
        self.budget
            .learn(jpeg.len(), most, configured, Instant::now());
        Ok(jpeg)
    }
}

/// How sharp the wanted parts of the frame are.
fn scores(arrival: &Arrival) -> Vec<(Window, f64)> {
    let frame = &arrival.frame;
    let size = (frame.width, frame.height);
    let score = |&window| {
        let [luma, ..] = frame.planes.planes();
        (window, sharpness(luma, size, window))
    };
    arrival.windows.iter().map(score).collect()
}
