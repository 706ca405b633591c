//! `GET /stream`: multipart MJPEG, one part a frame, each as young as the client's reading allows.

mod asked;

use super::client::Client;
use super::freshness::{Advice, Freshness, Timing};
use super::multipart::{Multipart, PROBE};
use super::rate_limit::RateLimit;
use super::reply::{Reply, Status, allow};
use super::request::Request;
use super::{Context, Rendition};
use crate::clock::Timestamp;
use crate::feed::Wanted;
use crate::hub::Jpeg;
use asked::Asked;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A "no signal" picture older than this is not shown to a client that comes.
const NO_SIGNAL_AGE: Duration = Duration::from_secs(1);

pub(super) fn serve(context: &Context, request: &Request, client: &mut Client) -> io::Result<()> {
    let asked = match Asked::parse(request) {
        Ok(asked) => asked,
        Err(line) => {
            let refused = Reply::line(Status::BadRequest, &line);
            return client.reply(context, request, &refused);
        }
    };
    let head = head(asked.content_type(), &context.config().server.allow_origin);
    if request.is_head() {
        return client.write(&[head.as_bytes()]);
    }
    let most = context.guard.limits().streams;
    let _seat = match context.streams.take("streams", most, &context.metrics) {
        Ok(seat) => seat,
        Err(full) => return client.reply(context, request, &full),
    };
    let multipart = match request.is_from_browser() && !asked.needs_headers() {
        true => Multipart::Browsers,
        false => Multipart::Programs,
    };
    let waiter = client.waiter()?;
    let rendition = context.rendition(asked.width);
    let _subscription = rendition.hub.subscribe(waiter);
    client.write(&[head.as_bytes(), multipart.start().as_bytes()])?;
    Stream::new(context, client, rendition, multipart, asked).run()?;
    client.write(&[multipart.last().as_bytes()])
}

fn head(content_type: &str, allow_origin: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nServer: picam/{}\r\nContent-Type: {content_type}\r\n\
         Cache-Control: no-cache, no-store, must-revalidate\r\nPragma: no-cache\r\n{}Connection: close\r\n\r\n",
        env!("CARGO_PKG_VERSION"),
        allow(allow_origin)
    )
}

/// One client's stream.
struct Stream<'a> {
    context: &'a Context,
    client: &'a mut Client,
    rendition: &'a Rendition,
    multipart: Multipart,
    asked: Asked,
    freshness: Freshness,
    rate_limit: RateLimit,
    /// "No signal" pictures from before are not for this client.
    no_signal_from: Timestamp,
    /// The header of the part that is sent.
    head: String,
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
        rendition: &'a Rendition,
        multipart: Multipart,
        asked: Asked,
    ) -> Self {
        let started = Timestamp::now();
        let from = started.before(context.pulse.interval());
        Self {
            context,
            client,
            rendition,
            multipart,
            asked,
            freshness: Freshness::new(from, multipart.can_probe()),
            rate_limit: RateLimit::new(asked.fps),
            no_signal_from: started.before(NO_SIGNAL_AGE),
            head: String::new(),
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
                encoding: self.rendition.hub.encode_time(),
            };
            let info = self.client.info()?;
            let newest = self.rendition.hub.newest();
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
            let (context, hub) = (self.context, &self.rendition.hub);
            let until = until.map(|at| Instant::now() + at.since(Timestamp::now()));
            let changed = || hub.newest().map(|jpeg| jpeg.number) != seen;
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
            self.wanted = Some(self.rendition.feed.want(from, self.asked.window));
        }
        None
    }

    fn send(&mut self, jpeg: &Jpeg) -> io::Result<usize> {
        self.wanted = None;
        let lines = self.asked.header_lines(jpeg);
        self.multipart.head(jpeg, &lines, &mut self.head);
        let end = self.multipart.end();
        let parts = [self.head.as_bytes(), &jpeg.data, end.as_bytes()];
        self.client.write_jpeg(jpeg.number, &parts)?;
        let bytes = self.head.len() + jpeg.data.len() + end.len();
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
