//! The source that replays: what it plays is chosen by the path.

use super::stills::Stills;
use super::video::Video;
use crate::camera::beat::Beat;
use crate::camera::{Camera, CameraError, Frame, Readings};
use crate::clock::{Timestamp, calendar};
use crate::config::CameraConfig;
use crate::controls;
use crate::picture::{Picture, Pool, Stamp};
use std::path::Path;
use std::time::Duration;

pub(in crate::camera) struct Replay {
    beat: Beat,
    media: Media,
    pool: Pool,
    stamp: bool,
    readings: Readings,
}

impl Replay {
    pub(in crate::camera) fn open(
        path: &Path,
        config: &CameraConfig,
        last: u64,
    ) -> Result<Self, CameraError> {
        let size = (config.width as usize, config.height as usize);
        Ok(Self {
            beat: Beat::new(config.rate, last),
            media: Media::open(path, size)?,
            pool: Pool::new(Picture::filled(size.0, size.1, [0, 128, 128])),
            stamp: config.stamp,
            readings: Readings::default(),
        })
    }
}

impl Camera for Replay {
    fn next_frame(&mut self, patience: Duration) -> Result<Option<Frame>, CameraError> {
        let Some(sequence) = self.beat.wait(patience) else {
            return Ok(None);
        };
        let source = self.media.next()?;
        // The capture time is when the picture is delivered, as a sensor's would be; decoding comes before that.
        let captured = Timestamp::now();
        let unix = captured.unix();
        let (width, height) = (source.width(), source.height());
        let planes = self.pool.paint(|picture| {
            picture.copy_from(source);
            if self.stamp {
                let stamp = Stamp { sequence, unix };
                stamp.draw(picture, &[&format!("frame {sequence}"), &calendar(unix)]);
            }
        });
        Ok(Some(Frame {
            sequence,
            captured,
            unix,
            width,
            height,
            planes,
            readings: self.readings,
        }))
    }

    fn apply(
        &mut self,
        _: &controls::Set,
        _: &controls::Set,
        number: u64,
    ) -> Result<(), CameraError> {
        self.readings.change = number;
        Ok(()) // A recording has no controls; the remote remembers what was requested.
    }

    fn set_rate(&mut self, rate: f64) -> Result<bool, CameraError> {
        self.beat.set_rate(rate);
        Ok(true)
    }

    fn restart(&mut self) -> Result<(), CameraError> {
        Ok(()) // Nothing here that could hang.
    }
}

/// What is replayed, as pictures of the configured size.
enum Media {
    Stills(Stills),
    Video(Box<Video>),
}

impl Media {
    fn open(path: &Path, size: (usize, usize)) -> Result<Self, CameraError> {
        let is = |path: &Path, endings: &[&str]| {
            let ending = path.extension().unwrap_or_default().to_string_lossy();
            endings
                .iter()
                .any(|known| ending.eq_ignore_ascii_case(known))
        };
        if is(path, &["y4m"]) {
            return Ok(Self::Video(Box::new(Video::open(path, size)?)));
        }
        let mut stills = Vec::new();
        if path.is_dir() {
            let entries = path
                .read_dir()
                .map_err(|error| CameraError::unreadable(path, error))?;
            let files = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
            stills.extend(files.filter(|path| is(path, &["jpg", "jpeg"])));
            stills.sort();
        } else if path.is_file() {
            stills.push(path.to_owned());
        }
        if stills.is_empty() {
            return Err(CameraError::NothingToReplay {
                path: path.to_owned(),
            });
        }
        Ok(Self::Stills(Stills::open(stills, size)?))
    }

    fn next(&mut self) -> Result<&Picture, CameraError> {
        match self {
            Self::Stills(stills) => stills.next(),
            Self::Video(video) => video.next(),
        }
    }
}
