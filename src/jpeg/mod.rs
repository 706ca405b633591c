//! From frames to JPEGs: an encode thread takes a frame from its [`Feed`](crate::feed::Feed) when somebody wants
//! one, encodes it once for all clients, and publishes it on its [`Hub`](crate::hub::Hub). It knows nothing of HTTP.

mod bands;
mod budget;
mod encoder;
mod exif;
mod join;
mod no_signal;
mod orders;
mod overload;
mod shrink;
mod singles;
mod stills;
mod threads;
mod worker;

pub use encoder::Encoder;
pub use orders::Ordered;
pub use shrink::shrunk_height;
pub use singles::{Single, Singles};
pub use stills::{Stills, TakeStill};
pub use worker::{EncodeJob, Encoding, Fault, Settings};

use crate::config::{AutoOr, JpegConfig};

/// Columns of the smaller JPEGs that can be asked for.
pub const WIDTHS: [u32; 3] = [480, 960, 1440];
const _: () = assert!(WIDTHS.len() < crate::pulse::ENCODERS);
/// The smaller JPEGs: they go to screens over Wi-Fi, and one thread has little work with them.
pub const SMALLER: JpegConfig = JpegConfig {
    quality: 75,
    threads: AutoOr::Given(1),
    max_mbit: 0.0,
};
