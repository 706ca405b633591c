//! `GET /`: the page of the technician, one answer without anything to load after it. `build.rs` joins it from the files
//! in `page/`.

use super::Context;
use super::reply::Reply;
use super::request::Request;

const PLAIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/page.html"));
const GZIP: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/page.html.gz"));
const TAG: &str = env!("PICAM_PAGE_TAG");

pub(super) fn reply(context: &Context, request: &Request) -> Reply {
    let (body, coding) = match request.takes_gzip() {
        true => (GZIP, Some("gzip")),
        false => (PLAIN, None),
    };
    let config = context.config();
    // Pages that may set anyhow may show this one, too; any other could lead a tap to its buttons.
    let frames = match config.server.allow_origin.as_str() {
        "*" => "",
        origin => origin,
    };
    let page = Reply::built_in("text/html; charset=utf-8", TAG, body)
        .with("Vary", "Accept-Encoding")
        .with(
            "Content-Security-Policy",
            format!("{} {frames}", env!("PICAM_PAGE_POLICY")).trim_end(),
        )
        .with("Referrer-Policy", "same-origin")
        .with("X-Content-Type-Options", "nosniff");
    match (request.has(TAG), coding) {
        (true, _) => page.not_modified(),
        (false, Some(coding)) => page.with("Content-Encoding", coding),
        (false, None) => page,
    }
}
