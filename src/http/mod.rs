//! HTTP: may_minihttp accepts and parses, picam writes every byte of every response. One request a connection, every
//! connection bounded.

mod client;
mod context;
mod controls;
mod cut;
mod debug;
mod freshness;
mod guard;
mod intake;
mod multipart;
mod origin;
mod places;
mod prediction;
mod rate_limit;
mod reply;
mod request;
mod route;
mod save;
mod server;
mod set;
mod snapshot;
mod status;
mod stream;
mod tcp;

pub use context::Context;
pub use guard::Guard;
pub use intake::{Examined, Malformed, examine};
pub use request::Request;
pub use server::{Listener, start};
