//! What a technician needs to get a picture sharp: how sharp a part of it is, and where the lens makes it sharpest; and whether it
//! stays so.

mod drift;
mod sharpness;
mod sweep;

pub use drift::{Comparison, Drift};
pub use sharpness::{rounded, sharpness};
pub use sweep::{Curve, Step, Sweep, Verdict};
