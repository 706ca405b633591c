//! The capture thread: how it is started and ended. It owns the camera.

use super::remote::Report;
use super::worker::{CaptureWorker, Ended, ThisMachine, World};
use super::{CameraError, Frame, Remote};
use crate::config::{CameraConfig, Cores};
use crate::controls;
use crate::metrics::Metrics;
use crate::pulse::{Phase, Pulse};
use crate::system::affinity;
use log::{error, warn};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

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

/// What the capture thread works with.
pub struct CaptureJob {
    /// The source, its size and rate.
    pub config: CameraConfig,
    /// The controls' start values.
    pub requested: controls::Set,
    /// Where the thread runs.
    pub cores: Cores,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Where the thread reports its frames and that it is alive.
    pub pulse: Arc<Pulse>,
    /// Called with each fresh frame, on the thread.
    pub deliver: Box<dyn FnMut(Frame) + Send>,
}

/// The running capture thread. It stops when told to through the [`Remote`].
pub struct Capture {
    thread: JoinHandle<()>,
}

impl Capture {
    /// Opens the source on a thread of its own and captures there. A camera that is not there is waited for. `give_up`
    /// is called with the reason when nothing helps any more and the process should end.
    ///
    /// # Errors
    /// The source cannot be opened; nothing runs then.
    pub fn start(
        job: CaptureJob,
        give_up: impl FnOnce(String) + Send + 'static,
    ) -> Result<(Self, Remote), CaptureError> {
        let (sender, commands) = mpsc::channel();
        let (opened, outcome) = mpsc::channel();
        let report = Arc::new(Report::default());
        let remote = Remote::new(sender, job.requested, Arc::clone(&report));
        let thread = std::thread::Builder::new()
            .name("capture".into())
            .spawn(move || {
                affinity::pin_this_thread(affinity::Role::Capture, &job.cores);
                let mut world = ThisMachine;
                let camera = match world.open(&job.config, &job.requested, 0) {
                    Ok(camera) => Some(camera),
                    Err(error @ (CameraError::Absent { .. } | CameraError::Unavailable(_))) => {
                        warn!("camera: {error}; waiting for it");
                        None
                    }
                    Err(error) => {
                        job.pulse.beat(Phase::Ended, world.now());
                        return drop(opened.send(Err(error)));
                    }
                };
                let _ = opened.send(Ok(())); // fails only if start() is gone, and it waits
                let worker = CaptureWorker::new(world, job, commands, report);
                if let Ended::GaveUp(reason) = worker.run(camera) {
                    give_up(reason);
                }
            })?;
        match outcome.recv() {
            Ok(opened) => opened?,
            Err(_) => {
                return Err(std::io::Error::other("it ended while it opened the camera").into());
            }
        }
        Ok((Self { thread }, remote))
    }

    /// Waits until the thread has ended.
    pub fn join(self) {
        if self.thread.join().is_err() {
            error!("the capture thread panicked");
        }
    }
}
