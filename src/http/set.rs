//! `/set?ExposureTime=…&LensPosition=…`, by GET or POST: changes controls, all of them or none.

use super::Context;
use super::origin::{Foreign, may_change};
use super::reply::{Reply, Status};
use super::request::Request;
use crate::controls::{ControlError, Set, TABLE};

pub(super) fn reply(context: &Context, request: &Request) -> Reply {
    if request.query.is_empty() {
        let names = TABLE.each_ref().map(|control| control.name).join(", ");
        let line = format!("name at least one control: {names}");
        return Reply::line(Status::BadRequest, &line);
    }
    // A HEAD asks what a GET would answer; it changes nothing.
    let is_trusted = match request.is_head() {
        true => Ok(()),
        false => may_change(request, &context.config().server),
    };
    match is_trusted {
        Ok(()) => {}
        Err(Foreign::Unclear) => return ask(),
        Err(foreign) => return Reply::line(Status::Forbidden, &foreign.to_string()),
    }
    match set(context, request) {
        Ok(()) => Reply::line(Status::Ok, "ok"),
        Err(error) => Reply::line(Status::BadRequest, &error.to_string()),
    }
}

fn set(context: &Context, request: &Request) -> Result<(), ControlError> {
    let set = Set::parse_query(&request.query)?;
    if request.is_head() || set.is_empty() {
        return context.remote.ranges().check(&set);
    }
    apply(context, &set)
}

/// Requests `set`, and sees to it that a picam that starts again does so, too.
///
/// # Errors
/// The camera does not accept a value.
pub(super) fn apply(context: &Context, set: &Set) -> Result<(), ControlError> {
    let requested = context.remote.apply(set)?;
    if let Some(more) = context.set.allow() {
        log::info!("set {set}; requested now: {requested}{more}");
    }
    context.keep_requested();
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
