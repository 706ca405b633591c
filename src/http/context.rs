//! What the requests' answers are made from.

use super::{Guard, Seats};
use crate::camera::Remote;
use crate::clock::Timestamp;
use crate::config::{Config, Saved};
use crate::feed::Feed;
use crate::focus::Comparison;
use crate::hub::Hub;
use crate::jpeg::{self, Singles, Stills};
use crate::log_limit::LogLimit;
use crate::metrics::{Metrics, Sample};
use crate::pulse::{Pulse, Verdict};
use crate::sync::{lock, read, write};
use crate::system::sandbox::Sandbox;
use crate::system::starts::last_starts;
use crate::system::update::last_check;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

/// JPEGs of one size.
#[derive(Clone)]
pub struct Rendition {
    /// Columns.
    pub width: u32,
    /// Who wants one.
    pub feed: Arc<Feed>,
    /// The newest.
    pub hub: Arc<Hub>,
}

impl Rendition {
    /// Nobody wants one yet.
    pub fn new(width: u32) -> Self {
        Self {
            width,
            feed: Arc::default(),
            hub: Arc::default(),
        }
    }
}

/// Everything that answers may need; shared by all connections.
pub struct Context {
    /// The configuration in force; replaced when it is read again.
    pub config: RwLock<Arc<Config>>,
    /// JPEGs as large as the camera's pictures.
    pub full: Rendition,
    /// Smaller ones, by their width.
    pub smaller: Vec<Rendition>,
    /// JPEGs for one request alone.
    pub singles: Singles,
    /// Pictures with all the sensor's pixels.
    pub stills: Stills,
    /// Whether pictures flow.
    pub pulse: Arc<Pulse>,
    /// The camera's controls.
    pub remote: Arc<Remote>,
    /// How what was set is kept.
    pub saved: Saved,
    /// The focus beside the saved one, as it was looked at last.
    pub focus: Mutex<Option<Comparison>>,
    /// What of the encoder can be changed.
    pub encoder: Arc<jpeg::Settings>,
    /// All connections.
    pub guard: Arc<Guard>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Clients of `/stream`.
    pub streams: Seats,
    /// Clients of `/events`.
    pub events: Seats,
    /// When picam started.
    pub started: Instant,
    /// picam stops: streams end with their last boundary.
    pub stopping: AtomicBool,
    /// What picam has given up.
    pub sandbox: Sandbox,
    /// Whether /debug/… exists, which tests use.
    pub faults: bool,
    /// For the log of requests that cannot be parsed.
    pub malformed: LogLimit,
    /// For the log of what /set changes.
    pub set: LogLimit,
}

impl Context {
    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&read(&self.config))
    }

    /// Puts another configuration in force.
    pub fn set_config(&self, config: Config) {
        *write(&self.config) = Arc::new(config);
    }

    /// JPEGs of this width; full ones if the camera's are no wider.
    pub(super) fn rendition(&self, width: Option<u32>) -> &Rendition {
        let mut smaller = self.smaller.iter();
        let found = smaller.find(|rendition| Some(rendition.width) == width);
        found.unwrap_or(&self.full)
    }

    /// The JPEGs that are made with the least work.
    pub(super) fn smallest(&self) -> &Rendition {
        self.smaller.first().unwrap_or(&self.full)
    }

    /// Wakes everybody who waits for a JPEG of any size.
    pub fn wake_all(&self) {
        for rendition in std::iter::once(&self.full).chain(&self.smaller) {
            rendition.hub.wake_all();
        }
    }

    /// Whether picam stops.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Whether pictures flow at this moment.
    pub(super) fn verdict(&self) -> Verdict {
        self.pulse.verdict(Timestamp::now())
    }

    pub(super) fn sample(&self) -> Sample {
        let focus = lock(&self.focus);
        let focus = focus.as_ref();
        Sample {
            encode_quality: self.encoder.quality(),
            encode_threads: self.encoder.threads(),
            streams: self.streams.taken(),
            events: self.events.taken(),
            connections: self.guard.connections(),
            silence: self.pulse.silence(Timestamp::now()),
            live: self.verdict() == Verdict::Live,
            sensor_temperature: self.remote.readings().sensor_temperature,
            sharpness_ratio: focus.map(|it| it.sharpness / it.saved_sharpness),
            focus_drift: focus.is_some_and(|it| it.warning.is_some()),
            update: last_check(),
            start: last_starts().into_iter().next(),
        }
    }
}
