//! What picam counts of itself, for /metrics and /status.

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Why a connection was refused or cut; the label of `picam_http_refused_total`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Refusal {
    /// The limit that was reached, by its key in the TOML file; `malformed`, or `stopping`.
    pub reason: &'static str,
}

/// All counters, and the registry that writes them as Prometheus text.
pub struct Metrics {
    registry: Registry,
    /// Frames that came from the camera.
    pub frames_captured: Counter,
    /// Pictures that were encoded, "no signal" pictures among them.
    pub frames_encoded: Counter,
    /// Parts written to stream clients.
    pub frames_sent: Counter,
    /// Bytes of those parts.
    pub bytes_sent: Counter,
    /// How often the camera stopped delivering.
    pub stalls: Counter,
    /// Bytes written to learn whether a client has read what it was sent.
    pub probes_sent: Counter,
    /// Requests that were answered, by whatever status.
    pub requests: Counter,
    /// Handlers that panicked.
    pub panics: Counter,
    /// Connections refused or cut.
    pub refused: Family<Refusal, Counter>,
    encode_seconds: Histogram,
    jpeg_bytes: Gauge,
    streams: Gauge,
    connections: Gauge,
    frame_age: Gauge<f64, AtomicU64>,
    signal: Gauge,
    rss: Gauge,
}

/// What is not counted but read when somebody asks.
pub struct Snapshot {
    /// Stream clients.
    pub streams: usize,
    /// Open connections, streams among them.
    pub connections: usize,
    /// Time since the newest frame came.
    pub silence: Duration,
    /// Whether frames come.
    pub live: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All counters at zero.
    pub fn new() -> Self {
        let bounds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
        let mut metrics = Self {
            registry: Registry::with_prefix("picam"),
            frames_captured: Counter::default(),
            frames_encoded: Counter::default(),
            frames_sent: Counter::default(),
            bytes_sent: Counter::default(),
            stalls: Counter::default(),
            probes_sent: Counter::default(),
            requests: Counter::default(),
            panics: Counter::default(),
            refused: Family::default(),
            encode_seconds: Histogram::new(bounds),
            jpeg_bytes: Gauge::default(),
            streams: Gauge::default(),
            connections: Gauge::default(),
            frame_age: Gauge::default(),
            signal: Gauge::default(),
            rss: Gauge::default(),
        };
        let registry = &mut metrics.registry;
        let mut counter =
            |name, help, counter: &Counter| registry.register(name, help, counter.clone());
        counter(
            "frames_captured",
            "Frames that came from the camera",
            &metrics.frames_captured,
        );
        counter(
            "frames_encoded",
            "Pictures encoded to JPEG",
            &metrics.frames_encoded,
        );
        counter(
            "frames_sent",
            "Pictures written to stream clients",
            &metrics.frames_sent,
        );
        counter(
            "sent_bytes",
            "Bytes written to stream clients",
            &metrics.bytes_sent,
        );
        counter(
            "stalls",
            "Times the camera stopped delivering",
            &metrics.stalls,
        );
        counter(
            "probes_sent",
            "Probes for what a stream client has not read",
            &metrics.probes_sent,
        );
        counter("http_requests", "Requests answered", &metrics.requests);
        counter("http_panics", "Handlers that panicked", &metrics.panics);
        registry.register(
            "http_refused",
            "Connections refused or cut",
            metrics.refused.clone(),
        );
        let encode = metrics.encode_seconds.clone();
        registry.register_with_unit("encode", "Time to encode a picture", Unit::Seconds, encode);
        let bytes = metrics.jpeg_bytes.clone();
        registry.register_with_unit("jpeg", "Size of the newest JPEG", Unit::Bytes, bytes);
        registry.register("streams", "Stream clients", metrics.streams.clone());
        registry.register(
            "connections",
            "Open connections",
            metrics.connections.clone(),
        );
        let age = metrics.frame_age.clone();
        registry.register_with_unit(
            "frame_age",
            "Time since the newest frame came",
            Unit::Seconds,
            age,
        );
        registry.register(
            "signal",
            "1 while frames come, else 0",
            metrics.signal.clone(),
        );
        let rss = metrics.rss.clone();
        registry.register_with_unit(
            "resident_memory",
            "Resident memory of the process",
            Unit::Bytes,
            rss,
        );
        metrics
    }

    /// A picture was encoded to `bytes` in `spent`.
    pub fn encoded(&self, bytes: usize, spent: Duration) {
        self.frames_encoded.inc();
        self.encode_seconds.observe(spent.as_secs_f64());
        self.jpeg_bytes.set(bytes as i64);
    }

    /// A connection was refused or cut because of `reason`.
    pub fn refuse(&self, reason: &'static str) {
        self.refused.get_or_create(&Refusal { reason }).inc();
    }

    /// Everything as Prometheus (OpenMetrics) text.
    pub fn to_text(&self, now: &Snapshot) -> String {
        self.streams.set(now.streams as i64);
        self.connections.set(now.connections as i64);
        self.frame_age.set(now.silence.as_secs_f64());
        self.signal.set(now.live.into());
        self.rss.set(rss_bytes() as i64);
        let mut text = String::new();
        let _ = encode(&mut text, &self.registry); // writing to a String cannot fail
        text
    }
}

/// The process's resident memory in bytes, from /proc; 0 where that cannot be read.
pub fn rss_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|statm| statm.split_whitespace().nth(1)?.parse::<u64>().ok());
    // SAFETY: sysconf only reads a constant of the system.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    pages.unwrap_or(0) * u64::try_from(page).unwrap_or(0)
}
