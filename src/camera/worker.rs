//! What the capture thread does: takes frames from the camera, carries out commands, and takes the steps of the
//! recovery ladder.

mod still;
mod world;

pub(super) use world::{ThisMachine, World};

use super::numbers::Numbers;
use super::recovery::{Ladder, Step};
use super::remote::{Command, Report};
use super::still::Asker;
use super::{Camera, CameraError, Frame, Readings};
use crate::clock::{Timestamp, interval};
use crate::config::CameraConfig;
use crate::controls;
use crate::metrics::Metrics;
use crate::pulse::{Phase, Pulse};
use log::{error, info, warn};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

/// How long the thread waits for a frame before it reads its commands again; a stop takes no longer.
const PATIENCE: Duration = Duration::from_millis(200);
/// Between two attempts to open a camera that fails.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);
/// Between two searches for a camera that is not there; each makes libcamera search all devices.
const SEARCH_PAUSE: Duration = Duration::from_secs(2);

/// How the worker ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was told to.
    Stopped,
    /// Nothing helped.
    GaveUp(String),
}

pub(super) struct CaptureWorker<W> {
    world: W,
    config: CameraConfig,
    requested: controls::Set,
    /// The number of the newest change of it.
    change: u64,
    /// That of the newest one when the camera was opened: all its frames show that.
    opened_with: u64,
    commands: Receiver<Command>,
    report: Arc<Report>,
    metrics: Arc<Metrics>,
    pulse: Arc<Pulse>,
    deliver: Box<dyn FnMut(Frame) + Send>,
    numbers: Numbers,
    ladder: Ladder,
    /// Who waits for a still that comes beside the stream.
    asker: Option<Asker>,
    /// Until when the camera is to seem to deliver nothing.
    stalled: Option<Timestamp>,
}

/// Whether the thread goes on.
#[derive(PartialEq, Eq)]
enum Next {
    Continue,
    Stop,
}

/// What there is of the camera.
enum Held {
    Open(Box<dyn Camera>),
    /// It is not there, and waited for.
    Absent,
    /// It could not be opened or restarted, for this reason.
    Broken(String),
}

/// Why the capturing loop was left.
enum Left {
    Stop,
    /// Only a camera that is opened again can do what was asked for.
    Outgrown,
    /// The camera is needed for a still.
    Still(Asker),
    Stalled(String),
    Failed(CameraError),
}

impl From<CameraError> for Left {
    fn from(error: CameraError) -> Self {
        Self::Failed(error)
    }
}

impl<W: World> CaptureWorker<W> {
    pub(super) fn new(
        world: W,
        job: super::CaptureJob,
        commands: Receiver<Command>,
        report: Arc<Report>,
    ) -> Self {
        Self {
            world,
            config: job.config,
            requested: job.requested,
            change: 0,
            opened_with: 0,
            commands,
            report,
            metrics: job.metrics,
            pulse: job.pulse,
            deliver: job.deliver,
            numbers: Numbers::default(),
            ladder: Ladder::new(),
            asker: None,
            stalled: None,
        }
    }

    /// Captures from `camera`, or from the one that is waited for, until it is told to stop or nothing helps.
    pub(super) fn run(mut self, camera: Option<Box<dyn Camera>>) -> Ended {
        info!("capturing from {}", self.config.source);
        let mut held = match camera {
            Some(camera) => {
                self.pulse.expect_start(self.world.now());
                self.publish_ranges(camera.as_ref());
                Held::Open(camera)
            }
            None => Held::Absent,
        };
        let ended = loop {
            held = match held {
                Held::Open(mut camera) => {
                    let left = self.capture(camera.as_mut());
                    self.asker = None; // it will not come
                    let readings = self.report.readings();
                    self.report.set_readings(Readings::default());
                    match left {
                        Left::Stop => {
                            self.close(camera);
                            break Ended::Stopped;
                        }
                        Left::Outgrown => {
                            info!("camera: opening it again, for another sensor mode");
                            self.close(camera);
                            let opened = self.open();
                            self.hold(opened)
                        }
                        Left::Still(outcome) => {
                            let sensitivity = camera.sensitivity();
                            self.close(camera);
                            let still = self.take_still(&readings, sensitivity);
                            let _ = outcome.send(still); // whoever asked may have gone
                            let opened = self.open();
                            self.hold(opened)
                        }
                        Left::Stalled(reason) => {
                            error!("camera: {reason}");
                            match self.ladder.after_stall() {
                                Step::Restart => self.restart(camera),
                                Step::Reopen => {
                                    self.close(camera);
                                    self.reopen()
                                }
                                Step::GiveUp => {
                                    abandon(camera);
                                    break Ended::GaveUp(reason);
                                }
                            }
                        }
                        Left::Failed(error) if error.is_absence() => {
                            self.close(camera);
                            warn!("camera: {error}; waiting for it");
                            Held::Absent
                        }
                        // One more failure after a reopening that worked: not at once, it would fail for ever.
                        Left::Failed(error) if self.ladder.has_reopened() => {
                            self.close(camera);
                            Held::Broken(error.to_string())
                        }
                        Left::Failed(error) => {
                            error!("camera: {error}");
                            self.close(camera);
                            self.reopen()
                        }
                    }
                }
                Held::Broken(reason) => {
                    error!("camera: {reason}");
                    if self.ladder.after_error() == Step::GiveUp {
                        break Ended::GaveUp(reason);
                    }
                    match self.idle(REOPEN_PAUSE) {
                        Next::Continue => self.reopen(),
                        Next::Stop => break Ended::Stopped,
                    }
                }
                Held::Absent => match self.idle(SEARCH_PAUSE) {
                    Next::Continue => self.search(),
                    Next::Stop => break Ended::Stopped,
                },
            };
        };
        self.pulse.beat(Phase::Ended, self.world.now());
        ended
    }

    /// Delivers frames until it is told to stop, or a step is due.
    fn capture(&mut self, camera: &mut dyn Camera) -> Left {
        loop {
            self.pulse.beat(Phase::Capturing, self.world.now());
            if let Err(left) = self.run_commands(camera) {
                return left;
            }
            let frame = match camera.next_frame(PATIENCE) {
                Ok(frame) => frame,
                Err(error) => return Left::Failed(error),
            };
            let now = self.world.now();
            let hidden = self.stalled.is_some_and(|until| now < until);
            if let Some(frame) = frame.filter(|_| !hidden) {
                self.deliver_if_fresh(frame, now);
            }
            self.deliver_still(camera);
            if self.pulse.is_overdue(now) {
                let silence = self.pulse.silence(now).as_secs_f64();
                return Left::Stalled(format!("nothing new for {silence:.1} s"));
            }
        }
    }

    fn deliver_if_fresh(&mut self, mut frame: Frame, now: Timestamp) {
        let numbered = self.numbers.number(frame.sequence, frame.captured, now);
        let Some(numbered) = numbered else {
            self.metrics.frames_stale.inc();
            return;
        };
        frame.sequence = numbered.number;
        if frame.captured != numbered.captured {
            (frame.captured, frame.unix) = (numbered.captured, numbered.captured.unix());
        }
        frame.readings.change = frame.readings.change.max(self.opened_with);
        self.pulse.frame(now);
        self.ladder.frame(now, self.pulse.patience());
        self.metrics.frames_captured.inc();
        self.metrics.frames_lost.inc_by(numbered.lost);
        self.report.set_readings(frame.readings);
        (self.deliver)(frame);
    }

    /// Carries out the commands that are waiting.
    fn run_commands(&mut self, camera: &mut dyn Camera) -> Result<(), Left> {
        loop {
            let command = match self.commands.try_recv() {
                Ok(command) => command,
                Err(TryRecvError::Empty) => return Ok(()),
                Err(TryRecvError::Disconnected) => return Err(Left::Stop),
            };
            match self.remember(command) {
                Change::Stop => return Err(Left::Stop),
                Change::Still(asker) => {
                    if let Some(asker) = self.order_still(camera, asker) {
                        return Err(Left::Still(asker));
                    }
                }
                Change::Controls(changed) => {
                    camera.apply(&self.requested, &changed, self.change)?;
                }
                Change::Rate => {
                    if !camera.set_rate(self.config.rate)? {
                        return Err(Left::Outgrown);
                    }
                    self.numbers.restart();
                    self.publish_ranges(camera);
                }
                Change::Nothing => {}
            }
        }
    }

    /// Takes over what a command asks for; what that changes for an open camera is left to the caller.
    fn remember(&mut self, command: Command) -> Change {
        match command {
            Command::Stop => Change::Stop,
            Command::Stall(span) => {
                warn!("camera: frames are held back for {span:?} (/debug/stall)");
                self.stalled = Some(self.world.now().after(span));
                Change::Nothing
            }
            Command::Hang => {
                warn!("camera: hangs (/debug/hang)");
                loop {
                    std::thread::park();
                }
            }
            Command::Apply {
                requested,
                changed,
                number,
            } => {
                (self.requested, self.change) = (requested, number);
                Change::Controls(changed)
            }
            Command::Still(outcome) => Change::Still(outcome),
            Command::Rate(rate) => {
                self.config.rate = rate;
                self.pulse.set_interval(self.world.now(), interval(rate));
                Change::Rate
            }
        }
    }

    fn restart(&mut self, mut camera: Box<dyn Camera>) -> Held {
        warn!("camera: restarting the capture");
        self.metrics.recovered("restart");
        self.numbers.restart();
        self.pulse.beat(Phase::Restarting, self.world.now());
        let restarted = camera.restart();
        self.ladder.took(Step::Restart);
        self.pulse.expect_start(self.world.now());
        match restarted {
            Ok(()) => Held::Open(camera),
            Err(error) => {
                self.close(camera);
                Held::Broken(error.to_string())
            }
        }
    }

    fn reopen(&mut self) -> Held {
        warn!("camera: opening it again");
        self.metrics.recovered("reopen");
        let opened = self.open();
        self.ladder.took(Step::Reopen);
        self.hold(opened)
    }

    /// What there is of a camera that was to be opened again.
    fn hold(&self, opened: Result<Box<dyn Camera>, CameraError>) -> Held {
        match opened {
            Ok(camera) => Held::Open(camera),
            Err(error) if error.is_absence() => {
                warn!("camera: {error}; waiting for it");
                Held::Absent
            }
            Err(error) => Held::Broken(error.to_string()),
        }
    }

    /// Searches for the camera that was not there.
    fn search(&mut self) -> Held {
        match self.open() {
            Ok(camera) => {
                info!("camera: found");
                self.ladder.appeared();
                Held::Open(camera)
            }
            Err(error) if error.is_absence() => Held::Absent,
            Err(error) => Held::Broken(error.to_string()),
        }
    }

    fn open(&mut self) -> Result<Box<dyn Camera>, CameraError> {
        self.pulse.beat(Phase::Opening, self.world.now());
        let last = self.numbers.newest();
        let camera = self.world.open(&self.config, &self.requested, last)?;
        self.opened_with = self.change;
        self.numbers.restart();
        self.pulse.expect_start(self.world.now());
        self.publish_ranges(camera.as_ref());
        Ok(camera)
    }

    /// The ranges stay published while the camera is closed: /set refuses what it would not take once it is open again.
    fn close(&mut self, camera: Box<dyn Camera>) {
        self.pulse.beat(Phase::Closing, self.world.now());
        drop(camera);
    }

    fn publish_ranges(&self, camera: &dyn Camera) {
        let ranges = camera.ranges();
        self.report.set_ranges(ranges);
        if let Err(error) = ranges.check(&ranges.applicable(&self.requested)) {
            warn!("controls: {error}; the camera takes the nearest");
        }
    }

    /// Takes commands for `span`, without a camera.
    fn idle(&mut self, span: Duration) -> Next {
        let until = self.world.now().after(span);
        loop {
            let now = self.world.now();
            self.pulse.beat(Phase::Waiting, now);
            match self.world.wait(&self.commands, until.since(now)) {
                Ok(command) => match self.remember(command) {
                    Change::Stop => return Next::Stop,
                    Change::Still(outcome) => {
                        let _ = outcome.send(Err("the camera is not there".into()));
                    }
                    Change::Controls(_) | Change::Rate | Change::Nothing => {}
                },
                Err(RecvTimeoutError::Timeout) => return Next::Continue,
                Err(RecvTimeoutError::Disconnected) => return Next::Stop,
            }
        }
    }
}

/// Leaves the camera open: what does not answer may not close either, and the process ends.
fn abandon(camera: Box<dyn Camera>) {
    std::mem::forget(camera);
}

/// What a command changes for an open camera.
#[allow(
    clippy::large_enum_variant,
    reason = "one lives at a time, for a moment"
)]
enum Change {
    Stop,
    Controls(controls::Set),
    Still(Asker),
    Rate,
    Nothing,
}

#[cfg(test)]
mod script;
#[cfg(test)]
mod tests;
