//! `GET /jpg`: one picture, never older than a frame interval; with `fresh=1` captured after the request.

use super::client::Client;
use super::reply::Reply;
use super::{Context, Request};
use crate::clock::Timestamp;
use std::io;
use std::time::{Duration, Instant};

/// Beyond the time in which a camera is taken for stalled: for the encoder.
const ENCODE_TIME: Duration = Duration::from_secs(1);

pub(super) fn reply(
    context: &Context,
    request: &Request,
    client: &mut Client,
) -> io::Result<Reply> {
    let fresh = match request.parameter("fresh") {
        None | Some("" | "0") => false,
        Some("1") => true,
        Some(_) => {
            return Ok(Reply::line(
                "400 Bad Request",
                "fresh: 0 and 1 are accepted",
            ));
        }
    };
    let asked = Timestamp::now();
    let interval = context.feed.interval();
    let found = || {
        context.hub.newest().filter(|jpeg| {
            jpeg.live
                && match fresh {
                    true => jpeg.captured >= asked,
                    false => jpeg.arrived >= asked.before(interval),
                }
        })
    };
    // Two intervals may pass until a frame whose exposure began after the request is read out.
    let give_up = Instant::now() + context.feed.stall_time() + 2 * interval + ENCODE_TIME;
    let mut jpeg = found();
    if jpeg.is_none() {
        let _wanted = context
            .feed
            .want(if fresh { asked } else { asked.before(interval) });
        let waiter = client.waiter()?;
        let _place = context.hub.subscribe(waiter);
        while jpeg.is_none()
            && !context.feed.is_lost()
            && Instant::now() < give_up
            && !context.is_stopping()
        {
            client.wait(Some(give_up), || found().is_some() || context.is_stopping())?;
            jpeg = found();
        }
    }
    Ok(match jpeg {
        Some(jpeg) => Reply::jpeg(jpeg.data.clone())
            .with("X-Timestamp", &jpeg.timestamp)
            .with("X-Frame", &jpeg.sequence.to_string()),
        None if context.feed.is_lost() => super::status::no_signal(context),
        None => Reply::line(
            "503 Service Unavailable",
            "no picture in time; picam is stopping or overloaded",
        ),
    })
}
