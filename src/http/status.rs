//! What picam reports of itself: /status for people and programs, /metrics for Prometheus, /healthz for
//! supervisors and load balancers.

use super::Context;
use super::reply::{Reply, Status};
use super::request::Request;
use crate::clock::Timestamp;
use crate::controls::{Availability, Control, Ranges, Set, TABLE};
use crate::metrics::{Format, rss_bytes};
use crate::pulse::Verdict;
use crate::sync::lock;
use crate::system::announced::announced;
use crate::system::network::wifi;
use crate::system::starts::{Start, last_starts};
use crate::system::update::last_check;
use serde_json::{Map, Value, json};

/// So many of the machine's starts are shown.
const STARTS: usize = 10;

pub(super) fn json(context: &Context) -> Reply {
    let config = context.config();
    let metrics = &context.metrics;
    let verdict = context.verdict();
    let frame = context.full.hub.newest().map(|jpeg| {
        json!({
            "sequence": jpeg.sequence,
            "timestamp": jpeg.timestamp.to_string(),
            "age_seconds": jpeg.captured.age().as_secs_f64(),
            "width": jpeg.width,
            "height": jpeg.height,
            "jpeg_bytes": jpeg.data.len(),
        })
    });
    let check = last_check();
    let (wifi, announced) = (wifi(), announced());
    let status = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "source": config.camera.source.to_string(),
        "time": Timestamp::now().unix().as_secs_f64(),
        "uptime_seconds": context.started.elapsed().as_secs_f64(),
        "healthy": verdict == Verdict::Live,
        "signal": signal(verdict),
        "silence_seconds": context.pulse.silence(Timestamp::now()).as_secs_f64(),
        "rate_hz": config.camera.rate,
        "quality": config.jpeg.quality,
        "still": config.camera.still,
        "encode_quality": context.encoder.quality(),
        "encode_threads": context.encoder.threads(),
        "frame": frame,
        "streams": context.streams.taken(),
        "events": context.events.taken(),
        "connections": context.guard.connections(),
        "camera": {
            "phase": context.pulse.phase().to_string(),
            "restarts": metrics.recoveries("restart"),
            "reopens": metrics.recoveries("reopen"),
        },
        "controls": {
            "requested": values(&context.remote.requested()),
            "saved": values(&context.saved.base()),
            "actual": context.remote.readings(),
            "ranges": ranges(&context.remote.ranges()),
        },
        "state": {
            "saved": context.saved.saved().is_some(),
            "problem": context.saved.problem(),
        },
        "focus": *lock(&context.focus),
        "counters": {
            "frames_captured": metrics.frames_captured.get(),
            "frames_lost": metrics.frames_lost.get(),
            "frames_stale": metrics.frames_stale.get(),
            "frames_encoded": metrics.frames_encoded.get(),
            "frames_skipped": metrics.frames_skipped.get(),
            "frames_refused": metrics.frames_refused.get(),
            "frames_sent": metrics.frames_sent.get(),
            "bytes_sent": metrics.bytes_sent.get(),
            "probes_sent": metrics.probes_sent.get(),
            "stalls": metrics.stalls.get(),
            "requests": metrics.requests.get(),
            "panics": metrics.panics.get(),
        },
        "network": {
            "wifi": wifi.state,
            "ssid": wifi.ssid,
            "error": wifi.error,
            "age_seconds": wifi.age.as_secs_f64(),
            "name": announced.name,
            "name_error": announced.error,
        },
        "update": {
            "result": check.result,
            "time": check.time,
            "age_seconds": check.age.as_secs_f64(),
        },
        "starts": starts(),
        "sandbox": context.sandbox.report(),
        "process": { "rss_bytes": rss_bytes() },
    });
    Reply::text(Status::Ok, "application/json", format!("{status:#}\n"))
}

/// One word for the verdict.
fn signal(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Starting => "starting",
        Verdict::Live => "live",
        Verdict::NoFrames => "lost",
        Verdict::EncoderHangs | Verdict::EncoderFails => "not encoded",
    }
}

/// The values of a set, by control.
fn values(set: &Set) -> Map<String, Value> {
    set.iter()
        .map(|(control, value)| (control.to_owned(), json!(value)))
        .collect()
}

/// The machine's last starts, the newest first.
fn starts() -> Vec<Value> {
    let shown = |start: Start| {
        json!({
            "number": start.number,
            "time": start.time,
            "slot": start.slot,
            "version": start.version,
            "reason": start.reason,
            "outcome": start.outcome,
        })
    };
    last_starts().into_iter().take(STARTS).map(shown).collect()
}

/// The ranges that the camera told, by control.
fn ranges(ranges: &Ranges) -> Map<String, Value> {
    let range = |control: &Control| match ranges.get(control) {
        Availability::Range { min, max } => Some((control.name.to_owned(), json!([min, max]))),
        Availability::Table | Availability::Missing => None,
    };
    TABLE.iter().filter_map(range).collect()
}

pub(super) fn metrics(context: &Context, request: &Request) -> Reply {
    let format = match request.accept.contains("application/openmetrics-text") {
        true => Format::OpenMetrics,
        false => Format::Prometheus,
    };
    let text = context.metrics.to_text(&context.sample(), format);
    Reply::text(Status::Ok, format.content_type(), text)
}

pub(super) fn health(context: &Context) -> Reply {
    match context.verdict() {
        Verdict::Live => Reply::line(Status::Ok, "ok"),
        verdict => no_picture(context, verdict),
    }
}

/// What is answered instead of a picture, or of good health, while no pictures flow.
pub(super) fn no_picture(context: &Context, verdict: Verdict) -> Reply {
    let silence = context.pulse.silence(Timestamp::now()).as_secs_f64();
    let line = match verdict {
        Verdict::Live => "no picture in time; picam is stopping or overloaded".to_owned(),
        Verdict::Starting => {
            format!("starting: no frame from the camera yet, after {silence:.1} s")
        }
        Verdict::NoFrames => format!("no signal: no frame from the camera for {silence:.1} s"),
        Verdict::EncoderHangs => "no picture: the encoder hangs".to_owned(),
        Verdict::EncoderFails => "no picture: the encoder fails on every frame".to_owned(),
    };
    Reply::line(Status::Unavailable, &line)
}
