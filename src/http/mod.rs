//! HTTP: may_minihttp accepts and parses, picam writes every byte of every response. One request a connection, every
//! connection bounded.

mod client;
mod context;
mod controls;
mod cut;
mod debug;
mod events;
mod focus;
mod freshness;
mod guard;
mod intake;
mod multipart;
mod origin;
mod page;
mod parameters;
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
mod still;
mod stream;
mod tcp;
mod token;
mod watch;

pub use context::{Context, Rendition};
pub use guard::Guard;
pub use intake::{Examined, Malformed, examine};
pub use places::Seats;
pub use request::Request;
pub use server::{Listener, start};
