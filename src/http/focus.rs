//! `/focus…`: how sharp a part of the picture is, and what makes it sharp: one scan of the camera's own autofocus, a sweep
//! of the lens over its range, and staying where it is.

use super::Context;
use super::client::Client;
use super::parameters::measured_window;
use super::reply::{Reply, Status};
use super::request::Request;
use super::set::apply;
use super::status::no_picture;
use super::watch::{Watch, told};
use crate::camera::{Held, HoldError};
use crate::controls::{Availability, Control, Set, shown};
use crate::focus::{Curve, Step, Sweep, Verdict, rounded};
use crate::picture::Window;
use serde_json::{Value, json};
use std::io;
use std::ops::RangeInclusive;

/// A scan that began before this many frames have passed was not seen to begin.
const FRAMES_TO_BEGIN: usize = 12;
/// A scan that has not ended after this many frames has failed.
const FRAMES_TO_END: usize = 160;

/// `GET /focus`: the newest frame.
pub(super) fn show(context: &Context, request: &Request, client: &mut Client) -> io::Result<Reply> {
    let window = match measured_window(request) {
        Ok(window) => window.unwrap_or(Window::MIDDLE),
        Err(line) => return Ok(Reply::line(Status::BadRequest, &line)),
    };
    let frame = Watch::start(context, client, window)?.next(client)?;
    Ok(match frame {
        Some((jpeg, score)) => Reply::json(Status::Ok, &told(&jpeg, window, score)),
        None => no_picture(context, context.verdict()),
    })
}

/// `POST /focus/auto`: one scan.
pub(super) fn scan(context: &Context, request: &Request, client: &mut Client) -> io::Result<Reply> {
    let window = match measured_window(request) {
        Ok(window) => window,
        Err(line) => return Ok(Reply::line(Status::BadRequest, &line)),
    };
    if let Err(taken) = context.remote.check_free() {
        return Ok(Reply::line(Status::Conflict, &taken.to_string()));
    }
    let mut query = "AfMode=auto".to_owned();
    if let Some(Window([x, y, width, height])) = window {
        query += &format!("&AfWindows={x},{y},{width},{height}");
    }
    let set = Set::parse_query(&query).map_err(|error| error.to_string());
    if let Err(line) = set.and_then(|set| apply(context, &set)) {
        return Ok(Reply::line(Status::Conflict, &line));
    }
    let window = window.unwrap_or(Window::MIDDLE);
    let mut watch = Watch::start(context, client, window)?;
    let (mut frames, mut began) = (0, false);
    loop {
        frames += 1;
        let Some((jpeg, score)) = watch.next(client)? else {
            return Ok(no_picture(context, context.verdict()));
        };
        // What is reported before the scan begins is of the one before.
        began |= jpeg.readings.af_state == Some("scanning") || frames >= FRAMES_TO_BEGIN;
        let ended = matches!(jpeg.readings.af_state, Some("focused" | "failed"));
        if began && ended || frames == FRAMES_TO_END {
            let focused = jpeg.readings.af_state == Some("focused");
            let mut answer = json!({ "result": if focused { "focused" } else { "failed" } });
            add(&mut answer, told(&jpeg, window, score));
            return Ok(Reply::json(Status::Ok, &answer));
        }
    }
}

/// `POST /focus/hold`: the lens stays where it is.
pub(super) fn hold(context: &Context) -> Reply {
    if let Err(taken) = context.remote.check_free() {
        return Reply::line(Status::Conflict, &taken.to_string());
    }
    let Some(lens) = context.remote.readings().lens_position.map(rounded) else {
        return no_lens();
    };
    match apply(context, &lens_at(lens)) {
        Ok(()) => Reply::json(Status::Ok, &json!({ "lens": lens })),
        Err(line) => Reply::line(Status::Conflict, &line),
    }
}

/// `POST /focus/sweep`: the lens goes over its range, and stays where the window is sharpest.
pub(super) fn sweep(
    context: &Context,
    request: &Request,
    client: &mut Client,
) -> io::Result<Reply> {
    let (window, range) = match (measured_window(request), range(context, request)) {
        (Ok(window), Ok(range)) => (window.unwrap_or(Window::MIDDLE), range),
        (Err(line), _) | (_, Err(line)) => return Ok(Reply::line(Status::BadRequest, &line)),
    };
    if context.remote.readings().lens_position.is_none() {
        return Ok(no_lens());
    }
    let (mut sweep, first) = Sweep::start(range);
    // Brightness and colours that change would change the scores.
    let still = Set::parse_query("AeEnable=0&AwbEnable=0").map(|set| {
        let mut set = context.remote.ranges().applicable(&set);
        set.merge(&lens_at(first));
        set
    });
    let held = still.map_err(HoldError::from);
    let held = match held.and_then(|still| context.remote.hold(&still)) {
        Ok(held) => held,
        Err(error) => return Ok(Reply::line(Status::Conflict, &error.to_string())),
    };
    let mut watch = Watch::start(context, client, window)?;
    loop {
        let Some((jpeg, score)) = watch.next(client)? else {
            return Ok(no_picture(context, context.verdict()));
        };
        // Nothing is written to the asker until the end, so this is how one that went away shows.
        if client.is_half_closed() {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        // A frame without a reading is none to learn from.
        let Some(lens) = jpeg.readings.lens_position else {
            continue;
        };
        match sweep.frame(lens, score) {
            Step::Wait => {}
            Step::Move(position) => held.change(&lens_at(position)),
            Step::Done(verdict) => return Ok(end(context, held, &sweep.curve(), &verdict)),
        }
    }
}

/// Keeps the best position, or gives back what was requested; and the answer.
fn end(context: &Context, held: Held, curve: &Curve, verdict: &Verdict) -> Reply {
    match verdict {
        Verdict::Sharp { best, .. } => {
            held.keep(&lens_at(*best));
            log::info!("focus: sharpest at {best:.2} dioptres");
            context.saved.changed();
        }
        _ => drop(held),
    }
    let points: Vec<_> = curve
        .iter()
        .map(|&(lens, score)| [lens, score].map(rounded))
        .collect();
    let mut answer = json!({ "curve": points });
    add(&mut answer, json!(verdict));
    Reply::json(Status::Ok, &answer)
}

/// The lens positions that `from` and `to` name; all that the camera has without them.
fn range(context: &Context, request: &Request) -> Result<RangeInclusive<f64>, String> {
    let control = Control::named("LensPosition").map_err(|error| error.to_string())?;
    let (least, most) = match context.remote.ranges().get(control) {
        Availability::Range { min, max } => (min, max),
        Availability::Table | Availability::Missing => return Ok(0.0..=0.0), // no lens
    };
    let read = |name: &str, default: f64| match request.parameter(name) {
        None => Ok(default),
        Some(text) => {
            let number = text.parse().ok();
            let inside = number.filter(|number| (least..=most).contains(number));
            let expected = format!("expected a number from {least} to {most} (dioptres)");
            inside.ok_or_else(|| format!("{name} = {}: {expected}", shown(text)))
        }
    };
    let (from, to) = (read("from", least)?, read("to", most)?);
    match from < to {
        true => Ok(from..=to),
        false => Err(format!("from = {from}, to = {to}: expected from below to")),
    }
}

/// A lens position within what was accepted before.
fn lens_at(position: f64) -> Set {
    Set::parse_query(&format!("LensPosition={position:.3}")).unwrap_or_default()
}

fn no_lens() -> Reply {
    let line = "the camera reports no lens position: expected one whose lens moves";
    Reply::line(Status::Conflict, line)
}

/// Adds the members of `more`, an object.
fn add(answer: &mut Value, more: Value) {
    if let (Value::Object(answer), Value::Object(more)) = (answer, more) {
        answer.extend(more);
    }
}
