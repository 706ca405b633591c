//! `GET /controls`: what can be set, for programs and pages that offer it.

use super::Context;
use super::reply::{Reply, Status};
use crate::controls::{Availability, Control, Kind, TABLE};
use serde_json::{Value, json};

pub(super) fn json(context: &Context) -> Reply {
    let ranges = context.remote.ranges();
    let (requested, actual) = (context.remote.requested(), json!(context.remote.readings()));
    let (configured, saved) = (context.config().controls, context.saved.base());
    let row = |control: &'static Control| {
        let availability = ranges.get(control);
        let (kind, takes_auto) = match control.kind {
            Kind::OrAuto(kind) => (*kind, true),
            kind => (kind, false),
        };
        let (min, max) = match (availability, kind) {
            (Availability::Range { min, max }, _) => (Some(min), Some(max)),
            (_, Kind::Integer(range) | Kind::Float(range) | Kind::Pair(_, range)) => {
                (Some(range.min), range.max)
            }
            _ => (None, None),
        };
        let choices = match kind {
            Kind::Enum(words) => Some(words),
            _ => None,
        };
        let missing = availability == Availability::Missing;
        json!({
            "name": control.name,
            "type": type_of(kind),
            "auto": takes_auto,
            "unit": control.unit,
            "min": min,
            "max": max,
            "choices": choices,
            "configured": configured.get(control.id),
            "requested": requested.get(control.id),
            "actual": actual.get(control.name),
            "saved": saved.get(control.id),
            "help": control.effect,
            "unavailable": missing.then(|| format!("this camera has no {}", control.name)),
        })
    };
    let list: Value = TABLE.iter().map(row).collect();
    Reply::text(Status::Ok, "application/json", format!("{list:#}\n"))
}

fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer(_) => "integer",
        Kind::Float(_) => "number",
        Kind::Bool => "boolean",
        Kind::Enum(_) => "choice",
        Kind::Pair(..) => "pair",
        Kind::Window => "window",
        Kind::OrAuto(kind) => type_of(*kind),
    }
}
