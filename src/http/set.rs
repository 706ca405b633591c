//! `/set?ExposureTime=…&LensPosition=…`, by GET or POST: changes controls, all of them or none. With `save=1` they are
//! saved, too, or nothing is changed.

use super::Context;
use super::client::Client;
use super::origin::{Foreign, may_change};
use super::reply::{Reply, Status};
use super::request::Request;
use super::save::carry_out;
use crate::config::Change;
use crate::controls::{Set, TABLE, shown};
use std::io;

/// The parameter that is no control.
const SAVE: &str = "save";

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
    match check(context, &request.query) {
        Ok((set, true)) if !request.is_head() => carry_out(context, client, Change::Save(set)),
        Ok((set, false)) if !request.is_head() && !set.is_empty() => Ok(done(apply(context, &set))),
        checked => Ok(done(checked.map(|_| ()))),
    }
}

fn done(outcome: Result<(), String>) -> Reply {
    match outcome {
        Ok(()) => Reply::line(Status::Ok, "ok"),
        Err(line) => Reply::line(Status::BadRequest, &line),
    }
}

/// What the query wants to be set, which the open camera accepts, and whether it is to be saved.
fn check(context: &Context, query: &str) -> Result<(Set, bool), String> {
    let (save, controls): (Vec<_>, Vec<_>) =
        form_urlencoded::parse(query.as_bytes()).partition(|(name, _)| name == SAVE);
    let save = match save.as_slice() {
        [] => false,
        [(_, text)] => match &**text {
            "" | "0" => false,
            "1" => true,
            other => return Err(format!("{SAVE} = {}: expected 0 or 1", shown(other))),
        },
        _ => return Err(format!("{SAVE} is given twice: expected once")),
    };
    let set = Set::from_pairs(controls).map_err(|error| error.to_string())?;
    let fits = context.remote.ranges().check(&set);
    fits.map(|()| (set, save))
        .map_err(|error| error.to_string())
}

/// Requests `set`, and sees to it that a picam that starts again does so, too.
///
/// # Errors
/// The camera does not accept a value; one line.
pub(super) fn apply(context: &Context, set: &Set) -> Result<(), String> {
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
