//! Between picam's controls and libcamera's: lists of controls, ranges, and metadata.

use super::machine::Platform;
use super::timing::Limits;
use crate::camera::Readings;
use crate::controls::{Availability, Mapped, Ranges, Raw, Set, TABLE};
use libcamera::camera::ActiveCamera;
use libcamera::control::ControlList;
use libcamera::control_value::ControlValue;
use libcamera::controls::{self, AeState, AfState, ControlId};
use libcamera::geometry::Rectangle;
use libcamera::properties::ScalerCropMaximum;
use std::collections::HashMap;
use std::time::Duration;

const FRAME_DURATIONS: &str = "FrameDurationLimits";
const NOISE_REDUCTION: &str = "NoiseReductionMode";
/// libcamera's numbers of its modes.
const HIGH_QUALITY: i32 = 2;
const MINIMAL: i32 = 3;

/// The controls of one open camera.
pub(super) struct Controls {
    /// libcamera's number and the range of each control, by name.
    known: HashMap<String, Known>,
    /// What of the sensor is in the picture, in the coordinates of libcamera's windows; `None` if that is not known.
    view: Option<Rectangle>,
    /// What the camera was told last.
    told: Set,
}

struct Known {
    id: u32,
    /// A value of the control's type.
    example: ControlValue,
    range: Option<(f64, f64)>,
    /// What the camera does without being told.
    own: ControlValue,
}

impl Controls {
    /// Reads what the camera, which is configured for pictures of this size, has. Ranges are those of its sensor mode.
    pub(super) fn new(
        camera: &ActiveCamera,
        width: usize,
        height: usize,
        platform: Option<Platform>,
    ) -> Self {
        let map = camera.controls();
        let maximum = camera.properties().get::<ScalerCropMaximum>();
        let known = map.into_iter().filter_map(|(id, info)| {
            // Others belong to vendors that this executable knows nothing of.
            let name = ControlId::try_from(id).ok()?.name();
            let (example, max) = (info.min(), info.max());
            let range = number(&example).zip(number(&max));
            let range = range.filter(|(min, max)| min < max);
            let own = own(&name, platform).unwrap_or_else(|| info.def());
            let known = Known {
                id,
                example,
                range,
                own,
            };
            Some((name, known))
        });
        Self {
            known: known.collect(),
            view: maximum.ok().map(|it| view(it.0, width, height)),
            told: Set::default(),
        }
    }

    /// The shortest time for a frame; `None` if the camera does not time its frames as it is asked to.
    pub(super) fn shortest_frame(&self) -> Option<Duration> {
        let known = self.known.get(FRAME_DURATIONS)?;
        let (min, _) = known.range.unwrap_or((1.0, 1.0));
        Some(Duration::from_micros(min.max(1.0) as u64))
    }

    /// The frame duration (µs) nearest to `wanted` that the camera can do.
    fn frame_duration(&self, wanted: Duration) -> i64 {
        let wanted = wanted.as_micros() as i64;
        let known = self.known.get(FRAME_DURATIONS);
        match known.and_then(|known| known.range) {
            Some((min, max)) => wanted.clamp(min as i64, max as i64),
            None => wanted,
        }
    }

    /// What the camera accepts while its frames take up to `longest`: libcamera cuts longer exposures.
    pub(super) fn ranges(&self, longest: Duration) -> Ranges {
        let mut ranges = Ranges::default();
        for control in &TABLE {
            let own = |mapping: &&crate::controls::Mapping| {
                matches!(mapping.value, Mapped::Given | Mapped::ByWord(_))
            };
            let name = control
                .libcamera
                .iter()
                .find(own)
                .map(|mapping| mapping.name);
            let limit = match name.and_then(|name| self.known.get(name)) {
                None => Availability::Missing,
                Some(Known {
                    range: Some((min, max)),
                    ..
                }) => {
                    let max = match control.name {
                        "ExposureTime" if self.known.contains_key(FRAME_DURATIONS) => {
                            max.min(self.frame_duration(longest) as f64).max(*min)
                        }
                        _ => *max,
                    };
                    Availability::Range { min: *min, max }
                }
                Some(_) => Availability::Table,
            };
            ranges.set(control, limit);
        }
        ranges
    }

    /// Adds what is requested to the controls of one request, and the camera's own values for what is requested no more.
    pub(super) fn write(&mut self, list: &mut ControlList, requested: &Set, changed: &Set) {
        for name in requested.given_back(&self.told) {
            match self.known.get(name) {
                None
                | Some(Known {
                    own: ControlValue::None,
                    ..
                }) => {} // it needs no value then
                Some(Known { id, own, .. }) => {
                    let _ = list.set_raw(*id, own.clone()); // it never says no
                }
            }
        }
        self.told = *requested;
        for (name, raw) in requested.for_libcamera(changed) {
            let Some(known) = self.known.get(name) else {
                continue; // a camera without autofocus, for one
            };
            match self.typed(raw, &known.example) {
                Some(value) => {
                    let _ = list.set_raw(known.id, value); // as above
                }
                None => {
                    log::warn!("control {name}: libcamera has another type for it than {raw:?}")
                }
            }
        }
    }

    /// `raw` in the type that `example` has.
    fn typed(&self, raw: Raw, example: &ControlValue) -> Option<ControlValue> {
        Some(match (example, raw) {
            (ControlValue::Bool(_), Raw::Bool(on)) => on.into(),
            (ControlValue::Bool(_), Raw::Integer(number)) => (number != 0).into(),
            (ControlValue::Int32(_), Raw::Integer(number)) => i32::try_from(number).ok()?.into(),
            (ControlValue::Int64(_), Raw::Integer(number)) => number.into(),
            (ControlValue::Float(_), Raw::Float(number)) => (number as f32).into(),
            (ControlValue::Float(_), Raw::Pair(numbers)) => numbers.map(|it| it as f32).into(),
            // Twice: the crate passes a list of one as no list at all, and libcamera ends the process for that.
            (ControlValue::Rectangle(_), Raw::Window(window)) => {
                [part(self.view?, window); 2].into()
            }
            _ => return None,
        })
    }

    /// Adds the time that each frame is to take.
    pub(super) fn write_limits(&self, list: &mut ControlList, limits: Limits) {
        if self.known.contains_key(FRAME_DURATIONS) {
            let limits = limits.map(|limit| self.frame_duration(limit));
            let _ = list.set(controls::FrameDurationLimits(limits)); // as above
        }
    }
}

/// What a camera does without being told, where libcamera's default for the control is not that.
fn own(name: &str, platform: Option<Platform>) -> Option<ControlValue> {
    match (name, platform?) {
        (NOISE_REDUCTION, Platform::Vc4) => Some(MINIMAL.into()),
        (NOISE_REDUCTION, Platform::Pisp) => Some(HIGH_QUALITY.into()),
        _ => None,
    }
}

/// The largest part of `maximum` with the picture's aspect ratio, in its middle: what libcamera takes.
fn view(maximum: Rectangle, width: usize, height: usize) -> Rectangle {
    let (full, high) = (u64::from(maximum.width), u64::from(maximum.height));
    let (width, height) = (width as u64, height as u64);
    let wide = full.min(high * width / height.max(1));
    let high = high.min(full * height / width.max(1));
    Rectangle {
        x: maximum.x + (u64::from(maximum.width) - wide) as i32 / 2,
        y: maximum.y + (u64::from(maximum.height) - high) as i32 / 2,
        width: wide as u32,
        height: high as u32,
    }
}

/// A part of `view` by fractions of it.
fn part(view: Rectangle, [x, y, width, height]: [f64; 4]) -> Rectangle {
    let (wide, high) = (f64::from(view.width), f64::from(view.height));
    Rectangle {
        x: view.x + (x * wide).round() as i32,
        y: view.y + (y * high).round() as i32,
        width: (width * wide).round().max(1.0) as u32,
        height: (height * high).round().max(1.0) as u32,
    }
}

/// The first number in the value.
fn number(value: &ControlValue) -> Option<f64> {
    match value {
        ControlValue::Int32(numbers) => numbers.first().map(|&number| number.into()),
        ControlValue::Int64(numbers) => numbers.first().map(|&number| number as f64),
        ControlValue::Float(numbers) => numbers.first().map(|&number| tidy(number)),
        _ => None,
    }
}

/// The number as people write it: 1.1228071 instead of 1.1228070259094238.
fn tidy(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(number.into())
}

/// What the metadata of a frame says.
pub(super) fn readings(metadata: &ControlList) -> Readings {
    fn get<C: libcamera::control::Control>(metadata: &ControlList) -> Option<C> {
        metadata.get::<C>().ok()
    }
    Readings {
        exposure_time: get::<controls::ExposureTime>(metadata).map(|it| it.0),
        analogue_gain: get::<controls::AnalogueGain>(metadata).map(|it| tidy(it.0)),
        digital_gain: get::<controls::DigitalGain>(metadata).map(|it| tidy(it.0)),
        ae_state: get::<AeState>(metadata).map(|state| match state {
            AeState::Idle => "idle",
            AeState::Searching => "searching",
            AeState::Converged => "converged",
        }),
        lens_position: get::<controls::LensPosition>(metadata).map(|it| tidy(it.0)),
        af_state: get::<AfState>(metadata).map(|state| match state {
            AfState::Idle => "idle",
            AfState::Scanning => "scanning",
            AfState::Focused => "focused",
            AfState::Failed => "failed",
        }),
        focus_fom: get::<controls::FocusFoM>(metadata).map(|it| it.0),
        lux: get::<controls::Lux>(metadata).map(|it| tidy(it.0)),
        colour_temperature: get::<controls::ColourTemperature>(metadata).map(|it| it.0),
        sensor_temperature: get::<controls::SensorTemperature>(metadata).map(|it| tidy(it.0)),
        frame_duration: get::<controls::FrameDuration>(metadata).map(|it| it.0),
        sensor_timestamp: get::<controls::SensorTimestamp>(metadata).map(|it| it.0),
        change: 0, // not libcamera's
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_parts_of_what_is_in_the_picture() {
        let sensor = Rectangle {
            x: 16,
            y: 24,
            width: 4608,
            height: 2592,
        };
        let all = |rectangle: Rectangle| {
            let Rectangle {
                x,
                y,
                width,
                height,
            } = rectangle;
            (x, y, width, height)
        };
        assert_eq!(all(view(sensor, 640, 360)), (16, 24, 4608, 2592));
        let square = view(sensor, 500, 500);
        assert_eq!(all(square), (1024, 24, 2592, 2592));
        let corner = part(square, [0.5, 0.75, 0.5, 0.25]);
        assert_eq!(all(corner), (2320, 1968, 1296, 648));
        assert_eq!(all(view(sensor, 360, 640)), (1591, 24, 1458, 2592));
    }
}
