//! What the requests' answers are made from.

use super::Guard;
use crate::camera::Remote;
use crate::clock::Timestamp;
use crate::config::{Config, Saved};
use crate::feed::Feed;
use crate::hub::Hub;
use crate::jpeg;
use crate::log_limit::LogLimit;
use crate::metrics::{Metrics, Sample};
use crate::pulse::{Pulse, Verdict};
use crate::sync::{read, write};
use crate::system::sandbox::Sandbox;
use crate::system::starts::last_starts;
use crate::system::update::last_check;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Instant;

/// Everything that answers may need; shared by all connections.
pub struct Context {
    /// The configuration in force; replaced when it is read again.
    pub config: RwLock<Arc<Config>>,
    /// The newest JPEG.
    pub hub: Arc<Hub>,
    /// Who wants one.
    pub feed: Arc<Feed>,
    /// Whether pictures flow.
    pub pulse: Arc<Pulse>,
    /// The camera's controls.
    pub remote: Arc<Remote>,
    /// Where what was set is kept; `None` if it is not.
    pub saved: Option<Saved>,
    /// What of the encoder can be changed.
    pub encoder: Arc<jpeg::Settings>,
    /// All connections.
    pub guard: Arc<Guard>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Stream clients.
    pub streams: AtomicUsize,
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

    /// Whether picam stops.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Whether pictures flow at this moment.
    pub(super) fn verdict(&self) -> Verdict {
        self.pulse.verdict(Timestamp::now())
    }

    pub(super) fn sample(&self) -> Sample {
        Sample {
            streams: self.streams.load(Ordering::Relaxed),
            connections: self.guard.connections(),
            silence: self.pulse.silence(Timestamp::now()),
            live: self.verdict() == Verdict::Live,
            update: last_check(),
            start: last_starts().into_iter().next(),
        }
    }
}
