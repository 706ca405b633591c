//! `/debug/…`, with PICAM_TEST_FAULTS=1 only: lets parts of picam fail, for tests.

use super::Context;
use super::reply::{Reply, Status};
use super::request::Request;
use crate::jpeg::Fault;
use crate::system::{faults, sandbox};
use std::time::Duration;

pub(super) fn reply(context: &Context, request: &Request) -> Reply {
    match request.path.as_str() {
        "/debug/panic" => panic!("as asked by /debug/panic"),
        "/debug/hang" => context.remote.hang(),
        "/debug/segfault" => faults::segfault(),
        "/debug/abort" => std::process::abort(),
        "/debug/overflow" => overflow(1),
        "/debug/encoder/segfault" => context.encoder.inject(Fault::Segfault),
        "/debug/encoder/fail" => context.encoder.inject(Fault::Fail),
        "/debug/encoder/hang" => context.encoder.inject(Fault::Hang),
        "/debug/encoder/hang-band" => context.encoder.inject(Fault::HangBand),
        "/debug/encoder/panic-band" => context.encoder.inject(Fault::PanicBand),
        "/debug/encoder/panic" => context.encoder.inject(Fault::Panic),
        "/debug/stall" => {
            let seconds = request.parameter("seconds").map(str::parse);
            let Some(Ok(seconds @ 0..=3600)) = seconds else {
                let line = "seconds: expected an integer from 0 to 3600";
                return Reply::line(Status::BadRequest, line);
            };
            context.remote.stall(Duration::from_secs(seconds));
        }
        path => return attempt(path, request),
    }
    Reply::line(Status::Ok, "ok")
}

/// Tries what the sandbox may refuse.
fn attempt(path: &str, request: &Request) -> Reply {
    let what = path.trim_start_matches("/debug/sandbox/");
    let target = request.parameter("target").unwrap_or_default();
    match sandbox::attempt(what, target) {
        Some(Ok(result)) => Reply::line(Status::Ok, &format!("done: {result}")),
        Some(Err(error)) => Reply::line(Status::Ok, &format!("refused: {error}")),
        None => Reply::line(Status::NotFound, "no such fault"),
    }
}

/// Calls itself until the coroutine's stack ends.
fn overflow(depth: u64) {
    let frame = [depth; 64];
    if std::hint::black_box(&frame)[0] > 0 {
        overflow(depth + 1);
    }
    std::hint::black_box(&frame);
}
