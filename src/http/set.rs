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
        Ok(set) => {
            // A HEAD asks what a GET would answer; it changes nothing.
            if !head_only && !set.is_empty() {
                let requested = context.remote.apply(&set);
                log::info!("set {set}; requested now: {requested}");
            }
            Reply::line("200 OK", "ok")
        }
    }
}
