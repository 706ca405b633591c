//! A still: one picture with all the sensor's pixels. The camera delivers it beside the stream's, or is opened for it alone,
//! and then as before.

use super::source::open;
use super::{Camera, CameraError, Frame, Readings};
use crate::config::{AutoOr, CameraConfig};
use crate::controls::{ControlId, Set};
use crate::picture::{Chroma, Picture};
use crate::system::affinity::{self, Role};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

/// Columns and rows of a still: the IMX708's.
pub(super) const SIZE: (u32, u32) = (4608, 2592);
/// Frames a second while a still is taken: the sensor's highest rate with all pixels is 14.
const RATE: f64 = 10.0;
/// The IMX708's highest gain.
const MOST_GAIN: f64 = 16.0;
/// The first frames after a start may not have what was asked for.
const SKIPPED: usize = 2;
/// A camera that has delivered no picture after this many waits will deliver none.
const WAITS: usize = 25;
/// How long one of them is.
const WAIT: Duration = Duration::from_millis(200);

/// A still and what took it.
pub struct Still {
    /// The picture, and what the camera reported with it.
    pub frame: Frame,
    /// The lens, if it is a known one.
    pub lens: Option<Lens>,
    /// Whether the stream had to wait for it.
    pub interrupted: bool,
}

/// Whoever waits for a still.
pub(super) type Asker = Sender<Result<Still, String>>;

/// A lens as EXIF describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lens {
    /// What it belongs to.
    pub model: &'static str,
    /// Aperture, tenths.
    pub f_number_tenths: u32,
    /// Focal length, hundredths of a millimetre.
    pub focal_length_hundredths: u32,
}

/// What a camera is opened with for a still. It is as it would be in the stream: what the automatics have found is held,
/// for they would begin anew.
pub(super) fn wanted(
    config: &CameraConfig,
    requested: &Set,
    readings: &Readings,
    sensitivity: f64,
) -> (CameraConfig, Set) {
    let config = CameraConfig {
        width: SIZE.0,
        height: SIZE.1,
        rate: RATE,
        // Its exposures are taken one after the other by a mode with a quarter of the pixels.
        hdr: false,
        chroma: config.still_chroma,
        ..config.clone()
    };
    let mut found = Set::default();
    // A value that the table refuses is left to the automatic.
    if let (Some(time), Some(gain)) = (readings.exposure_time, readings.analogue_gain) {
        let light = f64::from(time) * gain * sensitivity;
        let gain = (gain * sensitivity).clamp(1.0, MOST_GAIN);
        let _ = found.insert("AnalogueGain", &gain.to_string());
        let _ = found.insert("ExposureTime", &(light / gain).round().to_string());
    }
    let mut hold = |id: ControlId, name: &str, value: Option<String>| {
        if let (None, Some(value)) = (requested.get(id), value) {
            let _ = found.insert(name, &value);
        }
    };
    let temperature = readings.colour_temperature.map(|it| it.to_string());
    let lens = readings.lens_position.map(|it| it.to_string());
    hold(ControlId::LensPosition, "LensPosition", lens);
    if requested.get(ControlId::ColourGains).is_none() {
        hold(
            ControlId::ColourTemperature,
            "ColourTemperature",
            temperature,
        );
    }
    let mut set = *requested;
    set.merge(&found);
    (config, set)
}

/// Takes a still by a source of its own, on a thread of its own: test pictures and files can be had twice at the same time.
pub(super) fn take_beside(config: CameraConfig, set: Set, asker: Asker) {
    let taken = move || {
        affinity::pin_this_thread(Role::EncodeBands, &AutoOr::Auto); // it is started on the capture thread's core
        let camera = open(&config, &set, 0);
        let frame = camera.and_then(|mut camera| take(camera.as_mut(), || {}));
        let still = frame.map(|frame| Still {
            frame: with_chroma(frame, config.still_chroma),
            lens: None,
            interrupted: false,
        });
        let _ = asker.send(still.map_err(|error| error.to_string())); // whoever asked may have gone
    };
    // Without a thread the asker is dropped with it: that says that there is no still.
    let _ = thread::Builder::new()
        .name("still-source".into())
        .spawn(taken);
}

/// `frame` with as much chroma: test pictures and files have 4:2:0.
pub(super) fn with_chroma(frame: Frame, chroma: Chroma) -> Frame {
    if (chroma, frame.planes.chroma()) != (Chroma::Full, Chroma::Quarter) {
        return frame;
    }
    let full = Picture::with_full_chroma(frame.width, frame.height, frame.planes.as_ref());
    Frame {
        planes: Arc::new(full),
        ..frame
    }
}

/// Takes one picture with `camera`; `alive` is called between the waits.
///
/// # Errors
/// The camera failed, or delivered nothing; the reason.
pub(super) fn take(camera: &mut dyn Camera, mut alive: impl FnMut()) -> Result<Frame, CameraError> {
    let mut skipped = 0;
    for _ in 0..WAITS {
        alive();
        match camera.next_frame(WAIT)? {
            Some(frame) if skipped == SKIPPED => return Ok(frame),
            Some(_) => skipped += 1,
            None => {}
        }
    }
    Err(CameraError::Failed {
        what: "taking a still",
        reason: "the camera delivers no picture of that size".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_automatics_found_is_held_and_what_was_fixed_stays() {
        let requested =
            Set::parse_query("AeEnable=1&AwbEnable=1&LensPosition=3&AfMode=manual&Contrast=2")
                .unwrap();
        let readings = Readings {
            exposure_time: Some(12_345),
            analogue_gain: Some(2.5),
            colour_temperature: Some(4_200),
            lens_position: Some(2.0),
            ..Readings::default()
        };
        let (config, set) = wanted(&CameraConfig::default(), &requested, &readings, 1.0);
        assert_eq!((config.width, config.height), SIZE);
        let expected =
            "ExposureTime=12345&AnalogueGain=2.5&ColourTemperature=4200&LensPosition=3&Contrast=2";
        let mut expected = Set::parse_query(expected).unwrap();
        expected.merge(&Set::parse_query("AfMode=manual&AwbEnable=0").unwrap());
        assert_eq!(set, expected);
        let (_, same) = wanted(
            &CameraConfig::default(),
            &requested,
            &Readings::default(),
            2.0,
        );
        assert_eq!(same, requested);
        for (gain, time) in [(2.5, 12_345), (12.0, 18_518)] {
            let readings = Readings {
                analogue_gain: Some(gain),
                ..readings
            };
            let (_, brighter) = wanted(&CameraConfig::default(), &requested, &readings, 2.0);
            let text = brighter.to_string();
            let gain = (2.0 * gain).min(16.0);
            assert!(
                text.contains(&format!("ExposureTime={time} AnalogueGain={gain}")),
                "{text}"
            );
        }
    }
}
