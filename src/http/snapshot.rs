//! `GET /jpg`: one picture, never older than a frame interval; with `fresh=1` captured after the request, with `width=`
//! smaller, with `crop=` a part of it, with `quality=` encoded for this request alone.

use super::client::Client;
use super::parameters::{QUALITY, flag, quality, width, window};
use super::reply::{Reply, Status};
use super::request::Request;
use super::status::no_picture;
use super::{Context, Rendition};
use crate::clock::Timestamp;
use crate::hub::Jpeg;
use crate::jpeg::{Ordered, Single};
use crate::pulse::Verdict;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Added to the stall time, for encoding.
const ENCODE_TIME: Duration = Duration::from_secs(1);
/// A JPEG for one request is there after this, or will never be.
const SINGLE_TIME: Duration = Duration::from_secs(5);

pub(super) fn reply(
    context: &Context,
    request: &Request,
    client: &mut Client,
) -> io::Result<Reply> {
    let asked = match Asked::parse(request) {
        Ok(asked) => asked,
        Err(line) => return Ok(Reply::line(Status::BadRequest, &line)),
    };
    let picture = match asked.what {
        What::Shared { width } => {
            let rendition = context.rendition(width);
            wait_for_picture(context, rendition, client, asked.fresh)?
        }
        What::Single(single) => {
            // Before the first frame, and after a stall, there is nothing yet to make it of.
            if asked.fresh || context.full.feed.newest().is_none() {
                wait_for_picture(context, context.smallest(), client, asked.fresh)?;
            }
            let Some(ordered) = context.singles.ask(single, client.waiter()?) else {
                let line = "too many ask for pictures of their own: try again";
                let busy = Reply::line(Status::Unavailable, line);
                return Ok(busy.with("Retry-After", "1"));
            };
            wait_for_single(client, &ordered)?
        }
    };
    Ok(match picture {
        Some(jpeg) => Reply::jpeg(jpeg),
        None => no_picture(context, context.verdict()),
    })
}

/// A snapshot's parameters.
#[derive(Debug, PartialEq)]
struct Asked {
    fresh: bool,
    what: What,
}

#[derive(Debug, PartialEq)]
enum What {
    /// A picture that is made once for all.
    Shared { width: Option<u32> },
    /// One for this request alone.
    Single(Single),
}

impl Asked {
    fn parse(request: &Request) -> Result<Self, String> {
        let (fresh, width) = (flag(request, "fresh")?, width(request)?);
        let (window, quality) = (window(request, "crop")?, quality(request)?);
        let what = match (window, quality, width) {
            (None, None, width) => What::Shared { width },
            (window, quality, None) => What::Single(Single {
                window,
                quality: quality.unwrap_or(QUALITY),
            }),
            _ => return Err("width with crop or quality: expected width alone".to_owned()),
        };
        Ok(Self { fresh, what })
    }
}

/// The picture for this request; `None` if there is none.
fn wait_for_single(
    client: &mut Client,
    ordered: &Ordered<Option<Arc<Jpeg>>>,
) -> io::Result<Option<Arc<Jpeg>>> {
    let give_up = Instant::now() + SINGLE_TIME;
    while ordered.outcome().is_none() && Instant::now() < give_up {
        client.wait(Some(give_up), || ordered.outcome().is_some())?;
    }
    Ok(ordered.outcome().flatten())
}

/// The picture that is asked for; `None` if there will be none in time.
fn wait_for_picture(
    context: &Context,
    rendition: &Rendition,
    client: &mut Client,
    fresh: bool,
) -> io::Result<Option<Arc<Jpeg>>> {
    let asked = Timestamp::now();
    let interval = context.pulse.interval();
    let oldest = if fresh { asked } else { asked.before(interval) };
    let fits =
        |jpeg: &Arc<Jpeg>| jpeg.live && if fresh { jpeg.captured } else { jpeg.arrived } >= oldest;
    let found = || rendition.hub.newest().filter(fits);
    if let Some(jpeg) = found() {
        return Ok(Some(jpeg));
    }
    let _wanted = rendition.feed.want(oldest, None);
    let waiter = client.waiter()?;
    let _place = rendition.hub.subscribe(waiter);
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
