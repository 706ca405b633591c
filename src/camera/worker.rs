//! What the capture thread does: takes frames from the camera, carries out commands, and takes the steps of the
//! recovery ladder.

use super::recovery::{Ladder, Step};
use super::remote::{Command, Known};
use super::{Camera, CameraError, Frame, Phase, Pulse, Readings, open};
use crate::clock::Timestamp;
use crate::config::CameraConfig;
use crate::controls;
use crate::metrics::Metrics;
use log::{error, info, warn};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

/// How long the thread waits for a frame before it looks at its commands again; a stop takes no longer.
const PATIENCE: Duration = Duration::from_millis(200);
/// Between two attempts to open a camera that fails.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);
/// Between two looks for a camera that is not there; each makes libcamera search all devices.
const LOOK_PAUSE: Duration = Duration::from_secs(2);

/// What the worker needs of the machine; the tests script it.
pub(super) trait World {
    fn now(&self) -> Timestamp;

    fn open(
        &mut self,
        config: &CameraConfig,
        requested: &controls::Set,
        last: u64,
    ) -> Result<Box<dyn Camera>, CameraError>;

    /// Waits for a command, at most `span`.
    fn wait(
        &mut self,
        commands: &Receiver<Command>,
        span: Duration,
    ) -> Result<Command, RecvTimeoutError>;
}

/// The machine itself.
pub(super) struct Machine;

impl World for Machine {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn open(
        &mut self,
        config: &CameraConfig,
        requested: &controls::Set,
        last: u64,
    ) -> Result<Box<dyn Camera>, CameraError> {
        open(config, requested, last)
    }

    fn wait(
        &mut self,
        commands: &Receiver<Command>,
        span: Duration,
    ) -> Result<Command, RecvTimeoutError> {
        commands.recv_timeout(span)
    }
}

/// Numbers frames through all restarts of their source.
#[derive(Default)]
pub(super) struct Numbers {
    newest: u64,
    /// What is added to the source's numbers; unknown until its first frame.
    offset: Option<u64>,
}

impl Numbers {
    /// The number for the source's frame `sequence`, and how many frames were lost before it.
    fn next(&mut self, sequence: u64) -> (u64, u64) {
        let expected = self.newest + 1;
        let continued = self.offset.map(|offset| sequence + offset);
        let (number, lost) = match continued.filter(|number| *number >= expected) {
            Some(number) => (number, number - expected),
            None => {
                // A source that goes on keeps its numbers: they may be in the picture, too.
                self.offset = Some(expected.saturating_sub(sequence));
                (expected.max(sequence), 0)
            }
        };
        self.newest = number;
        (number, lost)
    }

    /// The source may count anew.
    fn restart(&mut self) {
        self.offset = None;
    }
}

/// How the worker ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was told to.
    Stopped,
    /// Nothing helped.
    GaveUp(String),
}

pub(super) struct Worker<W> {
    pub(super) world: W,
    pub(super) config: CameraConfig,
    pub(super) requested: controls::Set,
    pub(super) commands: Receiver<Command>,
    pub(super) known: Arc<Known>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) deliver: Box<dyn FnMut(Frame) + Send>,
    pub(super) numbers: Numbers,
    /// Until when the camera is to seem to deliver nothing.
    pub(super) stalled: Option<Timestamp>,
}

/// Whether the thread goes on.
#[derive(PartialEq, Eq)]
enum Next {
    Continue,
    Stop,
}

/// What there is of the camera.
enum State {
    Open(Box<dyn Camera>),
    /// It is not there, and waited for.
    Absent,
    /// It could not be opened or restarted, for this reason.
    Broken(String),
}

/// Why the capturing loop was left.
enum Left {
    Stop,
    Due(Step, String),
}

impl<W: World> Worker<W> {
    /// Captures from `camera`, or from the one that is waited for, until it is told to stop or nothing helps.
    pub(super) fn run(mut self, camera: Option<Box<dyn Camera>>) -> Ended {
        info!("capturing from {}", self.config.source);
        let mut ladder = Ladder::new(self.world.now(), self.interval());
        let mut state = match camera {
            Some(camera) => {
                self.learn(camera.as_ref());
                State::Open(camera)
            }
            None => State::Absent,
        };
        let ended = loop {
            state = match state {
                State::Open(mut camera) => match self.capture(camera.as_mut(), &mut ladder) {
                    Left::Stop => {
                        self.close(camera);
                        break Ended::Stopped;
                    }
                    Left::Due(step, reason) => {
                        error!("camera: {reason}");
                        self.known.set_readings(Readings::default());
                        match step {
                            Step::Restart => self.restart(camera, &mut ladder),
                            Step::Reopen => {
                                self.close(camera);
                                self.reopen(&mut ladder)
                            }
                            // Not closed: what does not answer may not close either, and the process ends.
                            Step::GiveUp => {
                                std::mem::forget(camera);
                                break Ended::GaveUp(reason);
                            }
                        }
                    }
                },
                State::Broken(reason) => {
                    error!("camera: {reason}");
                    if ladder.after_error() == Step::GiveUp {
                        break Ended::GaveUp(reason);
                    }
                    match self.idle(REOPEN_PAUSE, &mut ladder) {
                        Next::Continue => self.reopen(&mut ladder),
                        Next::Stop => break Ended::Stopped,
                    }
                }
                State::Absent => match self.idle(LOOK_PAUSE, &mut ladder) {
                    Next::Continue => self.look(&mut ladder),
                    Next::Stop => break Ended::Stopped,
                },
            };
        };
        self.pulse.beat(Phase::Ended, self.world.now());
        ended
    }

    /// Delivers frames until it is told to stop or a step is due.
    fn capture(&mut self, camera: &mut dyn Camera, ladder: &mut Ladder) -> Left {
        loop {
            self.pulse.beat(Phase::Capturing, self.world.now());
            match self.attend(camera, ladder) {
                Ok(Next::Continue) => {}
                Ok(Next::Stop) => return Left::Stop,
                Err(error) => return Left::Due(ladder.after_error(), error.to_string()),
            }
            let frame = match camera.next_frame(PATIENCE) {
                Ok(frame) => frame,
                Err(error) => return Left::Due(ladder.after_error(), error.to_string()),
            };
            let now = self.world.now();
            let hidden = self.stalled.is_some_and(|until| now < until);
            if let Some(frame) = frame.filter(|_| !hidden) {
                self.hand_on(frame, camera.readings(), ladder, now);
            }
            if let Some(step) = ladder.due(now) {
                let silence = self.pulse.silence(now).unwrap_or_default().as_secs_f64();
                return Left::Due(step, format!("nothing new for {silence:.1} s"));
            }
        }
    }

    /// Delivers a frame, if it is fresh.
    fn hand_on(
        &mut self,
        mut frame: Frame,
        readings: Readings,
        ladder: &mut Ladder,
        now: Timestamp,
    ) {
        if !ladder.frame(now, frame.sequence, frame.captured) {
            self.metrics.frames_stale.inc();
            return;
        }
        self.pulse.frame(now);
        let (number, lost) = self.numbers.next(frame.sequence);
        frame.sequence = number;
        self.metrics.frames_captured.inc();
        self.metrics.frames_lost.inc_by(lost);
        self.known.set_readings(readings);
        (self.deliver)(frame);
    }

    /// Carries out the commands that are waiting.
    fn attend(
        &mut self,
        camera: &mut dyn Camera,
        ladder: &mut Ladder,
    ) -> Result<Next, CameraError> {
        loop {
            let command = match self.commands.try_recv() {
                Ok(command) => command,
                Err(TryRecvError::Empty) => return Ok(Next::Continue),
                Err(TryRecvError::Disconnected) => return Ok(Next::Stop),
            };
            match self.note(command, ladder) {
                Noted::Stop => return Ok(Next::Stop),
                Noted::News(news) => camera.apply(&self.requested, &news)?,
                Noted::Rate => {
                    camera.set_rate(self.config.rate)?;
                    self.numbers.restart();
                    self.learn(camera);
                }
                Noted::Nothing => {}
            }
        }
    }

    /// Remembers what a command asks for.
    fn note(&mut self, command: Command, ladder: &mut Ladder) -> Noted {
        match command {
            Command::Stop => Noted::Stop,
            Command::Stall(span) => {
                warn!("camera: seems to deliver nothing for {span:?}, as asked");
                self.stalled = Some(self.world.now().after(span));
                Noted::Nothing
            }
            Command::Hang => {
                warn!("camera: hangs, as asked");
                loop {
                    std::thread::park();
                }
            }
            Command::Apply { requested, news } => {
                self.requested = requested;
                Noted::News(news)
            }
            Command::Rate(rate) => {
                self.config.rate = rate;
                ladder.set_interval(self.world.now(), self.interval());
                Noted::Rate
            }
        }
    }

    fn restart(&mut self, mut camera: Box<dyn Camera>, ladder: &mut Ladder) -> State {
        warn!("camera: restarting the capture");
        self.metrics.recovered("restart");
        self.numbers.restart();
        self.pulse.beat(Phase::Restarting, self.world.now());
        let restarted = camera.restart();
        ladder.took(Step::Restart, self.world.now());
        match restarted {
            Ok(()) => State::Open(camera),
            Err(error) => {
                self.close(camera);
                State::Broken(error.to_string())
            }
        }
    }

    fn reopen(&mut self, ladder: &mut Ladder) -> State {
        warn!("camera: opening it again");
        self.metrics.recovered("reopen");
        self.numbers.restart();
        let opened = self.open();
        ladder.took(Step::Reopen, self.world.now());
        match opened {
            Ok(camera) => State::Open(camera),
            Err(error) if error.is_absence() => {
                warn!("camera: {error}; waiting for it");
                State::Absent
            }
            Err(error) => State::Broken(error.to_string()),
        }
    }

    /// Looks whether the camera that was not there is there now.
    fn look(&mut self, ladder: &mut Ladder) -> State {
        match self.open() {
            Ok(camera) => {
                info!("camera: it is there");
                self.numbers.restart();
                ladder.appeared(self.world.now());
                State::Open(camera)
            }
            Err(error) if error.is_absence() => State::Absent,
            Err(error) => State::Broken(error.to_string()),
        }
    }

    fn open(&mut self) -> Result<Box<dyn Camera>, CameraError> {
        self.pulse.beat(Phase::Opening, self.world.now());
        let camera = self
            .world
            .open(&self.config, &self.requested, self.numbers.newest)?;
        self.learn(camera.as_ref());
        Ok(camera)
    }

    fn close(&mut self, camera: Box<dyn Camera>) {
        self.pulse.beat(Phase::Closing, self.world.now());
        drop(camera);
        self.known.set_limits(controls::Limits::default());
    }

    /// Takes over what the camera can do.
    fn learn(&self, camera: &dyn Camera) {
        let limits = camera.limits();
        self.known.set_limits(limits);
        if let Err(error) = limits.check(&limits.applicable(&self.requested)) {
            warn!("controls: {error}; the camera takes the nearest");
        }
    }

    /// Takes commands for `span`, without a camera.
    fn idle(&mut self, span: Duration, ladder: &mut Ladder) -> Next {
        let until = self.world.now().after(span);
        loop {
            let now = self.world.now();
            self.pulse.beat(Phase::Waiting, now);
            match self.world.wait(&self.commands, until.since(now)) {
                Ok(command) => {
                    if let Noted::Stop = self.note(command, ladder) {
                        return Next::Stop;
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Next::Continue,
                Err(RecvTimeoutError::Disconnected) => return Next::Stop,
            }
        }
    }

    fn interval(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.config.rate)
    }
}

/// What a command changes for an open camera.
enum Noted {
    Stop,
    News(controls::Set),
    Rate,
    Nothing,
}

#[cfg(test)]
mod script;
#[cfg(test)]
mod tests;
