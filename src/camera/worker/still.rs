//! Stills, which interrupt the stream.

use super::{CaptureWorker, World};
use crate::camera::still::{Still, take, wanted};
use crate::camera::{CameraError, Readings};
use crate::config::CameraConfig;
use crate::controls::Set;
use crate::pulse::Phase;
use log::{info, warn};

impl<W: World> CaptureWorker<W> {
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
        let mut frame = frame?;
        frame.sequence = last; // the still is none of the stream's frames
        Ok(Still { frame, lens })
    }
}
