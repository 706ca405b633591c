//! From a machine to a camera that captures: it is found, configured, given buffers, and started.

use super::beside::Beside;
use super::buffers::{self, Buffers, failed};
use super::choice::{self, Found};
use super::control::Controls;
use super::delay::Delay;
use super::machine::{Machine, Platform};
use super::timing::Timing;
use super::{Event, Libcamera, configuration, sensor};
use crate::camera::CameraError;
use crate::camera::still::SIZE as STILL;
use crate::config::{CameraConfig, StillMode};
use crate::controls::Set;
use libcamera::camera_manager::CameraManager;
use log::{info, warn};
use std::io;
use std::sync::mpsc;
use std::time::Instant;

impl Libcamera {
    /// Finds the camera, configures and starts it; without stills beside the stream if there is no memory for them.
    ///
    /// # Errors
    /// [`CameraError::Absent`] if there is none; else what failed.
    pub(in crate::camera) fn open(
        config: &CameraConfig,
        requested: &Set,
    ) -> Result<Self, CameraError> {
        match Self::open_as(config, requested) {
            Err(error) if config.has_stills_beside() && !error.is_absence() => {
                warn!(
                    "camera: not with stills beside the stream, which they interrupt now: {error}"
                );
                let config = CameraConfig {
                    still: StillMode::Switch,
                    ..config.clone()
                };
                Self::open_as(&config, requested)
            }
            opened => opened,
        }
    }

    fn open_as(config: &CameraConfig, requested: &Set) -> Result<Self, CameraError> {
        let machine = Machine::this();
        machine.check()?;
        machine.tune(config)?;
        sensor::set_hdr(&machine, config.hdr)?;
        let manager = CameraManager::new().map_err(failed("starting libcamera"))?;
        let cameras = manager.cameras();
        let found: Vec<_> = cameras
            .iter()
            .map(|camera| Found {
                id: camera.id().to_owned(),
                model: camera
                    .properties()
                    .get::<libcamera::properties::Model>()
                    .map_or_else(|_| "unknown".into(), |model| model.0),
            })
            .collect();
        let chosen = choice::camera(&found, &config.id)
            .map_err(|absent| machine.forbidden().unwrap_or(absent))?;
        let Found { id, model } = &found[chosen];
        let mut camera = {
            // Taken out of a list that has it: it can only have gone in between.
            let camera = cameras.get(chosen).ok_or_else(|| CameraError::Absent {
                wanted: id.clone(),
                found: "that it disappeared".into(),
            })?;
            camera.acquire().map_err(|reason| match reason.kind() {
                io::ErrorKind::ResourceBusy => {
                    CameraError::Unavailable(format!("camera {id} is held by another program"))
                }
                _ => failed("acquiring the camera")(reason),
            })?
        };
        // No handle may outlive the manager, which is dropped first where starting fails below.
        drop(cameras);

        let configuration = configuration::apply(&mut camera, config, model)?;
        let agreed = configuration::agreed(
            &configuration,
            0,
            (config.width, config.height),
            config.chroma,
        )?;
        let (stream, layout) = (agreed.stream, agreed.layout);
        let stills = configuration::has_stills(config, model);
        if config.still == StillMode::Always && !stills {
            warn!(
                "camera: stills interrupt the stream: camera.still = \"always\" expects an IMX708, no camera.hdr, and a stream of fewer pixels"
            );
        }
        let count = agreed.count.max(2) + usize::from(stills);
        let pieces = machine.platform() != Some(Platform::Vc4);
        let Buffers {
            mut requests,
            slots,
            kind,
        } = buffers::make(&mut camera, &agreed, count, pieces)?;
        let last = if stills { requests.pop() } else { None };
        let beside = match last {
            Some(request) => {
                let agreed = configuration::agreed(&configuration, 1, STILL, config.still_chroma)?;
                Some(Beside::new(request, &agreed, pieces)?)
            }
            None => None,
        };
        info!(
            "camera {id} ({model}): {}x{} {:?}, {} buffers from {kind}",
            layout.width,
            layout.height,
            layout.format,
            slots.len()
        );
        let (sender, events) = mpsc::channel();
        let completed = sender.clone();
        camera.on_request_completed(move |request| {
            let _ = completed.send(Event::Completed(request)); // else the camera is being closed
        });
        let controls = Controls::new(&camera, layout.width, layout.height, machine.platform());
        let shortest = controls.shortest_frame();
        // Raspberry Pi's pipelines have buffers of their own for the sensor's frames.
        let keeps = machine.platform().is_some();
        let timing = Timing::new(
            config.rate,
            config.sensor_rate,
            shortest,
            keeps,
            Instant::now(),
        );
        let mut opened = Self {
            lent: slots.iter().map(|_| None).collect(),
            idle: requests.into(),
            beside,
            events,
            sender,
            camera,
            _manager: manager,
            slots,
            stream,
            controls,
            config: config.clone(),
            mode: configuration::mode(config, model),
            model: model.clone(),
            requested: *requested,
            changed: None,
            delay: Delay::new(count),
            timing,
            left: configuration::left_to_turn(&configuration, config),
        };
        opened.start()?;
        Ok(opened)
    }
}
