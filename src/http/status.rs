//! What picam says of itself: /status for people and programs, /metrics for Prometheus, /healthz for
//! supervisors and load balancers.

use super::Context;
use super::reply::Reply;
use crate::metrics::rss_bytes;
use serde_json::{Map, Value, json};
use std::sync::atomic::Ordering;

pub(super) fn json(context: &Context) -> Reply {
    let config = context.config();
    let metrics = &context.metrics;
    let live = !context.feed.is_lost();
    let frame = context.hub.newest().map(|jpeg| {
        json!({
            "sequence": jpeg.sequence,
            "timestamp": jpeg.timestamp,
            "age_seconds": jpeg.captured.age().as_secs_f64(),
            "width": jpeg.width,
            "height": jpeg.height,
            "jpeg_bytes": jpeg.data.len(),
        })
    });
    let requested: Map<String, Value> = context
        .remote
        .requested()
        .iter()
        .map(|(control, value)| (control.to_owned(), json!(value)))
        .collect();
    let status = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "source": config.camera.source.to_string(),
        "uptime_seconds": context.started.elapsed().as_secs_f64(),
        "healthy": live,
        "signal": if live { "live" } else { "lost" },
        "silence_seconds": context.feed.silence().as_secs_f64(),
        "rate_hz": config.camera.rate,
        "quality": config.jpeg.quality,
        "frame": frame,
        "streams": context.streams.load(Ordering::Relaxed),
        "connections": context.guard.connections(),
        "controls": { "requested": requested },
        "counters": {
            "frames_captured": metrics.frames_captured.get(),
            "frames_encoded": metrics.frames_encoded.get(),
            "frames_sent": metrics.frames_sent.get(),
            "bytes_sent": metrics.bytes_sent.get(),
            "probes_sent": metrics.probes_sent.get(),
            "stalls": metrics.stalls.get(),
            "requests": metrics.requests.get(),
            "panics": metrics.panics.get(),
        },
        "process": { "rss_bytes": rss_bytes() },
    });
    Reply::text("200 OK", "application/json", format!("{status:#}\n"))
}

pub(super) fn metrics(context: &Context) -> Reply {
    let text = context.metrics.to_text(&context.snapshot());
    Reply::text(
        "200 OK",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        text,
    )
}

pub(super) fn health(context: &Context) -> Reply {
    match context.feed.is_lost() {
        true => no_signal(context),
        false => Reply::line("200 OK", "ok"),
    }
}

/// What is answered instead of a picture, or of good health, while the camera delivers nothing.
pub(super) fn no_signal(context: &Context) -> Reply {
    let silence = context.feed.silence().as_secs_f64();
    let line = format!("no signal: no frame from the camera for {silence:.1} s");
    Reply::line("503 Service Unavailable", &line)
}
