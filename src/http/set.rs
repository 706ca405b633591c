//! `GET /set?ExposureTime=…&LensPosition=…`: changes controls, all of them or none.

use super::Context;
use super::reply::{Reply, Status};
use super::request::Request;
use crate::controls::{ControlError, Set, TABLE};

pub(super) fn reply(context: &Context, request: &Request) -> Reply {
    if request.query.is_empty() {
        let names = TABLE.each_ref().map(|control| control.name).join(", ");
        let line = format!("name at least one control: {names}");
        return Reply::line(Status::BadRequest, &line);
    }
    match set(context, request) {
        Ok(()) => Reply::line(Status::Ok, "ok"),
        Err(error) => Reply::line(Status::BadRequest, &error.to_string()),
    }
}

fn set(context: &Context, request: &Request) -> Result<(), ControlError> {
    let set = Set::parse_query(&request.query)?;
    // A HEAD asks what a GET would answer; it changes nothing.
    if request.is_head() || set.is_empty() {
        return context.remote.ranges().check(&set);
    }
    let requested = context.remote.apply(&set)?;
    if let Some(more) = context.set.allow() {
        log::info!("set {set}; requested now: {requested}{more}");
    }
    if let Some(saved) = &context.saved {
        saved.save();
    }
    Ok(())
}
