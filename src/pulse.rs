//! Do pictures flow? The capture thread reports its frames here, the encode threads their JPEGs, and everybody who has
//! to know reads the one verdict: /healthz, the "no signal" picture, the recovery ladder and the watchdogs.
//!
//! Atomics only: nobody who reads waits for a thread that may be stuck in a driver for ever.

mod encoder;

pub use encoder::EncoderPulse;

use crate::clock::Timestamp;
use crate::exit::Exit;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// A camera has stalled when it delivered nothing for this time or [`STALL_INTERVALS`] frame intervals, whichever
/// is longer: libcamera's own measure ("Dequeue timer expired").
const STALL_MINIMUM: Duration = Duration::from_secs(1);
const STALL_INTERVALS: u32 = 5;
/// What a camera gets on top of the stall time for its first frame, as time or as frame intervals, whichever is
/// longer: the Raspberry Pi's pipelines hold back the six or seven frames in which exposure and white balance settle.
const START_TIME: Duration = Duration::from_secs(2);
const START_INTERVALS: u32 = 10;
/// When the rate goes up, this many frames may still take the old interval: they were asked for already.
const QUEUED_FRAMES: u32 = 6;
/// An encoder that works on one frame for this long, or has failed on every frame for this long, shows nothing.
/// The slowest Raspberry Pi needs half a second for the largest frame.
const ENCODER_STALL: Duration = Duration::from_secs(3);
/// After this long without a JPEG the process ends, for its supervisor to start a new one.
const ENCODER_LIMIT: Duration = Duration::from_secs(10);

/// Encode threads at the most: one for the frames' own size, and one for each smaller one.
pub const ENCODERS: usize = 4;

/// How long a camera with this frame `interval` may deliver nothing.
pub fn stall_time(interval: Duration) -> Duration {
    STALL_MINIMUM.max(interval * STALL_INTERVALS)
}

/// Whether pictures flow, and why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The camera is being started; its first frame is not due yet.
    Starting,
    /// Frames come, and become JPEGs where somebody wants them.
    Live,
    /// The camera delivers nothing.
    NoFrames,
    /// An encoder is stuck in a frame.
    EncoderHangs,
    /// An encoder refuses every frame.
    EncoderFails,
}

/// What only a new process can mend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The capture thread is stuck in this phase.
    Capture(Phase),
    /// An encoder is stuck in a frame.
    EncoderHangs,
    /// An encoder refuses every frame.
    EncoderFails,
}

impl Failure {
    /// The exit code that says so.
    pub fn exit(self) -> Exit {
        match self {
            Failure::Capture(_) => Exit::CameraLost,
            Failure::EncoderHangs | Failure::EncoderFails => Exit::EncoderLost,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Capture(phase) => {
                let limit = phase.limit().unwrap_or_default();
                write!(f, "the capture thread is stuck {phase} for over {limit:?}")
            }
            Failure::EncoderHangs => {
                write!(f, "the encoder hangs in a frame for over {ENCODER_LIMIT:?}")
            }
            Failure::EncoderFails => {
                write!(f, "the encoder failed on every frame for {ENCODER_LIMIT:?}")
            }
        }
    }
}

/// What the capture thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// Finding and opening the camera.
    Opening,
    /// Waiting for frames and delivering them.
    Capturing,
    /// Stopping and starting the capture.
    Restarting,
    /// Closing the camera.
    Closing,
    /// Waiting for a camera that is not there.
    Waiting,
    /// The thread has ended, or is about to.
    Ended,
}

impl Phase {
    const ALL: [Phase; 6] = [
        Phase::Opening,
        Phase::Capturing,
        Phase::Restarting,
        Phase::Closing,
        Phase::Waiting,
        Phase::Ended,
    ];

    /// The longest that the thread may be in this phase without a sign of life. libcamera's stop() can block for
    /// ever; what works takes less than a second, or a few when everything is read from a slow card at first.
    fn limit(self) -> Option<Duration> {
        match self {
            Phase::Opening => Some(Duration::from_secs(30)),
            Phase::Ended => None,
            _ => Some(Duration::from_secs(10)),
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Phase::Opening => "opening",
            Phase::Capturing => "capturing",
            Phase::Restarting => "restarting",
            Phase::Closing => "closing",
            Phase::Waiting => "waiting",
            Phase::Ended => "ended",
        })
    }
}

/// A moment that other threads may read, as nanoseconds since the machine was started; 0 stands for none.
#[derive(Default)]
struct Moment(AtomicU64);

impl Moment {
    fn set(&self, moment: Timestamp) {
        self.0.store(moment.boot_nanoseconds(), SeqCst);
    }

    fn clear(&self) {
        self.0.store(0, SeqCst);
    }

    fn get(&self) -> Option<Timestamp> {
        match self.0.load(SeqCst) {
            0 => None,
            moment => Some(Timestamp::from_boot_nanoseconds(moment)),
        }
    }
}

/// A span of time that other threads may read.
#[derive(Default)]
struct Span(AtomicU64);

impl Span {
    fn set(&self, span: Duration) {
        self.0.store(span.as_nanos() as u64, SeqCst);
    }

    fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(SeqCst))
    }
}

/// Written by the capture thread and the encode threads, read by all.
pub struct Pulse {
    started: Timestamp,
    phase: AtomicU8,
    /// The capture thread's last sign of life.
    beat: Moment,
    /// The time between two frames at the configured rate.
    interval: Span,
    /// How long the camera may deliver nothing at present.
    patience: Span,
    /// Frames that may still take the longer interval of before.
    queued: AtomicU32,
    /// When the last fresh frame came.
    frame: Moment,
    /// The recovery ladder's next step is due at this moment, unless a frame comes.
    due: Moment,
    /// The camera was opened, or found missing, before.
    opened: AtomicBool,
    /// The camera had stalled when it was started or its rate was changed; only a frame lifts that.
    lost: AtomicBool,
    encoders: [EncoderPulse; ENCODERS],
}

impl Pulse {
    /// A pulse that begins at `now`, with a camera of one frame each `interval` being opened.
    pub fn new(now: Timestamp, interval: Duration) -> Self {
        let pulse = Self {
            started: now,
            phase: AtomicU8::new(Phase::Opening as u8),
            beat: Moment::default(),
            interval: Span::default(),
            patience: Span::default(),
            queued: AtomicU32::new(0),
            frame: Moment::default(),
            due: Moment::default(),
            opened: AtomicBool::new(false),
            lost: AtomicBool::new(false),
            encoders: Default::default(),
        };
        pulse.beat.set(now);
        pulse.interval.set(interval);
        pulse.patience.set(stall_time(interval));
        pulse.set_due(now);
        pulse
    }

    /// The capture thread is in `phase`, and alive.
    pub fn beat(&self, phase: Phase, now: Timestamp) {
        self.beat.set(now);
        self.phase.store(phase as u8, SeqCst);
        if phase == Phase::Waiting {
            self.opened.store(true, SeqCst); // what is opened from now on is opened again
        }
    }

    /// The camera was opened or started at `now`: its first frame may take longer.
    pub fn expect_start(&self, now: Timestamp) {
        self.keep_lost(now);
        self.opened.store(true, SeqCst);
        self.set_due(now);
    }

    /// A start, or another rate, is no frame.
    fn keep_lost(&self, now: Timestamp) {
        if self.verdict(now) == Verdict::NoFrames {
            self.lost.store(true, SeqCst);
        }
    }

    fn set_due(&self, now: Timestamp) {
        let start_time = START_TIME.max(self.interval() * START_INTERVALS);
        self.due.set(now.after(self.patience.get() + start_time));
    }

    /// A fresh frame came.
    pub fn frame(&self, now: Timestamp) {
        match self.queued.load(SeqCst) {
            0 => {}
            1 => {
                self.queued.store(0, SeqCst);
                self.patience.set(stall_time(self.interval()));
            }
            queued => self.queued.store(queued - 1, SeqCst),
        }
        self.frame.set(now);
        self.due.set(now.after(self.patience.get()));
        self.lost.store(false, SeqCst);
    }

    /// The camera is to deliver one frame each `interval` from now on.
    pub fn set_interval(&self, now: Timestamp, interval: Duration) {
        self.keep_lost(now);
        let longer = interval.max(self.interval());
        let patience = match self.queued.swap(QUEUED_FRAMES, SeqCst) {
            0 => stall_time(longer),
            _ => self.patience.get().max(stall_time(longer)), // frames of a rate before that are under way, too
        };
        self.interval.set(interval);
        self.patience.set(patience);
        self.set_due(now);
    }

    /// What the encode thread of this number tells, from 0 to [`ENCODERS`] - 1.
    pub fn encoder(&self, number: usize) -> &EncoderPulse {
        &self.encoders[number]
    }

    /// Whether pictures flow.
    pub fn verdict(&self, now: Timestamp) -> Verdict {
        let lost = self.lost.load(SeqCst);
        let being_opened = !self.opened.load(SeqCst) && self.phase() == Phase::Opening;
        let silent = match self.frame.get() {
            None if !lost && (being_opened || !self.is_overdue(now)) => return Verdict::Starting,
            None => true,
            Some(frame) => lost || now.since(frame) >= self.patience.get(),
        };
        match silent {
            true => Verdict::NoFrames,
            false if self.encoder_hangs(now, ENCODER_STALL) => Verdict::EncoderHangs,
            false if self.encoder_fails(ENCODER_STALL) => Verdict::EncoderFails,
            false => Verdict::Live,
        }
    }

    /// What only a new process can mend, if it has come to that.
    pub fn failure(&self, now: Timestamp) -> Option<Failure> {
        let phase = self.phase();
        let silent = self.beat.get().map(|beat| now.since(beat));
        if phase.limit().is_some_and(|limit| silent > Some(limit)) {
            Some(Failure::Capture(phase))
        } else if self.encoder_hangs(now, ENCODER_LIMIT) {
            Some(Failure::EncoderHangs)
        } else {
            let fails = self.encoder_fails(ENCODER_LIMIT);
            fails.then_some(Failure::EncoderFails)
        }
    }

    /// Whether the camera has kept the recovery ladder waiting for long enough.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.due.get().is_some_and(|due| now >= due)
    }

    /// The next moment at which the verdict may change for want of a frame.
    pub fn patience_ends(&self) -> Timestamp {
        let due = self.due.get().unwrap_or(self.started);
        let frame = self.frame.get();
        frame.map_or(due, |frame| frame.after(self.patience.get()))
    }

    /// What the capture thread is doing.
    pub fn phase(&self) -> Phase {
        Phase::ALL[usize::from(self.phase.load(SeqCst)) % Phase::ALL.len()]
    }

    /// The time between two frames at the configured rate.
    pub fn interval(&self) -> Duration {
        self.interval.get()
    }

    /// The longest that the camera may deliver nothing at present before it counts as stalled.
    pub fn patience(&self) -> Duration {
        self.patience.get()
    }

    /// When the last fresh frame came; `None` before the first.
    pub fn last_frame(&self) -> Option<Timestamp> {
        self.frame.get()
    }

    /// The time since the last fresh frame, or since the start if none ever came.
    pub fn silence(&self, now: Timestamp) -> Duration {
        now.since(self.frame.get().unwrap_or(self.started))
    }

    fn encoder_hangs(&self, now: Timestamp, limit: Duration) -> bool {
        self.encoders.iter().any(|it| it.hangs(now, limit))
    }

    fn encoder_fails(&self, limit: Duration) -> bool {
        self.encoders.iter().any(|it| it.fails(limit))
    }
}

#[cfg(test)]
mod tests;
