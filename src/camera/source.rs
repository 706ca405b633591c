//! What a source of frames is: a frame, the trait, its errors, and how the configured source is opened.

#[cfg(feature = "libcamera")]
use super::libcamera;
use super::turned::turned;
use super::{Lens, Readings, pattern, replay};
use crate::clock::Timestamp;
use crate::config::{CameraConfig, Source};
use crate::controls;
use crate::picture::Planes;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// One captured picture. Cheap to clone; the memory goes back to its source with the last clone.
#[derive(Clone)]
pub struct Frame {
    /// Counts up by one for each picture the source captured; gaps are frames that were lost.
    pub sequence: u64,
    /// When it was captured: the start of the exposure, or of the drawing.
    pub captured: Timestamp,
    /// `captured` by the wall clock, as the time since 1970-01-01 UTC. All that is made of one frame says the same time.
    pub unix: Duration,
    /// Columns, even.
    pub width: usize,
    /// Rows, even.
    pub height: usize,
    /// Planar YUV, full range: 4:2:0, or of a still 4:4:4.
    pub planes: Arc<dyn Planes>,
    /// What the source reported with it.
    pub readings: Readings,
}

/// A source of frames. It lives on the capture thread from [`open`] to its drop.
pub trait Camera {
    /// Waits for the next frame, at most `patience`; `None` when there was none in that time.
    ///
    /// # Errors
    /// The source failed and has to be opened again.
    fn next_frame(&mut self, patience: Duration) -> Result<Option<Frame>, CameraError>;

    /// Takes over the requested control values, all from the same frame on. `changed` are those of them that were
    /// asked for just now: one-shot controls fire only if they are in `changed`. From the first frame that shows them on,
    /// [`Readings::change`] is at least `number`.
    ///
    /// # Errors
    /// The source failed and has to be opened again.
    fn apply(
        &mut self,
        requested: &controls::Set,
        changed: &controls::Set,
        number: u64,
    ) -> Result<(), CameraError>;

    /// Captures `rate` frames a second from now on. Returns whether it can: if not, it can when it is opened again.
    ///
    /// # Errors
    /// The source failed and has to be opened again.
    fn set_rate(&mut self, rate: f64) -> Result<bool, CameraError>;

    /// Stops and starts the capture; what was requested stays in force. Frames may be numbered anew. It may block
    /// for ever: drivers do.
    ///
    /// # Errors
    /// The source failed and has to be opened again.
    fn restart(&mut self) -> Result<(), CameraError>;

    /// Orders a still beside the stream's pictures: [`Camera::still`] has it later. Returns whether the camera can do that.
    fn order_still(&mut self) -> bool {
        false
    }

    /// The still that was ordered, once: after the [`Camera::next_frame`] during which it came.
    fn still(&mut self) -> Option<Frame> {
        None
    }

    /// How much brighter pictures are than those with all the sensor's pixels, of the same light: a sensor that adds pixels
    /// up is more sensitive.
    fn sensitivity(&self) -> f64 {
        1.0
    }

    /// The lens, if it is a known one.
    fn lens(&self) -> Option<Lens> {
        None
    }

    /// Which controls the source has, and their ranges. They may change with the rate.
    fn ranges(&self) -> controls::Ranges {
        controls::Ranges::default()
    }
}

/// Why a source cannot be opened or went on no longer.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// Nothing there that could be replayed.
    #[error(
        "{path}: nothing to replay: expected a JPEG file, a folder of JPEG files, or a Y4M file"
    )]
    NothingToReplay {
        /// What the configuration names.
        path: PathBuf,
    },
    /// A file that is to be replayed cannot be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is no such camera now. It is waited for.
    #[error("{wanted} is not there; libcamera finds {found}")]
    Absent {
        /// What was looked for.
        wanted: String,
        /// What there is instead.
        found: String,
    },
    /// The camera is there but not to be had now. It is waited for.
    #[error("{0}")]
    Unavailable(String),
    /// The camera cannot work here, and trying again does not change that.
    #[error("{0}")]
    Unusable(String),
    /// The camera, or libcamera, failed.
    #[error("{what}: {reason}")]
    Failed {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        reason: String,
    },
    /// The source asked for is not in this executable.
    #[error(
        "camera.source: this picam was built without libcamera: expected \"pattern\" or \"replay:PATH\""
    )]
    NotBuiltIn,
}

impl CameraError {
    /// [`CameraError::Unreadable`].
    pub(super) fn unreadable(path: &Path, reason: impl Display) -> Self {
        Self::Unreadable {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }

    /// Whether the source is just not there, or not yet to be had: then it is waited for, for as long as it takes.
    pub(super) fn is_absence(&self) -> bool {
        matches!(
            self,
            Self::Absent { .. }
                | Self::Unavailable(_)
                | Self::NothingToReplay { .. }
                | Self::Unreadable { .. }
        )
    }
}

/// Opens the configured source and gives it its start values. A source that numbers its frames itself, perhaps in
/// the picture, goes on after the number `last`.
///
/// # Errors
/// The source is not there or not usable.
pub fn open(
    config: &CameraConfig,
    requested: &controls::Set,
    last: u64,
) -> Result<Box<dyn Camera>, CameraError> {
    let turn = config.turn();
    let camera: Box<dyn Camera> = match &config.source {
        Source::Pattern => Box::new(pattern::Pattern::new(config, last)),
        Source::Replay(path) => Box::new(replay::Replay::open(path, config, last)?),
        // Starts with what is requested, before its first frame.
        #[cfg(feature = "libcamera")]
        Source::Libcamera => {
            let camera = libcamera::Libcamera::open(config, requested)?;
            let left = camera.left_to_turn();
            return Ok(turned(Box::new(camera), left));
        }
        #[cfg(not(feature = "libcamera"))]
        Source::Libcamera => return Err(CameraError::NotBuiltIn),
    };
    let mut camera = turned(camera, turn);
    camera.apply(requested, requested, 0)?;
    Ok(camera)
}

/// Makes the machine ready for the configured source. Call it before any thread runs.
pub fn prepare(config: &CameraConfig) {
    match config.source {
        #[cfg(feature = "libcamera")]
        Source::Libcamera => libcamera::prepare(config),
        _ => {}
    }
}

/// What of libcamera is in this executable, in lines for `picam --version`; empty without the feature.
pub fn versions() -> String {
    #[cfg(feature = "libcamera")]
    return libcamera::versions();
    #[cfg(not(feature = "libcamera"))]
    String::new()
}
