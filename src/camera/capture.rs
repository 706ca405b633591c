//! The capture thread: owns the camera, carries out what the remote asks, and hands each frame on.

use super::{Camera, CameraError, Frame, open};
use crate::config::{CameraConfig, Cores};
use crate::controls;
use crate::system::affinity;
use log::{error, info, warn};
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the thread waits for a frame before it looks at its commands again; a stop takes no longer.
const PATIENCE: Duration = Duration::from_millis(200);
/// Between two attempts to open a source that failed.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);

/// What the capture thread can be asked for.
enum Command {
    Apply(controls::Set),
    Rate(f64),
    Stall(Duration),
    Stop,
}

/// Why capturing did not start.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The source cannot be opened.
    #[error(transparent)]
    Camera(#[from] CameraError),
    /// The system gave no thread.
    #[error("cannot start the capture thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// The running capture thread. It stops when told to through the [`Remote`].
pub struct Capture {
    thread: JoinHandle<()>,
}

/// Changes a running camera from other threads, and remembers what was asked of it.
pub struct Remote {
    commands: Mutex<Sender<Command>>,
    requested: Mutex<controls::Set>,
}

impl Capture {
    /// Opens the source on a thread of its own, pinned to `cores`, and calls `deliver` there with each frame.
    ///
    /// # Errors
    /// The source cannot be opened; nothing runs then.
    pub fn start(
        config: &CameraConfig,
        requested: &controls::Set,
        cores: &Cores,
        deliver: impl Fn(Frame) + Send + 'static,
    ) -> Result<(Self, Remote), CaptureError> {
        let (commands, received) = mpsc::channel();
        let (opened, outcome) = mpsc::channel();
        let worker = Worker {
            config: config.clone(),
            requested: *requested,
            commands: received,
        };
        let cores = cores.clone();
        let thread = std::thread::Builder::new()
            .name("capture".into())
            .spawn(move || {
                affinity::pin_this_thread(affinity::Role::Capture, &cores);
                match open(&worker.config, &worker.requested) {
                    Ok(camera) => {
                        let _ = opened.send(Ok(())); // fails only if start() is gone, and it waits
                        worker.run(camera, deliver);
                    }
                    Err(error) => drop(opened.send(Err(error))),
                }
            })?;
        match outcome.recv() {
            Ok(opened) => opened?,
            Err(_) => {
                return Err(std::io::Error::other("it ended while it opened the camera").into());
            }
        }
        let remote = Remote {
            commands: Mutex::new(commands),
            requested: Mutex::new(*requested),
        };
        Ok((Self { thread }, remote))
    }

    /// Waits until the thread has ended.
    pub fn join(self) {
        if self.thread.join().is_err() {
            error!("the capture thread panicked");
        }
    }
}

impl Remote {
    /// Merges `set` into what is requested and hands all of it to the camera, which takes it over with one of
    /// its next frames. Returns what is requested now.
    pub fn apply(&self, set: &controls::Set) -> controls::Set {
        let mut requested = self
            .requested
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        requested.merge(set);
        self.send(Command::Apply(*requested));
        *requested
    }

    /// Requests `set` instead of all that was requested before.
    pub fn replace(&self, set: controls::Set) {
        let mut requested = self
            .requested
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *requested = set;
        self.send(Command::Apply(set)); // under the lock, so that the camera is told in the same order
    }

    /// What is requested now.
    pub fn requested(&self) -> controls::Set {
        *self
            .requested
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Captures `rate` frames a second from now on.
    pub fn set_rate(&self, rate: f64) {
        self.send(Command::Rate(rate));
    }

    /// Lets the source deliver nothing for `span`, as a camera that hangs would.
    pub fn stall(&self, span: Duration) {
        self.send(Command::Stall(span));
    }

    /// Ends the capture thread.
    pub fn stop(&self) {
        self.send(Command::Stop);
    }

    fn send(&self, command: Command) {
        let commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = commands.send(command); // the thread is gone when picam stops: nobody to tell
    }
}

struct Worker {
    config: CameraConfig,
    requested: controls::Set,
    commands: Receiver<Command>,
}

/// Whether the thread goes on.
enum Next {
    Continue,
    Stop,
}

impl Worker {
    fn run(mut self, mut camera: Box<dyn Camera>, deliver: impl Fn(Frame)) {
        info!("capturing from {}", self.config.source);
        loop {
            match self.capture(camera.as_mut(), &deliver) {
                Ok(()) => return,
                Err(error) => error!("camera: {error}"),
            }
            drop(camera);
            camera = match self.reopen() {
                Some(camera) => camera,
                None => return,
            };
        }
    }

    /// Delivers frames until it is told to stop.
    fn capture(
        &mut self,
        camera: &mut dyn Camera,
        deliver: &impl Fn(Frame),
    ) -> Result<(), CameraError> {
        loop {
            loop {
                match self.commands.try_recv() {
                    Ok(command) => match self.carry_out(command, Some(camera))? {
                        Next::Continue => {}
                        Next::Stop => return Ok(()),
                    },
                    Err(TryRecvError::Empty) => break,
                    Err(TryRecvError::Disconnected) => return Ok(()),
                }
            }
            if let Some(frame) = camera.next_frame(PATIENCE)? {
                deliver(frame);
            }
        }
    }

    /// Opens the source again until that works; `None` if it is told to stop meanwhile.
    fn reopen(&mut self) -> Option<Box<dyn Camera>> {
        loop {
            if let Next::Stop = self.idle(REOPEN_PAUSE) {
                return None;
            }
            match open(&self.config, &self.requested) {
                Ok(camera) => {
                    info!("camera: opened again");
                    return Some(camera);
                }
                Err(error) => warn!("camera: still not there: {error}"),
            }
        }
    }

    /// Takes commands for `span`, and no frames.
    fn idle(&mut self, span: Duration) -> Next {
        let until = Instant::now() + span;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.commands.recv_timeout(left) {
                Ok(command) => match self.carry_out(command, None) {
                    Ok(Next::Continue) | Err(_) => {} // without a camera nothing can fail
                    Ok(Next::Stop) => return Next::Stop,
                },
                Err(mpsc::RecvTimeoutError::Timeout) => return Next::Continue,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Next::Stop,
            }
        }
    }

    fn carry_out(
        &mut self,
        command: Command,
        camera: Option<&mut dyn Camera>,
    ) -> Result<Next, CameraError> {
        match command {
            Command::Stop => return Ok(Next::Stop),
            Command::Stall(span) => {
                warn!("camera: delivers nothing for {span:?}, as asked");
                let next = self.idle(span);
                if let Some(camera) = camera {
                    camera.apply(&self.requested)?; // what was asked for meanwhile
                    camera.set_rate(self.config.rate)?;
                }
                return Ok(next);
            }
            Command::Apply(requested) => {
                self.requested = requested;
                if let Some(camera) = camera {
                    camera.apply(&self.requested)?;
                }
            }
            Command::Rate(rate) => {
                self.config.rate = rate;
                if let Some(camera) = camera {
                    camera.set_rate(rate)?;
                }
            }
        }
        Ok(Next::Continue)
    }
}
