//! Plays a JPEG file, a folder of JPEG files or a Y4M file, at the configured rate and size, for ever.

mod fit;
mod player;
mod stills;
mod video;

pub(super) use player::Replay;
