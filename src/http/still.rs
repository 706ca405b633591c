//! `GET /still`: one picture with all the sensor's pixels, while the streams wait.

use super::Context;
use super::client::Client;
use super::origin::{Foreign, may_change};
use super::parameters::{QUALITY, quality};
use super::reply::{Reply, Status};
use super::request::Request;
use crate::config::StillMode;
use std::io;
use std::time::{Duration, Instant};

/// Those who wait for others give up after this.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn reply(
    context: &Context,
    request: &Request,
    client: &mut Client,
) -> io::Result<Reply> {
    if context.config().camera.still == StillMode::Off {
        let line = "camera.still = \"off\": expected \"switch\" or \"always\"";
        return Ok(Reply::line(Status::Conflict, line));
    }
    // An `<img>` of any page looks like a typed address, and that may be asked for; what is known to be foreign may not.
    if let Err(foreign @ (Foreign::Name(_) | Foreign::Page(_))) =
        may_change(request, &context.config().server)
    {
        return Ok(Reply::line(Status::Forbidden, &foreign.to_string()));
    }
    let quality = match quality(request) {
        Ok(quality) => quality.unwrap_or(QUALITY),
        Err(line) => return Ok(Reply::line(Status::BadRequest, &line)),
    };
    if request.is_head() {
        return Ok(Reply::text(Status::Ok, "image/jpeg", String::new()));
    }
    let Some(ordered) = context.stills.ask(quality, client.waiter()?) else {
        let busy = Reply::line(Status::Unavailable, "too many ask for stills: try again");
        return Ok(busy.with("Retry-After", "5"));
    };
    let give_up = Instant::now() + PATIENCE;
    loop {
        match ordered.outcome() {
            Some(Ok(jpeg)) => return Ok(Reply::jpeg(jpeg)),
            Some(Err(reason)) => {
                let line = format!("no still: {reason}");
                return Ok(Reply::line(Status::Unavailable, &line));
            }
            None if context.is_stopping() || Instant::now() >= give_up => {
                return Ok(Reply::line(Status::Unavailable, "no still in time"));
            }
            None => client.wait(Some(give_up), || {
                ordered.outcome().is_some() || context.is_stopping()
            })?,
        }
    }
}
