//! `GET /jpg`: one picture, never older than a frame interval; with `fresh=1` captured after the request.

use super::Context;
use super::client::Client;
use super::reply::{Reply, Status};
use super::request::Request;
use super::status::no_picture;
use crate::clock::Timestamp;
use crate::controls::shown;
use crate::hub::Jpeg;
use crate::pulse::Verdict;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Added to the stall time, for encoding.
const ENCODE_TIME: Duration = Duration::from_secs(1);

pub(super) fn reply(
    context: &Context,
    request: &Request,
    client: &mut Client,
) -> io::Result<Reply> {
    let fresh = match request.parameter("fresh") {
        None | Some("" | "0") => false,
        Some("1") => true,
        Some(other) => {
            let line = format!("fresh = {}: expected 0 or 1", shown(other));
            return Ok(Reply::line(Status::BadRequest, &line));
        }
    };
    Ok(match wait_for_picture(context, client, fresh)? {
        Some(jpeg) => Reply::jpeg(Arc::clone(&jpeg))
            .with("X-Timestamp", &jpeg.timestamp)
            .with("X-Frame", &jpeg.sequence.to_string()),
        None => no_picture(context, context.verdict()),
    })
}

/// The picture that is asked for; `None` if there will be none in time.
fn wait_for_picture(
    context: &Context,
    client: &mut Client,
    fresh: bool,
) -> io::Result<Option<Arc<Jpeg>>> {
    let asked = Timestamp::now();
    let interval = context.pulse.interval();
    let oldest = if fresh { asked } else { asked.before(interval) };
    let fits =
        |jpeg: &Arc<Jpeg>| jpeg.live && if fresh { jpeg.captured } else { jpeg.arrived } >= oldest;
    let found = || context.hub.newest().filter(fits);
    if let Some(jpeg) = found() {
        return Ok(Some(jpeg));
    }
    let _wanted = context.feed.want(oldest);
    let waiter = client.waiter()?;
    let _place = context.hub.subscribe(waiter);
    // Two intervals may pass until a frame whose exposure began after the request is read out.
    let patience = context.pulse.patience() + 2 * interval + ENCODE_TIME;
    let give_up = Instant::now() + patience;
    let hopeless = || {
        // An encoder that fails is asked on: else nobody would see that it works again, or that it never will.
        let dark = matches!(context.verdict(), Verdict::NoFrames | Verdict::EncoderHangs);
        dark || context.is_stopping() || Instant::now() >= give_up
    };
    while !hopeless() {
        client.wait(Some(give_up), || found().is_some() || context.is_stopping())?;
        if let Some(jpeg) = found() {
            return Ok(Some(jpeg));
        }
    }
    Ok(None)
}
