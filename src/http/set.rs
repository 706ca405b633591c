//! `/set?ExposureTime=…&LensPosition=…`, by GET or POST: changes controls, all of them or none. With `save=1` they are
//! saved, too, or nothing is changed; with `wait=1` the answer names the first frame that shows the change.

use super::Context;
use super::client::Client;
use super::origin::{Foreign, may_change};
use super::reply::{Reply, Status};
use super::request::Request;
use super::save::carry_out;
use super::status::no_picture;
use super::watch::Watch;
use crate::config::Change;
use crate::controls::{Set, TABLE, shown};
use crate::picture::Window;
use std::io;

/// The parameters that are no controls.
const SAVE: &str = "save";
const WAIT: &str = "wait";
/// A change that so many frames do not show will not be seen.
const FRAMES_TO_SHOW: usize = 40;

pub(super) fn reply(
    context: &Context,
    request: &Request,
    client: &mut Client,
) -> io::Result<Reply> {
    if request.query.is_empty() {
        let names = TABLE.each_ref().map(|control| control.name).join(", ");
        let line = format!("name at least one control: {names}");
        return Ok(Reply::line(Status::BadRequest, &line));
    }
    // A HEAD asks what a GET would answer; it changes nothing.
    let is_trusted = match request.is_head() {
        true => Ok(()),
        false => may_change(request, &context.config().server),
    };
    match is_trusted {
        Ok(()) => {}
        Err(Foreign::Unclear) => return Ok(ask()),
        Err(foreign) => return Ok(Reply::line(Status::Forbidden, &foreign.to_string())),
    }
    match Asked::parse(context, &request.query) {
        Ok(_) if request.is_head() => Ok(Reply::line(Status::Ok, "ok")),
        Ok(asked) => carry_out_asked(context, client, asked),
        Err(line) => Ok(Reply::line(Status::BadRequest, &line)),
    }
}

/// What a query wants, all of which the open camera accepts.
struct Asked {
    set: Set,
    save: bool,
    wait: bool,
}

impl Asked {
    fn parse(context: &Context, query: &str) -> Result<Self, String> {
        let pairs = form_urlencoded::parse(query.as_bytes());
        let (flags, controls): (Vec<_>, Vec<_>) =
            pairs.partition(|(name, _)| name == SAVE || name == WAIT);
        let flag = |flag: &str| {
            let mut given = flags.iter().filter(|(name, _)| name == flag);
            match (given.next().map(|(_, text)| &**text), given.next()) {
                (_, Some(_)) => Err(format!("{flag} is given twice: expected once")),
                (None | Some("" | "0"), None) => Ok(false),
                (Some("1"), None) => Ok(true),
                (Some(other), None) => Err(format!("{flag} = {}: expected 0 or 1", shown(other))),
            }
        };
        let (save, wait) = (flag(SAVE)?, flag(WAIT)?);
        let set = Set::from_pairs(controls).map_err(|error| error.to_string())?;
        let fits = context.remote.ranges().check(&set);
        fits.map_err(|error| error.to_string())?;
        Ok(Self { set, save, wait })
    }
}

fn carry_out_asked(context: &Context, client: &mut Client, asked: Asked) -> io::Result<Reply> {
    let Asked { set, save, wait } = asked;
    if wait && let Err(taken) = context.remote.check_free() {
        return Ok(Reply::line(Status::Conflict, &taken.to_string()));
    }
    let done = match save {
        true => carry_out(context, client, Change::Save(set))?,
        false => match apply(context, &set) {
            Ok(()) => Reply::line(Status::Ok, "ok"),
            Err(line) => Reply::line(Status::BadRequest, &line),
        },
    };
    match wait && done.is_ok() {
        true => first_frame(context, client),
        false => Ok(done),
    }
}

/// Names the first frame that shows all that was requested until now.
fn first_frame(context: &Context, client: &mut Client) -> io::Result<Reply> {
    let change = context.remote.changes();
    let mut watch = Watch::start(context, client, Window::MIDDLE)?;
    for _ in 0..FRAMES_TO_SHOW {
        match watch.next(client)? {
            Some((jpeg, _)) if jpeg.readings.change >= change => {
                let done = Reply::line(Status::Ok, "ok");
                return Ok(done.with("X-Frame", &jpeg.sequence.to_string()));
            }
            Some(_) => {}
            None => return Ok(no_picture(context, context.verdict())),
        }
    }
    let line = format!("requested, but {FRAMES_TO_SHOW} frames did not show it");
    Ok(Reply::line(Status::Unavailable, &line))
}

/// Requests `set`, and sees to it that a picam that starts again does so, too.
///
/// # Errors
/// The camera does not accept a value; one line.
pub(super) fn apply(context: &Context, set: &Set) -> Result<(), String> {
    if set.is_empty() {
        return Ok(());
    }
    let requested = context
        .remote
        .apply(set)
        .map_err(|error| error.to_string())?;
    if let Some(more) = context.set.allow() {
        log::info!("set {set}; requested now: {requested}{more}");
    }
    context.saved.changed();
    Ok(())
}

/// A page that shows what is to be set, and sets it by a POST once somebody taps its button.
fn ask() -> Reply {
    let page = include_str!(concat!(env!("OUT_DIR"), "/set.html"));
    Reply::text(
        Status::Forbidden,
        "text/html; charset=utf-8",
        page.to_owned(),
    )
    .with("Content-Security-Policy", env!("PICAM_SET_PAGE_POLICY"))
}
