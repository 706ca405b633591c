//! A camera and a world that follow a script, with a clock that only the script moves.

use super::*;
use crate::camera::{CaptureJob, Remote};
use crate::config::AutoOr;
use crate::picture::Picture;
use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};

const MILLISECOND: Duration = Duration::from_millis(1);
/// The scripted camera's rate at most, unless it is opened again.
pub(super) const FASTEST: f64 = 56.0;
const INTERVAL: Duration = Duration::from_millis(125);

/// What the scripted camera does when it is asked for a frame.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Delivers this many frames, in time.
    Frames(u32),
    /// Captures this many frames that do not come.
    Lose(u64),
    /// Delivers one frame, in time, captured an hour ahead of it.
    Future,
    /// Delivers nothing for this time.
    Pause(Duration),
    /// Delivers nothing until it is restarted or reopened.
    Silence,
    /// Delivers frames with new numbers and the same time until then.
    FrozenTime,
    /// Delivers the same number again and again until then.
    FrozenNumber,
    /// Completes its requests as cancelled: no frame, at once.
    Cancelled(u32),
    /// Fails.
    Fail,
}

/// What a restart or an attempt to open the camera leads to.
#[derive(Debug)]
pub(super) enum Outcome {
    Good(Vec<Act>),
    Failed,
    Absent,
    /// Never returns.
    Hangs,
}

/// What the script says and what happened.
#[derive(Default)]
pub(super) struct Script {
    pub(super) now: AtomicU64,
    pub(super) restarts: Mutex<VecDeque<Outcome>>,
    pub(super) opens: Mutex<VecDeque<Outcome>>,
    pub(super) log: Mutex<Vec<String>>,
    pub(super) hanging: Mutex<Option<Sender<()>>>,
    /// Called when everything scripted is done.
    pub(super) done: Mutex<Option<Sender<Command>>>,
}

impl Script {
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_boot_nanoseconds(self.now.load(Ordering::SeqCst))
    }

    pub(super) fn pass(&self, span: Duration) {
        self.now.fetch_add(span.as_nanos() as u64, Ordering::SeqCst);
    }

    fn note(&self, what: impl Into<String>) {
        self.log.lock().unwrap().push(what.into());
    }

    /// The next of `outcomes`. Without one the script is at its end: the worker is told to stop.
    fn play(
        &self,
        what: &str,
        outcomes: &Mutex<VecDeque<Outcome>>,
    ) -> Result<Vec<Act>, CameraError> {
        let outcome = outcomes.lock().unwrap().pop_front();
        let (word, result) = match outcome {
            Some(Outcome::Good(acts)) => ("", Ok(acts)),
            Some(Outcome::Failed) | None => (
                ": failed",
                Err(CameraError::Failed {
                    what: "scripted",
                    reason: "as scripted".into(),
                }),
            ),
            Some(Outcome::Absent) => (
                ": absent",
                Err(CameraError::Absent {
                    wanted: "an IMX708".into(),
                    found: "nothing".into(),
                }),
            ),
            Some(Outcome::Hangs) => {
                self.note(format!("{what}: hangs"));
                if let Some(hanging) = self.hanging.lock().unwrap().take() {
                    hanging.send(()).unwrap();
                }
                loop {
                    std::thread::park();
                }
            }
        };
        self.note(format!("{what}{word}"));
        result
    }
}

struct ScriptedCamera {
    script: Arc<Script>,
    acts: VecDeque<Act>,
    sequence: u64,
    /// A still was ordered; it comes two frames later.
    ordered: Option<u64>,
    readings: Readings,
}

impl ScriptedCamera {
    fn frame(&mut self, captured: Timestamp) -> Frame {
        Frame {
            sequence: self.sequence,
            captured,
            unix: Duration::ZERO,
            width: 16,
            height: 16,
            planes: Arc::new(Picture::filled(16, 16, [0, 128, 128])),
            readings: self.readings,
        }
    }
}

impl Camera for ScriptedCamera {
    fn next_frame(&mut self, patience: Duration) -> Result<Option<Frame>, CameraError> {
        let Some(act) = self.acts.pop_front() else {
            if let Some(commands) = self.script.done.lock().unwrap().as_ref() {
                commands.send(Command::Stop).unwrap();
            }
            return Ok(None);
        };
        match act {
            Act::Frames(count) => {
                if count > 1 {
                    self.acts.push_front(Act::Frames(count - 1));
                }
                self.script.pass(INTERVAL);
                self.sequence += 1;
                return Ok(Some(self.frame(self.script.now())));
            }
            Act::Lose(count) => {
                self.script.pass(INTERVAL * count as u32);
                self.sequence += count;
            }
            Act::Future => {
                self.script.pass(INTERVAL);
                self.sequence += 1;
                return Ok(Some(
                    self.frame(self.script.now().after(3600 * 1000 * MILLISECOND)),
                ));
            }
            Act::Pause(left) => {
                if left > patience {
                    self.acts.push_front(Act::Pause(left - patience));
                }
                self.script.pass(left.min(patience));
            }
            Act::Silence => {
                self.acts.push_front(act);
                self.script.pass(patience);
            }
            Act::FrozenTime => {
                self.acts.push_front(act);
                self.script.pass(INTERVAL);
                self.sequence += 1;
                return Ok(Some(self.frame(Timestamp::from_boot_nanoseconds(1))));
            }
            Act::FrozenNumber => {
                self.acts.push_front(act);
                self.script.pass(INTERVAL);
                return Ok(Some(self.frame(self.script.now())));
            }
            Act::Cancelled(count) => {
                if count > 1 {
                    self.acts.push_front(Act::Cancelled(count - 1));
                }
                self.script.pass(MILLISECOND);
            }
            Act::Fail => {
                return Err(CameraError::Failed {
                    what: "scripted",
                    reason: "as scripted".into(),
                });
            }
        }
        Ok(None)
    }

    fn apply(
        &mut self,
        requested: &controls::Set,
        changed: &controls::Set,
        number: u64,
    ) -> Result<(), CameraError> {
        self.script.note(format!("apply {requested} / {changed}"));
        self.readings.change = number;
        Ok(())
    }

    fn set_rate(&mut self, rate: f64) -> Result<bool, CameraError> {
        self.script.note(format!("rate {rate}"));
        Ok(rate <= FASTEST)
    }

    fn order_still(&mut self) -> bool {
        self.ordered = Some(self.sequence + 2);
        true
    }

    fn still(&mut self) -> Option<Frame> {
        self.ordered.take_if(|due| *due <= self.sequence)?;
        Some(self.frame(self.script.now()))
    }

    fn restart(&mut self) -> Result<(), CameraError> {
        self.script.pass(500 * MILLISECOND);
        let script = Arc::clone(&self.script);
        self.acts = script.play("restart", &script.restarts)?.into();
        self.sequence = 0;
        Ok(())
    }
}

impl Drop for ScriptedCamera {
    fn drop(&mut self) {
        self.script.note("close");
    }
}

/// A camera that fails at once and has these ranges.
pub(super) struct Ranged(pub(super) controls::Ranges);

impl Camera for Ranged {
    fn next_frame(&mut self, _: Duration) -> Result<Option<Frame>, CameraError> {
        Err(CameraError::Unusable("as scripted".into()))
    }

    fn apply(&mut self, _: &controls::Set, _: &controls::Set, _: u64) -> Result<(), CameraError> {
        Ok(())
    }

    fn set_rate(&mut self, _: f64) -> Result<bool, CameraError> {
        Ok(true)
    }

    fn restart(&mut self) -> Result<(), CameraError> {
        Ok(())
    }

    fn ranges(&self) -> controls::Ranges {
        self.0
    }
}

pub(super) struct ScriptedWorld(Arc<Script>);

impl World for ScriptedWorld {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn open(
        &mut self,
        _: &CameraConfig,
        _: &controls::Set,
        _: u64,
    ) -> Result<Box<dyn Camera>, CameraError> {
        self.0.pass(200 * MILLISECOND);
        let acts = self.0.play("open", &self.0.opens)?;
        Ok(Box::new(camera(&self.0, acts)))
    }

    fn wait(
        &mut self,
        commands: &Receiver<Command>,
        span: Duration,
    ) -> Result<Command, RecvTimeoutError> {
        commands.try_recv().map_err(|_| {
            self.0.pass(span);
            RecvTimeoutError::Timeout
        })
    }
}

fn camera(script: &Arc<Script>, acts: Vec<Act>) -> ScriptedCamera {
    ScriptedCamera {
        script: Arc::clone(script),
        acts: acts.into(),
        sequence: 0,
        ordered: None,
        readings: Readings::default(),
    }
}

/// Everything a test needs.
pub(super) struct Stage {
    pub(super) script: Arc<Script>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) delivered: Arc<Mutex<Vec<(u64, Timestamp, u64)>>>,
    pub(super) remote: Remote,
    pub(super) report: Arc<Report>,
    pub(super) worker: CaptureWorker<ScriptedWorld>,
}

impl Stage {
    pub(super) fn new(restarts: Vec<Outcome>, opens: Vec<Outcome>) -> Self {
        Self::with(restarts, opens, CameraConfig::default())
    }

    pub(super) fn with(restarts: Vec<Outcome>, opens: Vec<Outcome>, config: CameraConfig) -> Self {
        let script = Arc::new(Script::default());
        script.pass(Duration::from_secs(100));
        *script.restarts.lock().unwrap() = restarts.into();
        *script.opens.lock().unwrap() = opens.into();
        let (sender, commands) = mpsc::channel();
        *script.done.lock().unwrap() = Some(sender.clone());
        let metrics = Arc::new(Metrics::new());
        let pulse = Arc::new(Pulse::new(script.now(), INTERVAL));
        let report = Arc::new(Report::default());
        let requested = controls::Set::default();
        let remote = Remote::new(sender, requested, Arc::clone(&report));
        let delivered = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&delivered);
        let job = CaptureJob {
            config,
            requested,
            cores: AutoOr::Auto,
            metrics: Arc::clone(&metrics),
            pulse: Arc::clone(&pulse),
            deliver: {
                let script = Arc::clone(&script);
                Box::new(move |frame: Frame| {
                    let change = frame.readings.change;
                    list.lock()
                        .unwrap()
                        .push((frame.sequence, script.now(), change));
                })
            },
        };
        let world = ScriptedWorld(Arc::clone(&script));
        let worker = CaptureWorker::new(world, job, commands, Arc::clone(&report));
        Self {
            script,
            metrics,
            pulse,
            delivered,
            remote,
            report,
            worker,
        }
    }

    /// Runs a camera that does `acts` to the script's end.
    pub(super) fn run(self, acts: Vec<Act>) -> Played {
        let camera = Box::new(camera(&self.script, acts));
        let started = self.script.now();
        let ended = self.worker.run(Some(camera));
        let delivered = std::mem::take(&mut *self.delivered.lock().unwrap());
        let times = delivered.iter().map(|(_, time, _)| *time);
        let times: Vec<_> = [started]
            .into_iter()
            .chain(times)
            .chain([self.script.now()])
            .collect();
        let silences = times.windows(2).map(|pair| pair[1].since(pair[0]));
        Played {
            ended,
            longest_silence: silences.max().unwrap_or_default(),
            log: std::mem::take(&mut *self.script.log.lock().unwrap()),
            delivered: delivered.iter().map(|(sequence, ..)| *sequence).collect(),
            changes: delivered.iter().map(|(.., change)| *change).collect(),
            took: self.script.now().since(started),
            metrics: self.metrics,
            pulse: self.pulse,
        }
    }
}

pub(super) struct Played {
    pub(super) ended: Ended,
    pub(super) log: Vec<String>,
    pub(super) delivered: Vec<u64>,
    /// The change that each of them shows.
    pub(super) changes: Vec<u64>,
    pub(super) took: Duration,
    /// Between two frames, or from the last one to the end.
    pub(super) longest_silence: Duration,
    pub(super) metrics: Arc<Metrics>,
    pub(super) pulse: Arc<Pulse>,
}

impl Played {
    pub(super) fn recoveries(&self) -> (u64, u64) {
        (
            self.metrics.recoveries("restart"),
            self.metrics.recoveries("reopen"),
        )
    }
}
