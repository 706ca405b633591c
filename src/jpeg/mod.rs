//! From frames to JPEGs: an encode thread takes a frame from its [`Feed`](crate::feed::Feed) when somebody wants
//! one, encodes it once for all clients, and publishes it on its [`Hub`](crate::hub::Hub). It knows nothing of HTTP.

mod crops;
mod encoder;
mod exif;
mod no_signal;
mod orders;
mod shrink;
mod stills;
mod worker;

pub use crops::Crops;
pub use encoder::Encoder;
pub use orders::Ordered;
pub use shrink::shrunk_height;
pub use stills::{Stills, TakeStill};
pub use worker::{EncodeJob, Encoding, Fault, Settings};

/// Columns of the smaller JPEGs that can be asked for.
pub const WIDTHS: [u32; 3] = [480, 960, 1440];
/// Quality of the smaller JPEGs: they go to screens over Wi-Fi.
pub const SMALLER_QUALITY: u8 = 75;
