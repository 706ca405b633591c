//! `GET /stream`: multipart MJPEG, one part a frame, each as young as the client's reading allows.

use super::Context;
use super::client::Client;
use super::freshness::{Advice, Freshness, Timing};
use super::multipart::{CONTENT_TYPE, Multipart, PROBE};
use super::rate_limit::{LEAST_FPS, RateLimit};
use super::reply::{Reply, Status, allow};
use super::request::Request;
use crate::clock::Timestamp;
use crate::controls::shown;
use crate::feed::Wanted;
use crate::hub::Jpeg;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A "no signal" picture older than this is not shown to a client that comes.
const NO_SIGNAL_AGE: Duration = Duration::from_secs(1);

pub(super) fn serve(context: &Context, request: &Request, client: &mut Client) -> io::Result<()> {
    let given = request.parameter("fps");
    let fps = given.map(|fps| fps.parse().unwrap_or(f64::NAN));
    if fps.is_some_and(|fps| fps.is_nan() || fps < LEAST_FPS || fps.is_infinite()) {
        let given = shown(given.unwrap_or_default());
        let line = format!("fps = {given}: expected a number of at least {LEAST_FPS}");
        let refused = Reply::line(Status::BadRequest, &line);
        return client.reply(context, request, &refused);
    }
    let head = head(&context.config().server.allow_origin);
    if request.is_head() {
        return client.write(&[head.as_bytes()]);
    }
    let most = context.guard.limits().streams;
    let Some(_place) = StreamPlace::take(&context.streams, most) else {
        context.metrics.refuse("streams");
        let line = format!("all {most} streams are taken");
        let refused = Reply::full(Status::Unavailable, &line, "streams");
        return client.reply(context, request, &refused);
    };
    let multipart = match request.is_from_browser() {
        true => Multipart::Browsers,
        false => Multipart::Programs,
    };
    let waiter = client.waiter()?;
    let _subscription = context.hub.subscribe(waiter);
    client.write(&[head.as_bytes(), multipart.start().as_bytes()])?;
    Stream::new(context, client, multipart, fps).run()?;
    client.write(&[multipart.last().as_bytes()])
}

fn head(allow_origin: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nServer: picam/{}\r\nContent-Type: {CONTENT_TYPE}\r\n\
         Cache-Control: no-cache, no-store, must-revalidate\r\nPragma: no-cache\r\n{}Connection: close\r\n\r\n",
        env!("CARGO_PKG_VERSION"),
        allow(allow_origin)
    )
}

/// One client's stream.
struct Stream<'a> {
    context: &'a Context,
    client: &'a mut Client,
    multipart: Multipart,
    freshness: Freshness,
    rate_limit: RateLimit,
    /// "No signal" pictures from before are not for this client.
    no_signal_from: Timestamp,
    /// The number of the JPEG that was sent last.
    last: u64,
    /// Held only while a frame would be sent as soon as there is one: otherwise nothing need be encoded for this client.
    wanted: Option<Wanted<'a>>,
    /// The client has closed its side, and was sent a probe since: one that is gone answers by a reset.
    half_closed: bool,
}

impl<'a> Stream<'a> {
    fn new(
        context: &'a Context,
        client: &'a mut Client,
        multipart: Multipart,
        fps: Option<f64>,
    ) -> Self {
        let started = Timestamp::now();
        let from = started.before(context.pulse.interval());
        Self {
            context,
            client,
            multipart,
            freshness: Freshness::new(from, multipart.can_probe()),
            rate_limit: RateLimit::new(fps),
            no_signal_from: started.before(NO_SIGNAL_AGE),
            last: 0,
            wanted: None,
            half_closed: false,
        }
    }

    /// Sends frames until picam stops.
    ///
    /// # Errors
    /// The client is gone.
    fn run(mut self) -> io::Result<()> {
        while !self.context.is_stopping() {
            let now = Timestamp::now();
            let timing = Timing {
                interval: self.context.pulse.interval(),
                encoding: self.context.hub.encode_time(),
            };
            let info = self.client.info()?;
            let newest = self.context.hub.newest();
            let seen = newest.as_ref().map(|jpeg| jpeg.number);
            let until = match self.freshness.next(now, &info, timing) {
                Advice::Probe => {
                    self.probe()?;
                    continue;
                }
                Advice::Wait(at) => {
                    drop(newest); // the wait may be long
                    self.wanted = None;
                    Some(at)
                }
                Advice::Send(from) => {
                    let from = from.max(self.rate_limit.earliest(timing.interval));
                    if let Some(jpeg) = newest.filter(|jpeg| self.fits(jpeg, from, timing.interval))
                    {
                        let began = Timestamp::now();
                        let bytes = self.send(&jpeg)?;
                        let now = Timestamp::now();
                        self.freshness.sent(began, now, bytes, &info, jpeg.live);
                        continue;
                    }
                    self.want(from, now)
                }
            };
            if self.client.is_half_closed() && !std::mem::replace(&mut self.half_closed, true) {
                self.probe()?;
            }
            let context = self.context;
            let until = until.map(|at| Instant::now() + at.since(Timestamp::now()));
            let changed = || context.hub.newest().map(|jpeg| jpeg.number) != seen;
            self.client
                .wait(until, || context.is_stopping() || changed())?;
        }
        Ok(())
    }

    /// Whether to send this picture: a live one must have arrived at `from` or later.
    fn fits(&self, jpeg: &Arc<Jpeg>, from: Timestamp, interval: Duration) -> bool {
        let from = match jpeg.live {
            true => from,
            false => self.rate_limit.earliest(interval).max(self.no_signal_from),
        };
        jpeg.number != self.last && jpeg.arrived >= from
    }

    /// Registers the wish for a frame from `from` on, once that moment has come. Returns when to check again.
    fn want(&mut self, from: Timestamp, now: Timestamp) -> Option<Timestamp> {
        if now < from {
            self.wanted = None;
            return Some(from);
        }
        if self.wanted.is_none() {
            self.wanted = Some(self.context.feed.want(from));
        }
        None
    }

    fn send(&mut self, jpeg: &Jpeg) -> io::Result<usize> {
        self.wanted = None;
        let (head, end) = (self.multipart.head(jpeg), self.multipart.end());
        let parts = [head.as_bytes(), &jpeg.data, end.as_bytes()];
        self.client.write_jpeg(jpeg.number, &parts)?;
        let bytes = head.len() + jpeg.data.len() + end.len();
        self.last = jpeg.number;
        self.rate_limit.sent(jpeg.arrived);
        self.context.metrics.frames_sent.inc();
        self.context.metrics.bytes_sent.inc_by(bytes as u64);
        Ok(bytes)
    }

    fn probe(&mut self) -> io::Result<()> {
        if self.multipart.can_probe() {
            self.client.write(&[PROBE.as_bytes()])?;
            self.context.metrics.probes_sent.inc();
        }
        Ok(())
    }
}

/// A stream client's place among `limits.streams`.
struct StreamPlace<'a>(&'a AtomicUsize);

impl<'a> StreamPlace<'a> {
    fn take(streams: &'a AtomicUsize, most: usize) -> Option<Self> {
        let more = |taken| (taken < most).then_some(taken + 1);
        let taken = streams.fetch_update(Ordering::AcqRel, Ordering::Acquire, more);
        taken.is_ok().then(|| Self(streams)) // lazily: a dropped place counts down
    }
}

impl Drop for StreamPlace<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
