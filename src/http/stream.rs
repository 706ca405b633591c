//! `GET /stream`: multipart MJPEG, one part a frame, each as young as the client's reading allows.

use super::client::Client;
use super::freshness::{Freshness, Step};
use super::reply::Reply;
use super::{Context, Request};
use crate::clock::Timestamp;
use crate::hub::Jpeg;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const HEAD: &str = concat!(
    "HTTP/1.1 200 OK\r\nServer: picam/",
    env!("CARGO_PKG_VERSION"),
    "\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\
     Cache-Control: no-cache, no-store, must-revalidate\r\nPragma: no-cache\r\nConnection: close\r\n\r\n"
);
const PART_END: &str = "\r\n";
const LAST_BOUNDARY: &str = "--frame--\r\n";
/// Between two parts an empty line means nothing.
const PROBE: &str = "\r\n";
/// A "no signal" picture older than this is not shown to a client that comes.
const NO_SIGNAL_AGE: Duration = Duration::from_secs(1);

/// The least rate a client may ask for, frames a second.
const LEAST_FPS: f64 = 0.001;

pub(super) fn serve(
    context: &Context,
    request: &Request,
    client: &mut Client,
    head_only: bool,
) -> io::Result<()> {
    let fps = match request.parameter("fps").map(str::parse::<f64>) {
        None => None,
        Some(Ok(fps)) if fps >= LEAST_FPS && fps.is_finite() => Some(fps),
        Some(_) => {
            let reply = Reply::line("400 Bad Request", "fps: a number from 0.001 is accepted");
            return client.write(&[
                reply.head().as_bytes(),
                if head_only { &[] } else { reply.body() },
            ]);
        }
    };
    if head_only {
        return client.write(&[HEAD.as_bytes()]);
    }
    let most = context.guard.limits().streams;
    let Some(_place) = Place::take(&context.streams, most) else {
        context.metrics.refuse("streams");
        let line = format!("all {most} streams are taken (limits.streams)");
        let reply = Reply::line("503 Service Unavailable", &line);
        return client.write(&[reply.head().as_bytes(), reply.body()]);
    };
    let waiter = client.waiter()?;
    let _subscription = context.hub.subscribe(waiter);
    client.write(&[HEAD.as_bytes()])?;
    let result = send_frames(context, client, fps);
    if context.is_stopping() && result.is_ok() {
        client.write(&[LAST_BOUNDARY.as_bytes()])?;
    }
    result
}

/// Sends frames until the client goes or picam stops.
fn send_frames(context: &Context, client: &mut Client, fps: Option<f64>) -> io::Result<()> {
    let started = Timestamp::now();
    let mut freshness = Freshness::new(started.before(context.feed.interval()));
    let mut pace = Pace::new(fps);
    let no_signal_from = started.before(NO_SIGNAL_AGE);
    let mut last = 0;
    // Held only while a frame would be sent as soon as there is one: otherwise nothing need be encoded for this client.
    let mut wanted = None;
    while !context.is_stopping() {
        let now = Timestamp::now();
        let interval = context.feed.interval();
        let info = client.info()?;
        let newest = context.hub.newest();
        let seen = newest.as_ref().map(|jpeg| jpeg.number);
        let mut from = now;
        let until = match freshness.step(now, &info, interval) {
            Step::Probe => {
                client.write(&[PROBE.as_bytes()])?;
                context.metrics.probes_sent.inc();
                continue;
            }
            Step::Wait(at) => Some(at),
            Step::Send(earliest) => {
                let earliest = earliest.max(pace.earliest(interval));
                let fits = |jpeg: &Arc<Jpeg>| {
                    let from = if jpeg.live {
                        earliest
                    } else {
                        pace.earliest(interval).max(no_signal_from)
                    };
                    jpeg.number != last && jpeg.arrived >= from
                };
                if let Some(jpeg) = newest.filter(fits) {
                    client.write(&[jpeg.part_head.as_bytes(), &jpeg.data, PART_END.as_bytes()])?;
                    last = jpeg.number;
                    pace.sent(jpeg.arrived);
                    let bytes = jpeg.part_head.len() + jpeg.data.len() + PART_END.len();
                    freshness.sent(Timestamp::now(), bytes, &info);
                    context.metrics.frames_sent.inc();
                    context.metrics.bytes_sent.inc_by(bytes as u64);
                    wanted = None;
                    continue;
                }
                from = earliest;
                (now < earliest).then_some(earliest)
            }
        };
        match until {
            None if wanted.is_none() => wanted = Some(context.feed.want(from)),
            None => {}
            Some(_) => wanted = None,
        }
        let until = until.map(|at| Instant::now() + at.since(Timestamp::now()));
        let changed = || context.hub.newest().map(|jpeg| jpeg.number) != seen;
        client.wait(until, || context.is_stopping() || changed())?;
    }
    Ok(())
}

/// A stream client's place among `limits.streams`.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(streams: &'a AtomicUsize, most: usize) -> Option<Self> {
        let more = |taken| (taken < most).then_some(taken + 1);
        let taken = streams.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        taken.is_ok().then(|| Self(streams)) // lazily: a dropped place counts down
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The rate a client asked for by `?fps=`.
struct Pace {
    interval: Option<Duration>,
    due: Timestamp,
}

impl Pace {
    fn new(fps: Option<f64>) -> Self {
        Self {
            interval: fps.map(|fps| Duration::from_secs_f64(1.0 / fps)),
            due: Timestamp::from_boot_nanoseconds(0),
        }
    }

    /// A frame is sent if it arrived at this moment or later. The camera's beat jitters: a frame that comes
    /// somewhat early is meant too.
    fn earliest(&self, camera_interval: Duration) -> Timestamp {
        self.due.before(camera_interval / 4)
    }

    /// A frame that arrived then was sent. The rate holds on average; what a slow client missed is not made up for.
    fn sent(&mut self, arrived: Timestamp) {
        if let Some(interval) = self.interval {
            let next = self.due.after(interval);
            self.due = if next > arrived {
                next
            } else {
                arrived.after(interval)
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent_in_10_s(fps: f64) -> usize {
        let mut pace = Pace::new(Some(fps));
        let camera = Duration::from_millis(125);
        let jitter = |number: u64| (number * 7_919) % 20; // ms
        let frames = (0..80).map(|number| {
            Timestamp::from_boot_nanoseconds((5_000 + number * 125 + jitter(number)) * 1_000_000)
        });
        let sent = frames.filter(|&arrived| {
            let fits = arrived >= pace.earliest(camera);
            if fits {
                pace.sent(arrived);
            }
            fits
        });
        sent.count()
    }

    #[test]
    fn a_rate_holds_on_average() {
        assert_eq!(sent_in_10_s(100.0), 80);
        assert_eq!(sent_in_10_s(8.0), 80);
        assert_eq!(sent_in_10_s(4.0), 40);
        assert!(
            (29..=31).contains(&sent_in_10_s(3.0)),
            "{}",
            sent_in_10_s(3.0)
        );
        assert_eq!(sent_in_10_s(0.2), 2);
        assert_eq!(sent_in_10_s(LEAST_FPS), 1);
        assert_eq!(sent_in_10_s(1e300), 80);
    }
}
