//! `GET /events`: server-sent events, one a frame: what the camera reported, and how sharp a part of the picture is.

use super::Context;
use super::client::Client;
use super::parameters::measured_window;
use super::reply::{Reply, Status, allow};
use super::request::Request;
use super::watch::{Watch, told};
use crate::picture::Window;
use std::io;

/// While no frame comes, this says that picam is there. It is a comment to the reader.
const NO_FRAME: &str = ": no frame\n\n";

pub(super) fn serve(context: &Context, request: &Request, client: &mut Client) -> io::Result<()> {
    let window = match measured_window(request) {
        Ok(window) => window.unwrap_or(Window::MIDDLE),
        Err(line) => {
            let refused = Reply::line(Status::BadRequest, &line);
            return client.reply(context, request, &refused);
        }
    };
    let head = head(&context.config().server.allow_origin);
    if request.is_head() {
        return client.write(&[head.as_bytes()]);
    }
    let most = context.guard.limits().events;
    let _seat = match context.events.take("events", most, &context.metrics) {
        Ok(seat) => seat,
        Err(full) => return client.reply(context, request, &full),
    };
    // Browsers come back after this many milliseconds.
    client.write(&[head.as_bytes(), b"retry: 1000\n\n"])?;
    let mut watch = Watch::start(context, client, window)?;
    while !context.is_stopping() {
        let event = match watch.next(client)? {
            Some((jpeg, score)) => format!("data: {}\n\n", told(&jpeg, window, score)),
            None => NO_FRAME.to_owned(),
        };
        client.write(&[event.as_bytes()])?;
    }
    Ok(())
}

fn head(allow_origin: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nServer: picam/{}\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n\
         X-Accel-Buffering: no\r\n{}Connection: close\r\n\r\n",
        env!("CARGO_PKG_VERSION"),
        allow(allow_origin)
    )
}
