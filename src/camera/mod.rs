//! Where frames come from: one trait, and the sources behind it. Nothing downstream knows which runs.

mod capture;
mod pattern;
mod replay;

pub use capture::{Capture, CaptureError, Remote};

use crate::clock::Timestamp;
use crate::config::{CameraConfig, Source};
use crate::controls;
use crate::picture::Planes;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One captured picture. Cheap to clone; the memory goes back to its source with the last clone.
#[derive(Clone)]
pub struct Frame {
    /// Counts up by one for each picture the source captured; gaps are frames that were lost.
    pub sequence: u64,
    /// When it was captured: the start of the exposure, or of the drawing.
    pub captured: Timestamp,
    /// Columns, even.
    pub width: usize,
    /// Rows, even.
    pub height: usize,
    /// Planar YUV 4:2:0, full range.
    pub planes: Arc<dyn Planes>,
}

/// A source of frames. It lives on the capture thread from [`open`] to its drop.
pub trait Camera {
    /// Waits for the next frame, at most `patience`; `None` when there was none in that time.
    ///
    /// # Errors
    /// The source failed and has to be opened again.
    fn next_frame(&mut self, patience: Duration) -> Result<Option<Frame>, CameraError>;

    /// Takes over the requested control values, all from the same frame on.
    ///
    /// # Errors
    /// The source failed and has to be opened again.
    fn apply(&mut self, requested: &controls::Set) -> Result<(), CameraError>;

    /// Captures `rate` frames a second from now on.
    ///
    /// # Errors
    /// The source failed and has to be opened again.
    fn set_rate(&mut self, rate: f64) -> Result<(), CameraError>;
}

/// Why a source cannot be opened or went on no longer.
#[derive(Debug, thiserror::Error)]
pub enum CameraError {
    /// Nothing there that could be replayed.
    #[error(
        "{path}: nothing to replay; a JPEG file, a folder of JPEG files, or a Y4M file is accepted"
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
    /// The source asked for is not in this executable.
    #[error(
        "camera.source: this picam was built without libcamera; \"pattern\" and \"replay:PATH\" are accepted"
    )]
    NotBuiltIn,
}

/// Opens the configured source and gives it its start values.
///
/// # Errors
/// The source is not there or not usable.
pub fn open(
    config: &CameraConfig,
    requested: &controls::Set,
) -> Result<Box<dyn Camera>, CameraError> {
    let mut camera: Box<dyn Camera> = match &config.source {
        Source::Pattern => Box::new(pattern::Pattern::new(config)),
        Source::Replay(path) => Box::new(replay::Replay::open(path, config)?),
        Source::Libcamera => return Err(CameraError::NotBuiltIn),
    };
    camera.apply(requested)?;
    Ok(camera)
}

/// The beat of a source that draws or reads its frames: one every 1/rate seconds, without drift.
struct Beat {
    interval: Duration,
    due: Instant,
    sequence: u64,
}

impl Beat {
    fn new(rate: f64) -> Self {
        Self {
            interval: Duration::from_secs_f64(1.0 / rate),
            due: Instant::now(),
            sequence: 0,
        }
    }

    fn set_rate(&mut self, rate: f64) {
        self.interval = Duration::from_secs_f64(1.0 / rate);
        self.due = self.due.min(Instant::now() + self.interval);
    }

    /// Waits for the next beat, at most `patience`, and returns its number, or `None` if it is still to come.
    /// Beats that were missed are skipped and counted.
    fn wait(&mut self, patience: Duration) -> Option<u64> {
        let ahead = self.due.saturating_duration_since(Instant::now());
        // A beat is nothing but time: there is no event to wait for.
        std::thread::sleep(ahead.min(patience));
        if ahead > patience {
            return None;
        }
        let missed = (self.due.elapsed().as_secs_f64() / self.interval.as_secs_f64()) as u32;
        self.due += self.interval * (missed + 1);
        self.sequence += 1 + u64::from(missed);
        Some(self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beat_counts_what_it_missed() {
        let mut beat = Beat::new(1000.0);
        assert_eq!(beat.wait(Duration::from_secs(1)), Some(1));
        beat.due -= Duration::from_millis(10);
        assert!(beat.wait(Duration::ZERO) >= Some(11));
        beat.due = Instant::now() + Duration::from_secs(60);
        assert_eq!(beat.wait(Duration::ZERO), None);
    }
}
