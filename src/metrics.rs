//! What picam counts of itself, for /metrics and /status.

mod format;

pub use format::Format;

use crate::system::{starts::Start, update};
use format::to_prometheus;
use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Why a connection was refused or cut; the label of `picam_http_refused_total`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Refusal {
    /// The limit that was reached, by its key in the TOML file; `malformed`, or `stopping`.
    pub reason: &'static str,
}

/// Every reason there is.
const REFUSALS: [&str; 11] = [
    "connections",
    "connections_hard",
    "events",
    "header_bytes",
    "jpegs",
    "malformed",
    "per_address",
    "request_seconds",
    "stopping",
    "streams",
    "write_seconds",
];

/// A step that was taken to get frames from the camera again; the label of `picam_camera_recoveries_total`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Recovery {
    /// `restart` or `reopen`.
    pub step: &'static str,
}

/// How the last look for an update went; the label of `picam_update_check_age_seconds`.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct CheckResult {
    /// One of [`update::RESULTS`].
    result: &'static str,
}

/// The machine's last start; the labels of `picam_machine_start`, all `none` where nobody keeps a log.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StartLabels {
    slot: String,
    version: String,
    reason: String,
    outcome: String,
}

/// All counters, and the registry that writes them as text.
pub struct Metrics {
    registry: Registry,
    /// Frames that came from the camera.
    pub frames_captured: Counter,
    /// Frames that were captured but did not come.
    pub frames_lost: Counter,
    /// Frames that came with the number or the time of one before.
    pub frames_stale: Counter,
    /// Pictures that were encoded, "no signal" pictures among them.
    pub frames_encoded: Counter,
    /// Frames that somebody waited for while the encoder had no time.
    pub frames_skipped: Counter,
    /// Frames that the encoder refused.
    pub frames_refused: Counter,
    /// Parts written to stream clients.
    pub frames_sent: Counter,
    /// Bytes of those parts.
    pub bytes_sent: Counter,
    /// How often the camera stopped delivering.
    pub stalls: Counter,
    /// Header lines written to learn whether a client has read what it was sent.
    pub probes_sent: Counter,
    /// Requests that were answered, by whatever status.
    pub requests: Counter,
    /// Handlers that panicked.
    pub panics: Counter,
    recoveries: Family<Recovery, Counter>,
    refused: Family<Refusal, Counter>,
    encode_seconds: Histogram,
    sensor_temperature: Gauge<f64, AtomicU64>,
    sharpness_ratio: Gauge<f64, AtomicU64>,
    focus_drift: Gauge,
    jpeg_bytes: Gauge,
    encode_quality: Gauge,
    encode_threads: Gauge,
    streams: Gauge,
    events: Gauge,
    connections: Gauge,
    frame_age: Gauge<f64, AtomicU64>,
    signal: Gauge,
    update_check: Family<CheckResult, Gauge<f64, AtomicU64>>,
    start: Family<StartLabels, Gauge>,
    rss: Gauge,
}

/// What is not counted but read when somebody asks.
#[derive(Clone)]
pub struct Sample {
    /// Stream clients.
    pub streams: usize,
    /// Quality of the newest frame.
    pub encode_quality: u8,
    /// Threads that encoded the newest frame.
    pub encode_threads: u8,
    /// Clients of `/events`.
    pub events: usize,
    /// Open connections, streams among them.
    pub connections: usize,
    /// Time since the newest frame came.
    pub silence: Duration,
    /// Whether pictures flow.
    pub live: bool,
    /// The sensor's temperature, °C.
    pub sensor_temperature: Option<f64>,
    /// The sharpness as a part of what it was when the focus was saved, if there is anything to compare.
    pub sharpness_ratio: Option<f64>,
    /// Whether the saved focus may be right no longer.
    pub focus_drift: bool,
    /// How the last look for an update went.
    pub update: update::Check,
    /// The machine's last start.
    pub start: Option<Start>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All counters at zero.
    pub fn new() -> Self {
        let mut all = Registry::with_prefix("picam");
        let registry = &mut all;
        let bounds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5];
        let encode_seconds = Histogram::new(bounds);
        let help = "Time to encode a picture";
        registry.register_with_unit("encode", help, Unit::Seconds, encode_seconds.clone());
        let metrics = Self {
            frames_captured: registered(
                registry,
                "frames_captured",
                "Frames that came from the camera",
            ),
            frames_lost: registered(
                registry,
                "frames_lost",
                "Frames that were captured but did not come",
            ),
            frames_stale: registered(
                registry,
                "frames_stale",
                "Frames that came with the number or the time of one before",
            ),
            frames_encoded: registered(registry, "frames_encoded", "Pictures encoded to JPEG"),
            frames_skipped: registered(
                registry,
                "frames_skipped",
                "Frames that clients waited for while the encoder had no time",
            ),
            frames_refused: registered(
                registry,
                "frames_refused",
                "Frames that the encoder refused",
            ),
            frames_sent: registered(
                registry,
                "frames_sent",
                "Pictures written to stream clients",
            ),
            bytes_sent: registered(registry, "sent_bytes", "Bytes written to stream clients"),
            stalls: registered(registry, "stalls", "Times the camera stopped delivering"),
            probes_sent: registered(
                registry,
                "probes_sent",
                "Probes for what a stream client has not read",
            ),
            requests: registered(registry, "http_requests", "Requests answered"),
            panics: registered(registry, "http_panics", "Handlers that panicked"),
            recoveries: registered(
                registry,
                "camera_recoveries",
                "Steps taken to get frames from the camera again",
            ),
            refused: registered(registry, "http_refused", "Connections refused or cut"),
            encode_quality: registered(registry, "encode_quality", "Quality of the newest JPEG"),
            encode_threads: registered(
                registry,
                "encode_threads",
                "Threads that encoded the newest frame together",
            ),
            streams: registered(registry, "streams", "Stream clients"),
            events: registered(registry, "events", "Clients of /events"),
            connections: registered(registry, "connections", "Open connections"),
            signal: registered(registry, "signal", "1 while pictures flow, else 0"),
            sensor_temperature: with_unit(
                registry,
                "sensor_temperature",
                "Temperature of the sensor; NaN if the camera does not report it",
                Unit::Celsius,
            ),
            sharpness_ratio: registered(
                registry,
                "focus_sharpness_ratio",
                "Sharpness as a part of what it was when the focus was saved; NaN if there is nothing to compare",
            ),
            focus_drift: registered(
                registry,
                "focus_drift",
                "1 while the saved focus may be right no longer, else 0",
            ),
            jpeg_bytes: with_unit(registry, "jpeg", "Size of the newest JPEG", Unit::Bytes),
            frame_age: with_unit(
                registry,
                "frame_age",
                "Time since the newest frame came",
                Unit::Seconds,
            ),
            update_check: with_unit(
                registry,
                "update_check_age",
                "Time since the last look for an update, or since the machine's start",
                Unit::Seconds,
            ),
            start: registered(
                registry,
                "machine_start",
                "Number of the machine's last start, by why it was started and what became of it",
            ),
            rss: with_unit(
                registry,
                "resident_memory",
                "Resident memory of the process",
                Unit::Bytes,
            ),
            encode_seconds,
            registry: all,
        };
        for step in ["restart", "reopen"] {
            drop(metrics.recoveries.get_or_create(&Recovery { step })); // a rate needs the zero, too
        }
        for reason in REFUSALS {
            drop(metrics.refused.get_or_create(&Refusal { reason }));
        }
        metrics
    }

    /// A picture was encoded to `bytes` in `spent`.
    pub fn encoded(&self, bytes: usize, spent: Duration) {
        self.frames_encoded.inc();
        self.encode_seconds.observe(spent.as_secs_f64());
        self.jpeg_bytes.set(bytes as i64);
    }

    /// `step` (`restart` or `reopen`) was taken to get frames again.
    pub fn recovered(&self, step: &'static str) {
        self.recoveries.get_or_create(&Recovery { step }).inc();
    }

    /// How often `step` was taken.
    pub fn recoveries(&self, step: &'static str) -> u64 {
        self.recoveries.get_or_create(&Recovery { step }).get()
    }

    /// A connection was refused or cut because of `reason`.
    pub fn refuse(&self, reason: &'static str) {
        debug_assert!(REFUSALS.contains(&reason), "{reason}");
        self.refused.get_or_create(&Refusal { reason }).inc();
    }

    /// One line, with the last result alone.
    fn show_update(&self, check: &update::Check) {
        for result in update::RESULTS.into_iter().filter(|it| *it != check.result) {
            self.update_check.remove(&CheckResult { result });
        }
        let last = CheckResult {
            result: check.result,
        };
        let age = check.age.as_secs_f64();
        self.update_check.get_or_create(&last).set(age);
    }

    /// One line, of the last start alone.
    fn show_start(&self, start: Option<&Start>) {
        let word = |word: fn(&Start) -> &str| start.map_or("none", word).to_owned();
        let labels = StartLabels {
            slot: word(|it| &it.slot),
            version: word(|it| &it.version),
            reason: word(|it| &it.reason),
            outcome: word(Start::outcome_word),
        };
        if self.start.get(&labels).is_none() {
            self.start.clear();
        }
        let number = start.map_or(0, |it| it.number);
        self.start.get_or_create(&labels).set(number as i64);
    }

    /// Everything as text.
    pub fn to_text(&self, now: &Sample, format: Format) -> String {
        self.encode_quality.set(now.encode_quality.into());
        self.encode_threads.set(now.encode_threads.into());
        self.streams.set(now.streams as i64);
        self.events.set(now.events as i64);
        self.connections.set(now.connections as i64);
        self.frame_age.set(now.silence.as_secs_f64());
        self.signal.set(now.live.into());
        self.rss.set(rss_bytes() as i64);
        self.sensor_temperature
            .set(now.sensor_temperature.unwrap_or(f64::NAN));
        self.sharpness_ratio
            .set(now.sharpness_ratio.unwrap_or(f64::NAN));
        self.focus_drift.set(now.focus_drift.into());
        self.show_update(&now.update);
        self.show_start(now.start.as_ref());
        let mut text = String::new();
        let _ = encode(&mut text, &self.registry); // writing to a String cannot fail
        match format {
            Format::OpenMetrics => text,
            Format::Prometheus => to_prometheus(&text),
        }
    }
}

/// A metric of its own type, registered under `name`.
fn registered<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn with_unit<M: Metric + Clone + Default>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    unit: Unit,
) -> M {
    let metric = M::default();
    registry.register_with_unit(name, help, unit, metric.clone());
    metric
}

/// The process's resident memory in bytes, from /proc; 0 where that cannot be read.
pub fn rss_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = resident.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_text_names_counters_in_full() {
        let metrics = Metrics::new();
        metrics.refuse("malformed");
        let sample = Sample {
            encode_quality: 100,
            encode_threads: 1,
            streams: 2,
            events: 1,
            connections: 3,
            silence: Duration::from_millis(1500),
            live: true,
            sensor_temperature: Some(40.0),
            sharpness_ratio: None,
            focus_drift: false,
            update: update::Check {
                result: "failed",
                time: None,
                age: Duration::from_secs(90),
            },
            start: Some(Start {
                number: 7,
                time: "2026-11-28T13:00:05Z".into(),
                slot: "B".into(),
                version: "1.2.0".into(),
                reason: "trial".into(),
                outcome: "failed: no frames".into(),
            }),
        };
        let mut before = sample.clone();
        before.update.result = "none";
        before.start = None;
        metrics.to_text(&before, Format::Prometheus);
        let text = metrics.to_text(&sample, Format::Prometheus);
        for line in [
            "# HELP picam_frames_captured_total Frames that came from the camera.",
            "# TYPE picam_frames_captured_total counter",
            "picam_frames_captured_total 0",
            "picam_http_refused_total{reason=\"malformed\"} 1",
            "# TYPE picam_streams gauge",
            "picam_streams 2",
            "picam_events 1",
            "picam_frame_age_seconds 1.5",
            "picam_update_check_age_seconds{result=\"failed\"} 90.0",
            "picam_machine_start{slot=\"B\",version=\"1.2.0\",reason=\"trial\",outcome=\"failed\"} 7",
            "# TYPE picam_encode_seconds histogram",
        ] {
            assert!(text.lines().any(|it| it == line), "{line} in\n{text}");
        }
        assert!(!text.contains("=\"none\""), "{text}");
        assert!(
            !text.contains("# EOF") && !text.contains("# UNIT"),
            "{text}"
        );
        assert!(
            metrics
                .to_text(&sample, Format::OpenMetrics)
                .ends_with("# EOF\n")
        );
        assert!(rss_bytes() > 1 << 20);
    }
}
