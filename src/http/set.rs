//! `GET /set?ExposureTime=…&LensPosition=…`: changes controls, all of them or none.

use super::reply::Reply;
use super::{Context, Request};
use crate::controls;

pub(super) fn reply(context: &Context, request: &Request, head_only: bool) -> Reply {
    if request.query.is_empty() {
        let names: Vec<_> = controls::TABLE.iter().map(|control| control.name).collect();
        let line = format!("name at least one control; accepted: {}", names.join(", "));
        return Reply::line("400 Bad Request", &line);
    }
    match controls::Set::parse_query(&request.query) {
        Err(error) => Reply::line("400 Bad Request", &error.to_string()),
        // A HEAD asks what a GET would answer; it changes nothing.
        Ok(set) if head_only || set.is_empty() => match context.remote.limits().check(&set) {
            Err(error) => Reply::line("400 Bad Request", &error.to_string()),
            Ok(()) => Reply::line("200 OK", "ok"),
        },
        Ok(set) => match context.remote.apply(&set) {
            Err(error) => Reply::line("400 Bad Request", &error.to_string()),
            Ok(requested) => {
                log::info!("set {set}; requested now: {requested}");
                Reply::line("200 OK", "ok")
            }
        },
    }
}
