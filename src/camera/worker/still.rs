//! Stills: beside the stream, or instead of it for a moment.

use super::{CaptureWorker, World};
use crate::camera::still::{Asker, Still, take, take_beside, wanted, with_chroma};
use crate::camera::{Camera, CameraError, Readings};
use crate::config::{CameraConfig, Source};
use crate::controls::Set;
use crate::pulse::Phase;
use log::{info, warn};

impl<W: World> CaptureWorker<W> {
    /// Orders a still beside the stream; gives the asker back where the stream has to be interrupted.
    pub(super) fn order_still(&mut self, camera: &mut dyn Camera, asker: Asker) -> Option<Asker> {
        if !self.config.has_stills_beside() {
            return Some(asker);
        }
        if camera.order_still() {
            self.asker = Some(asker); // the one before, if any, waits no longer: there is one still at a time
            return None;
        }
        if self.config.source == Source::Libcamera {
            return Some(asker);
        }
        let readings = self.report.readings();
        let (config, set) = wanted(&self.config, &self.requested, &readings, 1.0);
        take_beside(config, set, asker);
        None
    }

    /// Hands over the still that has come beside the stream, if it has.
    pub(super) fn deliver_still(&mut self, camera: &mut dyn Camera) {
        let Some(mut frame) = camera.still() else {
            return;
        };
        frame.sequence = self.numbers.newest(); // the still is none of the stream's frames
        if let Some(asker) = self.asker.take() {
            let frame = with_chroma(frame, self.config.still_chroma);
            let lens = camera.lens();
            let interrupted = false;
            let _ = asker.send(Ok(Still {
                frame,
                lens,
                interrupted,
            })); // whoever asked may have gone
        }
    }

    /// Opens the camera for a still alone; it was closed before, and reported `readings` with pictures of this `sensitivity`.
    pub(super) fn take_still(
        &mut self,
        readings: &Readings,
        sensitivity: f64,
    ) -> Result<Still, String> {
        let (config, set) = wanted(&self.config, &self.requested, readings, sensitivity);
        info!("camera: a still of {}x{}", config.width, config.height);
        let taken = self.open_and_take(&config, &set);
        taken.map_err(|error| {
            warn!("camera: no still: {error}");
            error.to_string()
        })
    }

    fn open_and_take(&mut self, config: &CameraConfig, set: &Set) -> Result<Still, CameraError> {
        self.pulse.expect_start(self.world.now());
        self.pulse.beat(Phase::Opening, self.world.now());
        let last = self.numbers.newest();
        let mut camera = self.world.open(config, set, last)?;
        self.pulse.expect_start(self.world.now());
        let (pulse, world) = (&self.pulse, &self.world);
        let frame = take(camera.as_mut(), || {
            pulse.beat(Phase::Capturing, world.now());
            pulse.expect_start(world.now()); // the stream's frames come after the still
        });
        let lens = camera.lens();
        self.close(camera);
        let mut frame = with_chroma(frame?, config.still_chroma);
        frame.sequence = last; // the still is none of the stream's frames
        Ok(Still {
            frame,
            lens,
            interrupted: true,
        })
    }
}
