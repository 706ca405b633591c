//! Where frames come from: one trait, and the sources behind it. Nothing downstream knows which runs.

mod beat;
mod capture;
#[cfg(feature = "libcamera")]
mod libcamera;
mod numbers;
mod pattern;
mod readings;
mod recovery;
mod remote;
mod replay;
mod source;
mod still;
mod turned;
mod worker;

pub use capture::{Capture, CaptureError, CaptureJob};
pub use readings::Readings;
pub use recovery::Step;
pub use remote::{Held, HoldError, Remote};
pub use source::{Camera, CameraError, Frame, open, prepare, versions};
pub use still::{Lens, Still};
