//! What clients are shown while the camera delivers nothing: the last picture, dimmed, with the words, how
//! long, and the time. ROS 2's image_publisher and browsers never reconnect; a stream must not end.

use crate::camera::{Frame, Readings};
use crate::clock::{Timestamp, calendar};
use crate::picture::{Picture, Pool, text};
use std::sync::Arc;
use std::time::Duration;

pub(super) struct NoSignal {
    /// The last picture, dimmed; grey while there was none.
    background: Picture,
    pool: Pool,
    /// The last frame's number and capture time, which the pictures made of it keep.
    sequence: u64,
    captured: Timestamp,
    unix: Duration,
}

impl NoSignal {
    pub(super) fn new((width, height): (usize, usize)) -> Self {
        let now = Timestamp::now();
        let background = Picture::filled(width, height, [48, 128, 128]);
        Self::on(background, 0, now, now.unix())
    }

    fn on(background: Picture, sequence: u64, captured: Timestamp, unix: Duration) -> Self {
        Self {
            pool: Pool::new(background.clone()),
            background,
            sequence,
            captured,
            unix,
        }
    }

    /// Takes `last` for the pictures to come.
    pub(super) fn remember(&mut self, last: &Frame) {
        let mut background = Picture::copied(last.width, last.height, last.planes.as_ref());
        background.dim();
        *self = Self::on(background, last.sequence, last.captured, last.unix);
    }

    /// The picture for now, when there was no frame for `silence`. Its number and time are the last frame's: what is to
    /// be seen on it is that old, and a frame that is on its way right now was captured later.
    pub(super) fn frame(&mut self, silence: Duration) -> Frame {
        let background = &self.background;
        let (width, height) = (background.width(), background.height());
        let planes = self.pool.paint(|picture| {
            picture.copy_from(background);
            let size = (width / 320).max(1);
            let seconds = silence.as_secs();
            let lines = [
                "NO SIGNAL".to_owned(),
                format!("no picture from the camera for {seconds} s"),
                calendar(Timestamp::now().unix()),
            ];
            let mut y = height / 2 - (36 * size).min(height / 2);
            for (line, size) in lines
                .iter()
                .zip([2 * size, size.div_ceil(2), size.div_ceil(2)])
            {
                let x = width.saturating_sub(line.len() * 10 * size) / 2;
                text(picture, (x, y), size, line);
                y += 24 * size;
            }
        });
        let planes: Arc<dyn crate::picture::Planes> = planes;
        Frame {
            sequence: self.sequence,
            captured: self.captured,
            unix: self.unix,
            width,
            height,
            planes,
            readings: Readings::default(),
        }
    }
}
