//! A moving test picture with the frame number, the time and the requested controls in it, taken by a camera whose
//! exposure, colours and lens obey them: what picam shows on a machine without a camera.

mod blur;
mod device;
mod noise;
mod scene;

use super::beat::Beat;
use super::{Camera, CameraError, Frame, Readings};
use crate::clock::{Timestamp, calendar};
use crate::config::CameraConfig;
use crate::controls;
use crate::picture::{Picture, Pool, Stamp};
use device::Device;
use noise::Noise;
use scene::Scene;
use std::time::Duration;

/// Seconds for the moving square to cross the picture.
const CROSSING_SECONDS: f64 = 4.0;

pub(super) struct Pattern {
    beat: Beat,
    device: Device,
    scene: Scene,
    noise: Noise,
    pool: Pool,
    size: (usize, usize),
    requested: String,
    /// The newest change of the controls.
    change: u64,
    rate: f64,
}

impl Pattern {
    pub(super) fn new(config: &CameraConfig, last: u64) -> Self {
        let (width, height) = (config.width as usize, config.height as usize);
        Self {
            beat: Beat::new(config.rate, last),
            device: Device::new(config.rate),
            scene: Scene::new(width, height),
            noise: Noise::none(),
            pool: Pool::new(Picture::filled(width, height, [0, 128, 128])),
            size: (width, height),
            requested: String::new(),
            change: 0,
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
        self.device.step(Scene::distance);
        let look = self.device.look();
        let seen = self.scene.seen(look);
        let (width, height) = self.size;
        let side = (height / 6) & !1;
        let phase = (unix.as_secs_f64() / CROSSING_SECONDS).fract();
        let x = (width.saturating_sub(side) as f64 * phase) as usize & !1;
        let planes = self.pool.paint(|picture| {
            // The whole scene, not only what the square uncovers: a copy is cheap beside the encoder.
            picture.copy_from(seen);
            picture.fill_rectangle((x, (height * 7 / 10) & !1), (side, side), [235, 128, 128]);
            self.noise.add(picture.plane_mut(0), look.noise);
            let stamp = Stamp { sequence, unix };
            let (number, time) = (format!("frame {sequence}"), calendar(unix));
            let rate = format!("{width}x{height} {} Hz", self.rate);
            stamp.draw(picture, &[&number, &time, &rate, &self.requested]);
        });
        Ok(Some(Frame {
            sequence,
            captured,
            unix,
            width,
            height,
            planes,
            readings: Readings {
                change: self.change,
                ..self.device.readings()
            },
        }))
    }

    fn apply(
        &mut self,
        requested: &controls::Set,
        changed: &controls::Set,
        number: u64,
    ) -> Result<(), CameraError> {
        self.requested = requested.to_string();
        self.device.apply(requested, changed);
        self.change = number;
        Ok(())
    }

    fn set_rate(&mut self, rate: f64) -> Result<bool, CameraError> {
        self.rate = rate;
        self.beat.set_rate(rate);
        self.device.set_rate(rate);
        Ok(true)
    }

    fn restart(&mut self) -> Result<(), CameraError> {
        Ok(()) // Nothing here that could hang.
    }

    fn ranges(&self) -> controls::Ranges {
        self.device.ranges()
    }
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
        pattern.apply(&requested, &requested, 3).unwrap();
        assert!(pattern.requested.contains("LensPosition=2.5"));
        let frame = pattern.next_frame(Duration::from_secs(5)).unwrap().unwrap();
        assert_eq!(frame.readings.lens_position, Some(2.5));
        assert_eq!(frame.readings.change, 3);
    }
}
