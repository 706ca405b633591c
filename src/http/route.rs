//! Which endpoint a request asks for, whether it may, and its answer.

use super::client::Client;
use super::origin::{may_change, may_read};
use super::reply::{Reply, Status};
use super::request::Request;
use super::token::{self, Denied, Purpose};
use super::{
    Context, controls, debug, events, focus, page, save, set, snapshot, status, still, stream,
};
use std::io;
use std::time::{Duration, Instant};

/// Until a wrong token or key is answered.
const WRONG_TOKEN_TIME: Duration = Duration::from_secs(1);

/// What there is under a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Endpoint {
    Page,
    Stream,
    Snapshot,
    Still,
    Set,
    Save,
    Undo,
    Reset,
    Controls,
    Focus,
    Scan,
    Hold,
    Sweep,
    Events,
    Status,
    Metrics,
    Health,
    Debug,
}

impl Endpoint {
    fn purpose(self) -> Purpose {
        match self {
            // Supervisors and load balancers ask; it tells nothing else. The page is the same of every picam.
            Endpoint::Health | Endpoint::Page => Purpose::Open,
            // A still stops the streams for a moment.
            Endpoint::Still | Endpoint::Debug => Purpose::Change,
            changing if changing.takes("POST") => Purpose::Change,
            _ => Purpose::Read,
        }
    }

    fn methods(self) -> &'static str {
        match self {
            Endpoint::Set => "GET, HEAD, POST",
            Endpoint::Save
            | Endpoint::Undo
            | Endpoint::Reset
            | Endpoint::Scan
            | Endpoint::Hold
            | Endpoint::Sweep => "POST",
            _ => "GET, HEAD",
        }
    }

    fn takes(self, method: &str) -> bool {
        self.methods().split(", ").any(|it| it == method)
    }
}

fn endpoint(request: &Request, faults: bool) -> Option<Endpoint> {
    match request.path.as_str() {
        "/stream" | "/stream.mjpg" => Some(Endpoint::Stream),
        "/jpg" | "/snapshot" | "/snapshot.jpg" => Some(Endpoint::Snapshot),
        "/" => match request.parameter("action") {
            None => Some(Endpoint::Page),
            Some("stream") => Some(Endpoint::Stream),
            Some("snapshot") => Some(Endpoint::Snapshot),
            Some(_) => None,
        },
        "/still" => Some(Endpoint::Still),
        "/set" => Some(Endpoint::Set),
        "/save" => Some(Endpoint::Save),
        "/undo" => Some(Endpoint::Undo),
        "/reset" => Some(Endpoint::Reset),
        "/controls" => Some(Endpoint::Controls),
        "/focus" => Some(Endpoint::Focus),
        "/focus/auto" => Some(Endpoint::Scan),
        "/focus/hold" => Some(Endpoint::Hold),
        "/focus/sweep" => Some(Endpoint::Sweep),
        "/events" => Some(Endpoint::Events),
        "/status" => Some(Endpoint::Status),
        "/metrics" => Some(Endpoint::Metrics),
        "/healthz" => Some(Endpoint::Health),
        path if faults && path.starts_with("/debug/") => Some(Endpoint::Debug),
        _ => None,
    }
}

/// Answers one request, streams until they end.
pub(super) fn answer(context: &Context, request: &Request, client: &mut Client) -> io::Result<()> {
    let endpoint = endpoint(request, context.faults);
    let purpose = endpoint.map_or(Purpose::Open, Endpoint::purpose);
    let allowed = token::check(request, purpose, &context.config().server);
    let reply = match (refusal(context, request, endpoint), allowed) {
        (Some(refusal), _) => refusal,
        (None, Err(denied)) => {
            if denied == Denied::Wrong {
                slow_down(context, client)?;
            }
            denied.reply(purpose)
        }
        (None, Ok(())) => match endpoint {
            Some(Endpoint::Stream) => return stream::serve(context, request, client),
            Some(Endpoint::Page) => page::reply(context, request),
            Some(Endpoint::Snapshot) => snapshot::reply(context, request, client)?,
            Some(Endpoint::Still) => still::reply(context, request, client)?,
            Some(Endpoint::Set) => set::reply(context, request, client)?,
            Some(Endpoint::Save) => save::save(context, client)?,
            Some(Endpoint::Undo) => save::undo(context),
            Some(Endpoint::Reset) => save::reset(context, client)?,
            Some(Endpoint::Controls) => controls::json(context),
            Some(Endpoint::Focus) => focus::show(context, request, client)?,
            Some(Endpoint::Scan) => focus::scan(context, request, client)?,
            Some(Endpoint::Hold) => focus::hold(context),
            Some(Endpoint::Sweep) => focus::sweep(context, request, client)?,
            Some(Endpoint::Events) => return events::serve(context, request, client),
            Some(Endpoint::Status) => status::json(context),
            Some(Endpoint::Metrics) => status::metrics(context, request),
            Some(Endpoint::Health) => status::health(context),
            Some(Endpoint::Debug) => debug::reply(context, request),
            None => Reply::line(
                Status::NotFound,
                "nothing here; there are / /stream /jpg /still /set /save /undo /reset /controls /focus /focus/auto /focus/hold /focus/sweep /events /status /metrics /healthz",
            ),
        },
    };
    client.reply(context, request, &reply)
}

/// Who guesses waits.
fn slow_down(context: &Context, client: &mut Client) -> io::Result<()> {
    let until = Instant::now() + WRONG_TOKEN_TIME;
    while Instant::now() < until && !context.is_stopping() {
        client.wait(Some(until), || context.is_stopping())?;
    }
    Ok(())
}

/// What is answered to a request that its endpoint need not see.
fn refusal(context: &Context, request: &Request, endpoint: Option<Endpoint>) -> Option<Reply> {
    let methods = endpoint.map_or("GET, HEAD", Endpoint::methods);
    match request.method.as_str() {
        method if methods.split(", ").any(|it| it == method) => {}
        // A browser's question before it asks on behalf of another page.
        "OPTIONS" if !context.config().server.allow_origin.is_empty() => {
            let allowed = Reply::nothing().with("Access-Control-Allow-Methods", methods);
            return Some(allowed.with("Access-Control-Allow-Headers", "*"));
        }
        _ => {
            let line = format!("{}: expected {}", request.method, methods);
            return Some(Reply::line(Status::MethodNotAllowed, &line).with("Allow", methods));
        }
    }
    if let Some(length) = &request.bad_length {
        let line = format!("Content-Length = {length:?}: expected a number of bytes");
        return Some(Reply::line(Status::BadRequest, &line));
    }
    if request.method == "POST" && request.has_body {
        let line = "expected no body: what is to be set stands in the query";
        return Some(Reply::line(Status::TooLarge, line));
    }
    let config = context.config();
    let server = &config.server;
    let asked = match request.method.as_str() {
        "POST" => may_change(request, server),
        _ => may_read(request, server),
    };
    let foreign = asked.err()?;
    Some(Reply::line(Status::Forbidden, &foreign.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(target: &str, faults: bool) -> Option<Endpoint> {
        endpoint(&Request::new("GET", target, std::iter::empty()), faults)
    }

    #[test]
    fn the_paths_that_the_ecosystem_knows() {
        for path in [
            "/stream",
            "/stream.mjpg",
            "/?action=stream",
            "/?action=stream?dummy=1.mjpg",
            "/stream?fps=2",
        ] {
            assert_eq!(at(path, false), Some(Endpoint::Stream), "{path}");
        }
        for path in [
            "/jpg",
            "/snapshot",
            "/snapshot.jpg",
            "/?action=snapshot",
            "/?action=snapshot&t=1",
        ] {
            assert_eq!(at(path, false), Some(Endpoint::Snapshot), "{path}");
        }
        for path in ["/", "/?", "/?utm_source=x"] {
            assert_eq!(at(path, false), Some(Endpoint::Page), "{path}");
        }
        for path in [
            "/?action=command",
            "/stream/",
            "/STREAM",
            "/debug/panic",
            "/debug/hang",
            "",
        ] {
            assert_eq!(at(path, false), None, "{path}");
        }
        assert_eq!(at("/debug/panic", true), Some(Endpoint::Debug));
    }
}
