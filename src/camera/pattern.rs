//! A moving test picture with the frame number, the time and the requested controls in it: what picam shows
//! on a machine without a camera.

use super::beat::Beat;
use super::{Camera, CameraError, Frame};
use crate::clock::{Timestamp, calendar};
use crate::config::CameraConfig;
use crate::controls;
use crate::picture::{Picture, Pool, Stamp};
use std::time::Duration;

/// Colour bars at 75 % in YUV: white, yellow, cyan, green, magenta, red, blue.
const BARS: [[u8; 3]; 7] = [
    [191, 128, 128],
    [169, 32, 143],
    [134, 160, 32],
    [112, 64, 48],
    [79, 192, 208],
    [57, 96, 224],
    [22, 224, 113],
];
/// Seconds for the moving square to cross the picture.
const CROSSING_SECONDS: f64 = 4.0;

pub(super) struct Pattern {
    beat: Beat,
    background: Picture,
    pool: Pool,
    requested: String,
    rate: f64,
}

impl Pattern {
    pub(super) fn new(config: &CameraConfig, last: u64) -> Self {
        let background = background(config.width as usize, config.height as usize);
        Self {
            beat: Beat::new(config.rate, last),
            pool: Pool::new(background.clone()),
            background,
            requested: String::new(),
            rate: config.rate,
        }
    }
}

impl Camera for Pattern {
    fn next_frame(&mut self, patience: Duration) -> Result<Option<Frame>, CameraError> {
        let Some(sequence) = self.beat.wait(patience) else {
            return Ok(None);
        };
        let captured = Timestamp::now();
        let unix = captured.unix();
        let (width, height) = (self.background.width(), self.background.height());
        let side = (height / 6) & !1;
        let phase = (unix.as_secs_f64() / CROSSING_SECONDS).fract();
        let x = (width.saturating_sub(side) as f64 * phase) as usize & !1;
        let planes = self.pool.paint(|picture| {
            // The whole background, not only what the square uncovers: a copy is cheap beside the encoder.
            picture.copy_from(&self.background);
            picture.fill_rectangle((x, (height * 5 / 8) & !1), (side, side), [235, 128, 128]);
            let stamp = Stamp { sequence, unix };
            let (number, time) = (format!("frame {sequence}"), calendar(unix));
            let rate = format!("{width}x{height} {} Hz", self.rate);
            stamp.draw(picture, &[&number, &time, &rate, &self.requested]);
        });
        Ok(Some(Frame {
            sequence,
            captured,
            width,
            height,
            planes,
        }))
    }

    fn apply(&mut self, requested: &controls::Set, _: &controls::Set) -> Result<(), CameraError> {
        self.requested = requested.to_string();
        Ok(())
    }

    fn set_rate(&mut self, rate: f64) -> Result<bool, CameraError> {
        self.rate = rate;
        self.beat.set_rate(rate);
        Ok(true)
    }

    fn restart(&mut self) -> Result<(), CameraError> {
        Ok(()) // Nothing here that could hang.
    }
}

/// Colour bars, and under them a ramp from black to white.
fn background(width: usize, height: usize) -> Picture {
    let mut picture = Picture::filled(width, height, [64, 128, 128]);
    let ramp = (height * 7 / 8) & !1;
    for (index, yuv) in BARS.into_iter().enumerate() {
        let left = (width * index / BARS.len()) & !1;
        let right = (width * (index + 1) / BARS.len()) & !1;
        picture.fill_rectangle((left, 0), (right - left, ramp), yuv);
    }
    for x in (0..width).step_by(2) {
        let luma = (x * 255 / (width - 1)) as u8;
        picture.fill_rectangle((x, ramp), (2, height - ramp), [luma, 128, 128]);
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_moves_and_shows_the_controls() {
        let config = CameraConfig {
            width: 640,
            height: 360,
            rate: 100.0,
            ..CameraConfig::default()
        };
        let mut pattern = Pattern::new(&config, 0);
        let mut next = || {
            let frame = pattern.next_frame(Duration::from_secs(5)).unwrap().unwrap();
            Picture::copied(frame.width, frame.height, frame.planes.as_ref())
        };
        assert!(next() != next());
        let mut requested = controls::Set::default();
        requested.insert("LensPosition", "2.5").unwrap();
        pattern.apply(&requested, &requested).unwrap();
        assert!(pattern.requested.contains("LensPosition=2.5"));
    }
}
