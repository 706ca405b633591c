//! The camera of this machine, through libcamera.
//!
//! Everything of libcamera lives on the capture thread. Completed requests and pictures that nobody looks at any
//! more come back over one channel; requests are queued from that thread only, for queueing inside the completion
//! callback deadlocks. A picture goes to the encoder in the very buffer that the camera wrote.

mod beside;
mod buffers;
mod choice;
mod configuration;
mod control;
mod delay;
mod derived;
mod divider;
mod files;
mod hurry;
mod lent;
mod machine;
mod memory;
mod opening;
mod pace;
mod sensor;
mod timing;
mod tuning;
mod version;

pub use version::versions;

use super::{Camera, CameraError, Frame, Lens, Readings};
use crate::clock::Timestamp;
use crate::config::CameraConfig;
use crate::controls::{Ranges, Set};
use crate::picture::Turn;
use beside::Beside;
use buffers::{failed, filled};
use choice::Mode;
use control::Controls;
use delay::Delay;
use lent::{Lent, Slot};
use libcamera::camera::ActiveCamera;
use libcamera::camera_manager::CameraManager;
use libcamera::control::ControlList;
use libcamera::request::{Request, RequestStatus, ReuseFlag};
use libcamera::stream::Stream;
use log::{info, warn};
use machine::Machine;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};
use timing::Timing;

/// Tells libcamera where its data is, how patient it is to be, and how much to log. Call it before any thread runs.
pub fn prepare(config: &CameraConfig) {
    let machine = Machine::this();
    let mut variables = machine.environment();
    variables.extend(machine.files(config));
    let level = match log::max_level() {
        log::LevelFilter::Trace => "*:DEBUG",
        log::LevelFilter::Debug => "*:INFO",
        log::LevelFilter::Off => "*:FATAL",
        log::LevelFilter::Error => "*:ERROR",
        log::LevelFilter::Warn | log::LevelFilter::Info => "*:WARN",
    };
    let logging = [
        ("LIBCAMERA_LOG_LEVELS", level),
        ("LIBCAMERA_LOG_NO_COLOR", "1"),
    ];
    variables.extend(
        logging
            .into_iter()
            .filter(|(name, _)| std::env::var_os(name).is_none())
            .map(|(name, value)| (name, value.into())),
    );
    for (name, value) in variables {
        // SAFETY: no other thread runs yet, as asked for above.
        unsafe { std::env::set_var(name, value) };
    }
}

/// What comes back to the capture thread.
enum Event {
    Completed(Request),
    /// The picture of the request with this cookie is looked at no longer; with the number of the requests, the still.
    Returned(usize),
}

impl From<usize> for Event {
    fn from(index: usize) -> Self {
        Self::Returned(index)
    }
}

/// Fields drop in this order: requests, camera, manager.
pub(super) struct Libcamera {
    /// Completed requests whose pictures are looked at, by cookie.
    lent: Vec<Option<Request>>,
    /// Requests that are to be queued.
    idle: VecDeque<Request>,
    beside: Option<Beside>,
    events: Receiver<Event>,
    sender: Sender<Event>,
    camera: ActiveCamera<'static>,
    _manager: CameraManager,
    slots: Vec<Arc<Slot>>,
    stream: Stream,
    controls: Controls,
    config: CameraConfig,
    model: String,
    mode: Option<Mode>,
    requested: Set,
    /// Controls for the next request.
    changed: Option<Set>,
    delay: Delay,
    timing: Timing,
    left: Turn,
}

impl Libcamera {
    /// How its pictures are still to be turned.
    pub(super) fn left_to_turn(&self) -> Turn {
        self.left
    }

    /// Starts the capture with everything that is requested.
    fn start(&mut self) -> Result<(), CameraError> {
        let mut list = ControlList::new();
        // A scan that was asked for is made now: a restarted camera has forgotten where it focused.
        self.controls
            .write(&mut list, &self.requested, &self.requested);
        self.timing.restart(Instant::now());
        if let Some(limits) = self.timing.news() {
            self.controls.write_limits(&mut list, limits);
        }
        self.changed = None;
        self.delay.restart();
        if let Some(beside) = &mut self.beside {
            beside.restart();
        }
        self.camera
            .start(Some(&list))
            .map_err(failed("starting the camera"))?;
        self.queue()
    }

    /// How many requests the camera has.
    fn under_way(&self) -> usize {
        self.slots.len() - self.here()
    }

    /// How many requests it does not have.
    fn here(&self) -> usize {
        let parked = self.beside.as_ref().is_some_and(Beside::is_parked);
        self.idle.len() + self.lent.iter().flatten().count() + usize::from(parked)
    }

    /// Keeps a request that nobody needs until it is queued again.
    fn put_back(&mut self, request: Request) {
        match &mut self.beside {
            Some(beside) if beside.owns(request.cookie()) => beside.park(request),
            _ => self.idle.push_back(request),
        }
    }

    /// A picture is looked at no longer.
    fn returned(&mut self, index: usize) {
        let index = index.min(self.slots.len() - 1); // the still is of the last request
        if let Some(beside) = &mut self.beside
            && beside.owns(index as u64)
            && !beside.returned()
        {
            return;
        }
        if let Some(request) = self.lent[index].take() {
            self.put_back(request);
        }
    }

    /// Gives the idle requests to the camera, as far as they are due.
    fn queue(&mut self) -> Result<(), CameraError> {
        let due = self.beside.as_mut().and_then(Beside::due);
        if let Some(request) = due {
            self.idle.push_front(request);
        }
        while !self.idle.is_empty() && self.timing.may_queue(Instant::now(), self.under_way()) {
            let Some(mut request) = self.idle.pop_front() else {
                break;
            };
            request.reuse(ReuseFlag::REUSE_BUFFERS);
            if let Some(changed) = self.changed.take() {
                self.controls
                    .write(request.controls_mut(), &self.requested, &changed);
            }
            self.delay.queue(request.cookie());
            if let Some(limits) = self.timing.news() {
                self.controls.write_limits(request.controls_mut(), limits);
            }
            if let Err((request, reason)) = self.camera.queue_request(request) {
                self.put_back(request);
                return Err(failed("queueing a request")(reason));
            }
        }
        Ok(())
    }

    /// The frame in a completed request, if it is one for the stream. The others are queued again.
    fn take(&mut self, request: Request) -> Option<Frame> {
        let now = Instant::now();
        if self.timing.came(now) {
            info!("camera: ignores FrameDurationLimits, paced in software");
        }
        let index = request.cookie() as usize;
        let filled = filled(&request, &self.stream);
        let good = filled.filter(|(_, good)| *good).map(|(time, _)| time);
        let mut readings = control::readings(request.metadata());
        readings.change = self.delay.complete(request.cookie());
        let picked = good.and_then(|time| {
            let time = readings.sensor_timestamp.map_or(time, |time| time as u64);
            let took = readings.frame_duration;
            let took = took.map(|microseconds| Duration::from_micros(microseconds.unsigned_abs()));
            let searching = readings.is_searching();
            Some((self.timing.pick(now, time, took, searching)?, time))
        });
        let still = self.take_still(&request, readings);
        let (Some((sequence, time)), Some(slot)) = (picked, self.slots.get(index)) else {
            match still {
                true => self.lent[index] = Some(request),
                false => self.put_back(request),
            }
            return None;
        };
        if let Some(beside) = &mut self.beside
            && beside.owns(index as u64)
        {
            beside.lend();
        }
        let (width, height) = (slot.layout.width, slot.layout.height);
        let planes = Lent::new(Arc::clone(slot), self.sender.clone(), index);
        self.lent[index] = Some(request);
        let captured = Timestamp::from_sensor(time);
        Some(Frame {
            sequence,
            captured,
            unix: captured.unix(),
            width,
            height,
            planes: Arc::new(planes),
            readings,
        })
    }

    /// Takes the still out of a completed request, if one came with it.
    fn take_still(&mut self, request: &Request, readings: Readings) -> bool {
        match &mut self.beside {
            Some(beside) if beside.owns(request.cookie()) => {
                beside.take(request, readings, &self.sender, self.slots.len())
            }
            _ => false,
        }
    }
}

impl Camera for Libcamera {
    fn next_frame(&mut self, patience: Duration) -> Result<Option<Frame>, CameraError> {
        let deadline = Instant::now() + patience;
        loop {
            self.queue()?;
            let until = match self.timing.due(self.under_way()) {
                Some(due) if !self.idle.is_empty() => deadline.min(due),
                _ => deadline,
            };
            let left = until.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(Event::Completed(request)) if request.status() != RequestStatus::Complete => {
                    self.put_back(request);
                    return Err(CameraError::Failed {
                        what: "capturing",
                        reason: "libcamera cancelled its requests".into(),
                    });
                }
                Ok(Event::Completed(request)) => {
                    let frame = self.take(request);
                    if frame.is_some() {
                        return Ok(frame);
                    }
                }
                Ok(Event::Returned(index)) => self.returned(index),
                // Not disconnected: there is a sender in self. The time is over, or a request is due: what was set until now
                // is to go with it.
                Err(_) => return Ok(None),
            }
        }
    }

    fn apply(&mut self, requested: &Set, changed: &Set, number: u64) -> Result<(), CameraError> {
        self.requested = *requested;
        self.delay.take(number);
        match &mut self.changed {
            Some(waiting) => waiting.merge(changed), // two sets between two frames
            none => *none = Some(*changed),
        }
        self.timing.hurry(Instant::now());
        Ok(())
    }

    fn set_rate(&mut self, rate: f64) -> Result<bool, CameraError> {
        self.config.rate = rate;
        self.timing.set_rate(rate);
        Ok(configuration::mode(&self.config, &self.model) == self.mode)
    }

    fn restart(&mut self) -> Result<(), CameraError> {
        self.camera.stop().map_err(failed("stopping the camera"))?;
        // What was under way has been cancelled; what is looked at comes back later.
        while let Ok(event) = self.events.try_recv() {
            match event {
                Event::Completed(request) => self.put_back(request),
                Event::Returned(index) => self.returned(index),
            }
        }
        let lost = self.under_way();
        if lost > 0 {
            return Err(CameraError::Failed {
                what: "restarting the camera",
                reason: format!("libcamera lost {lost} requests"),
            });
        }
        self.start()
    }

    fn order_still(&mut self) -> bool {
        self.beside.as_mut().map(Beside::order).is_some()
    }

    fn still(&mut self) -> Option<Frame> {
        self.beside.as_mut()?.still()
    }

    fn sensitivity(&self) -> f64 {
        self.mode.map_or(1.0, choice::sensitivity)
    }

    fn lens(&self) -> Option<Lens> {
        choice::lens(&self.model)
    }

    fn ranges(&self) -> Ranges {
        self.controls.ranges(self.timing.longest())
    }
}

impl Drop for Libcamera {
    fn drop(&mut self) {
        if let Err(error) = self.camera.stop() {
            warn!("camera: not stopped: {error}");
        }
        // The requests that have come back go before their camera; the others are inside it.
        while self.events.try_recv().is_ok() {}
    }
}
