//! HTTP: one request a connection, every response written by picam itself, every connection bounded.

mod client;
mod freshness;
mod guard;
mod reply;
mod server;
mod set;
mod snapshot;
mod status;
mod stream;
mod tcp;

pub use guard::Guard;
pub use server::{Listener, start};

use crate::camera::Remote;
use crate::config::Config;
use crate::hub::Hub;
use crate::jpeg::Feed;
use crate::metrics::{Metrics, Snapshot};
use client::Client;
use reply::Reply;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// What the requests' answers are made from.
pub struct Context {
    /// The configuration in force; replaced when it is read again.
    pub config: RwLock<Arc<Config>>,
    /// The newest JPEG.
    pub hub: Arc<Hub>,
    /// The newest frame, and whether there are any.
    pub feed: Arc<Feed>,
    /// The camera's controls.
    pub remote: Arc<Remote>,
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
    /// Whether /debug/panic and /debug/stall exist, which tests use.
    pub faults: bool,
}

impl Context {
    /// The configuration in force.
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether picam stops.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            streams: self.streams.load(Ordering::Relaxed),
            connections: self.guard.connections(),
            silence: self.feed.silence(),
            live: !self.feed.is_lost(),
        }
    }
}

/// What is looked at of a request.
struct Request {
    method: String,
    path: String,
    query: String,
    /// The value of Content-Length, if it is not a number of bytes.
    bad_length: Option<String>,
}

impl Request {
    fn new(request: &may_minihttp::Request) -> Self {
        let target = request.path();
        // A proxy may ask for an absolute URI.
        let target = match target.strip_prefix("http://") {
            Some(rest) => rest.find('/').map_or("/", |slash| &rest[slash..]),
            None => target,
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let lengths = request
            .headers()
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case("content-length"));
        let bad_length = lengths
            .map(|header| String::from_utf8_lossy(header.value).trim().to_owned())
            .find(|value| value.starts_with('+') || value.parse::<u64>().is_err());
        Self {
            method: request.method().to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            bad_length,
        }
    }

    /// The value of a query parameter. Names and numbers only: nothing here is ever percent-encoded.
    fn parameter(&self, name: &str) -> Option<&str> {
        // mjpg-streamer's clients append a second "?" against caches.
        let pairs = self.query.split(['&', '?']);
        pairs
            .filter_map(|pair| pair.split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }
}

/// What there is under a path.
enum Endpoint {
    Stream,
    Snapshot,
    Set,
    Status,
    Metrics,
    Health,
    DebugPanic,
    DebugStall,
}

fn endpoint(request: &Request, faults: bool) -> Option<Endpoint> {
    match request.path.as_str() {
        "/stream" | "/stream.mjpg" => Some(Endpoint::Stream),
        "/jpg" | "/snapshot" | "/snapshot.jpg" => Some(Endpoint::Snapshot),
        "/" => match request.parameter("action")? {
            "stream" => Some(Endpoint::Stream),
            "snapshot" => Some(Endpoint::Snapshot),
            _ => None,
        },
        "/set" => Some(Endpoint::Set),
        "/status" => Some(Endpoint::Status),
        "/metrics" => Some(Endpoint::Metrics),
        "/healthz" => Some(Endpoint::Health),
        "/debug/panic" if faults => Some(Endpoint::DebugPanic),
        "/debug/stall" if faults => Some(Endpoint::DebugStall),
        _ => None,
    }
}

/// Answers one request, streams until they end.
fn answer(context: &Context, request: &Request, client: &mut Client) -> io::Result<()> {
    let head_only = request.method == "HEAD";
    let reply = if request.method != "GET" && !head_only {
        Reply::line("405 Method Not Allowed", "GET and HEAD are accepted")
            .with("Allow", "GET, HEAD")
    } else if let Some(length) = &request.bad_length {
        Reply::line(
            "400 Bad Request",
            &format!("Content-Length is {length:?}; a number of bytes is accepted"),
        )
    } else {
        match endpoint(request, context.faults) {
            Some(Endpoint::Stream) => return stream::serve(context, request, client, head_only),
            Some(Endpoint::Snapshot) => snapshot::reply(context, request, client)?,
            Some(Endpoint::Set) => set::reply(context, request, head_only),
            Some(Endpoint::Status) => status::json(context),
            Some(Endpoint::Metrics) => status::metrics(context),
            Some(Endpoint::Health) => status::health(context),
            Some(Endpoint::DebugPanic) => panic!("as asked by /debug/panic"),
            Some(Endpoint::DebugStall) => stall(context, request),
            None => Reply::line(
                "404 Not Found",
                "nothing here; there are /stream /jpg /set /status /metrics /healthz",
            ),
        }
    };
    let head = reply.head();
    client.write(&[head.as_bytes(), if head_only { &[] } else { reply.body() }])
}

fn stall(context: &Context, request: &Request) -> Reply {
    match request
        .parameter("seconds")
        .and_then(|seconds| seconds.parse().ok())
    {
        Some(seconds @ 0..=3600) => {
            context.remote.stall(Duration::from_secs(seconds));
            Reply::line("200 OK", "ok")
        }
        _ => Reply::line(
            "400 Bad Request",
            "seconds: a whole number from 0 to 3600 is accepted",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(target: &str) -> Option<Endpoint> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = Request {
            method: "GET".into(),
            path: path.into(),
            query: query.into(),
            bad_length: None,
        };
        endpoint(&request, false)
    }

    #[test]
    fn the_paths_that_the_ecosystem_knows() {
        for path in [
            "/stream",
            "/stream.mjpg",
            "/?action=stream",
            "/?action=stream?dummy=1.mjpg",
            "/stream?fps=2",
        ] {
            assert!(matches!(at(path), Some(Endpoint::Stream)), "{path}");
        }
        for path in [
            "/jpg",
            "/snapshot",
            "/snapshot.jpg",
            "/?action=snapshot",
            "/?action=snapshot&t=1",
        ] {
            assert!(matches!(at(path), Some(Endpoint::Snapshot)), "{path}");
        }
        for path in [
            "/",
            "/?action=command",
            "/stream/",
            "/STREAM",
            "/debug/panic",
            "",
        ] {
            assert!(at(path).is_none(), "{path}");
        }
    }
}
