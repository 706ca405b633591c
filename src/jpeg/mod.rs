//! From frames to JPEGs: the encode thread takes a frame from the [`Feed`](crate::feed::Feed) when somebody wants
//! one, encodes it once for all clients, and publishes it on the [`Hub`](crate::hub::Hub). It knows nothing of HTTP.

mod encoder;
mod no_signal;
mod worker;

pub use encoder::Encoder;
pub use worker::{EncodeJob, Encoding, Fault, Settings};
