//! `POST /save`, `/undo` and `/reset`: what becomes of what was set. The state thread writes; the client's coroutine waits
//! for it, and nobody else does.

use super::Context;
use super::client::Client;
use super::reply::{Reply, Status};
use crate::config::{Change, NotKept, Order};
use crate::controls::Set;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A card that takes longer has failed, or is about to.
const PATIENCE: Duration = Duration::from_secs(10);

/// Saves what is requested.
pub(super) fn save(context: &Context, client: &mut Client) -> io::Result<Reply> {
    carry_out(context, client, Change::Save(Set::default()))
}

/// Requests what is saved.
pub(super) fn undo(context: &Context) -> Reply {
    let base = context.saved.base();
    context.remote.replace(base);
    context.saved.changed();
    log::info!("back to what is saved: {base}");
    Reply::line(Status::Ok, "ok")
}

/// Forgets what is saved, and requests what the configuration files say.
pub(super) fn reset(context: &Context, client: &mut Client) -> io::Result<Reply> {
    carry_out(context, client, Change::Reset)
}

/// Lets the state thread carry out a change of what is saved, and answers how that went.
pub(super) fn carry_out(
    context: &Context,
    client: &mut Client,
    change: Change,
) -> io::Result<Reply> {
    let waiter = client.waiter()?;
    let order = Arc::new(Order::new(change, move || waiter.wake()));
    context.saved.order(&order);
    let give_up = Instant::now() + PATIENCE;
    while order.outcome().is_none() && Instant::now() < give_up {
        client.wait(Some(give_up), || order.outcome().is_some())?;
    }
    let outcome = order.outcome();
    order.give_up();
    Ok(match outcome {
        Some(Ok(())) => Reply::line(Status::Ok, "ok"),
        Some(Err(stopping @ NotKept::Stopping)) => {
            Reply::line(Status::Unavailable, &stopping.to_string())
        }
        Some(Err(refusal)) => Reply::line(Status::InsufficientStorage, &refusal.to_string()),
        None => {
            let seconds = PATIENCE.as_secs();
            let line = format!(
                "state.directory: nothing was written for {seconds} s; /controls shows what is saved"
            );
            Reply::line(Status::Unavailable, &line)
        }
    })
}
