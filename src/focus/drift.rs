//! Whether the focus is still what it was when it was saved: the picture as sharp, the sensor as warm. A lens moves by some
//! micrometres with its temperature, and whoever bumps into a camera does not say so.

use super::{rounded, sharpness};
use crate::camera::Frame;
use crate::config::{put_file, read_file};
use crate::controls::{ControlId, Set, Value};
use crate::picture::Window;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::PathBuf;

/// A picture is less sharp if it has less than this part of what it had.
const LESS: f64 = 0.5;
/// Measurements in a row, one a minute, that are less sharp until that counts: whatever stands before a camera for a while
/// does not.
const MANY: usize = 30;
/// A change of temperature that moves a focus visibly, °C.
const WARMER: f64 = 15.0;
/// Pictures of more or less than this times the light are not compared: noise and shadows change them.
const LIGHT: f64 = 4.0;
/// Where the reference is kept, in the folder of what is saved.
const FILE: &str = "focus.toml";

/// What is measured of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Measurement {
    /// Of its middle.
    sharpness: f64,
    /// The sensor's, °C.
    temperature: Option<f64>,
    /// The scene's, lux.
    lux: Option<f64>,
    /// Of the picture: those of different sizes are not compared.
    columns: usize,
}

/// What was measured soon after the focus was saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Reference {
    /// All that was saved: other contrast, for instance, is another sharpness.
    controls: String,
    /// Dioptres.
    lens: f64,
    #[serde(flatten)]
    measured: Measurement,
}

/// The focus now beside the saved one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// How sharp the picture's middle is.
    pub sharpness: f64,
    /// The same soon after the focus was saved.
    pub saved_sharpness: f64,
    /// The sensor's temperature, °C; `None` if the camera does not report it.
    pub temperature: Option<f64>,
    /// The same when the focus was saved.
    pub saved_temperature: Option<f64>,
    /// What has changed more than it should have, in words.
    pub warning: Option<String>,
}

/// Compares the focus with the saved one, again and again.
pub struct Drift {
    /// Where the reference is kept; `None`: nowhere.
    folder: Option<PathBuf>,
    reference: Option<Reference>,
    /// Measurements in a row that were less sharp.
    low: usize,
    comparison: Option<Comparison>,
}

impl Drift {
    /// Reads what was measured when the focus was saved, if it was, in `folder`.
    pub fn open(folder: Option<PathBuf>) -> Self {
        let reference = folder.as_ref().and_then(|folder| {
            let path = folder.join(FILE);
            let text = match read_file(&path) {
                Err(reason) if reason.kind() == ErrorKind::NotFound => return None,
                text => text.map_err(|reason| reason.to_string()),
            };
            let parsed = text.and_then(|text| {
                let text = String::from_utf8_lossy(&text);
                toml::from_str(&text).map_err(|reason| reason.message().to_owned())
            });
            parsed
                .inspect_err(|reason| log::warn!("{}: {reason}; measured anew", path.display()))
                .ok()
        });
        Self {
            folder,
            reference,
            low: 0,
            comparison: None,
        }
    }

    /// The last comparison; `None` while there is nothing to compare with.
    pub fn comparison(&self) -> Option<&Comparison> {
        self.comparison.as_ref()
    }

    /// Looks at a frame, which was captured with what is `requested`; `saved` is what is saved.
    pub fn look(&mut self, saved: Option<Set>, requested: Set, frame: &Frame) {
        let lens = saved.and_then(|saved| match saved.get(ControlId::LensPosition) {
            Some(Value::Float(lens)) if saved == requested => Some(lens),
            _ => None,
        });
        let Some(lens) = lens else {
            (self.low, self.comparison) = (0, None);
            return;
        };
        let measured = measure(frame);
        let controls = requested.to_string();
        let reference = match &self.reference {
            Some(reference) if reference.controls == controls => reference,
            _ => return self.remember(controls, lens, measured),
        };
        let saved = reference.measured;
        if comparable(&measured, &saved) {
            match measured.sharpness < LESS * saved.sharpness {
                true => self.low += 1,
                false => self.low = 0,
            }
        }
        let warmer = measured.temperature.zip(saved.temperature);
        let warmer = warmer.map_or(0.0, |(now, then)| now - then);
        let warning = if warmer.abs() > WARMER {
            let word = if warmer > 0.0 { "warmer" } else { "colder" };
            let by = warmer.abs();
            Some(format!(
                "the sensor is {by:.0} °C {word} than when the focus was saved: look whether the picture is still sharp"
            ))
        } else if self.low >= MANY {
            let part = 100.0 * measured.sharpness / saved.sharpness;
            Some(format!(
                "for {} minutes the picture has been less sharp than when the focus was saved, {part:.0} % now",
                self.low
            ))
        } else {
            None
        };
        let was_told = self
            .comparison
            .as_ref()
            .is_some_and(|last| last.warning.is_some());
        if let Some(warning) = &warning
            && !was_told
        {
            log::warn!("focus: {warning}");
        }
        self.comparison = Some(Comparison {
            sharpness: measured.sharpness,
            saved_sharpness: saved.sharpness,
            temperature: measured.temperature,
            saved_temperature: saved.temperature,
            warning,
        });
    }

    /// The focus was saved since the last look, or something else with it: then the temperature is still that of the focus.
    fn remember(&mut self, controls: String, lens: f64, mut measured: Measurement) {
        if let Some(before) = self.reference.as_ref().filter(|it| it.lens == lens) {
            measured.temperature = before.measured.temperature;
        }
        let reference = Reference {
            controls,
            lens,
            measured,
        };
        if let Some(folder) = &self.folder {
            // Not durable: what a power cut takes is measured again.
            let text = toml::to_string(&reference).unwrap_or_default(); // nothing in it that TOML has not
            let text = format!(
                "# What was measured when the focus was saved. picam writes this file.\n{text}"
            );
            if let Err(reason) = put_file(folder, FILE, Some(text.as_bytes()), false) {
                log::warn!("{}: not kept: {reason}", folder.join(FILE).display());
            }
        }
        (self.low, self.comparison) = (0, None);
        self.reference = Some(reference);
    }
}

fn measure(frame: &Frame) -> Measurement {
    let [luma, ..] = frame.planes.planes();
    let sharp = sharpness(luma, (frame.width, frame.height), Window::MIDDLE);
    Measurement {
        sharpness: rounded(sharp),
        temperature: frame.readings.sensor_temperature.map(rounded),
        lux: frame.readings.lux.map(rounded),
        columns: frame.width,
    }
}

/// Whether the sharpness of these pictures says something about the focus.
fn comparable(now: &Measurement, then: &Measurement) -> bool {
    let alike = match now.lux.zip(then.lux) {
        Some((now, then)) => now < LIGHT * then && then < LIGHT * now,
        None => true,
    };
    alike && now.columns == then.columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Readings;
    use crate::clock::Timestamp;
    use crate::picture::Picture;
    use std::sync::Arc;
    use std::time::Duration;

    const FOCUS: &str = "LensPosition=2";

    fn set(query: &str) -> Set {
        Set::parse_query(query).unwrap()
    }

    /// A frame with lines of this contrast.
    fn frame(contrast: u8, temperature: f64, lux: f64) -> Frame {
        let mut picture = Picture::filled(320, 180, [128, 128, 128]);
        for (at, sample) in picture.plane_mut(0).iter_mut().enumerate() {
            *sample += contrast * u8::from(at / 4 % 2 == 0);
        }
        Frame {
            sequence: 1,
            captured: Timestamp::now(),
            unix: Duration::ZERO,
            width: 320,
            height: 180,
            planes: Arc::new(picture),
            readings: Readings {
                sensor_temperature: Some(temperature),
                lux: Some(lux),
                ..Readings::default()
            },
        }
    }

    fn look(drift: &mut Drift, query: &str, frame: &Frame) -> Option<String> {
        let saved = set(query);
        drift.look(Some(saved), saved, frame);
        drift.comparison()?.warning.clone()
    }

    #[test]
    fn a_picture_that_stays_less_sharp_is_told_and_one_for_a_while_is_not() {
        let mut drift = Drift::open(None);
        let (sharp, soft) = (frame(100, 30.0, 400.0), frame(40, 30.0, 400.0));
        look(&mut drift, FOCUS, &sharp);
        assert_eq!(
            drift.comparison(),
            None,
            "the first is what is compared with"
        );
        for _ in 1..MANY {
            assert_eq!(look(&mut drift, FOCUS, &soft), None);
        }
        assert_eq!(look(&mut drift, FOCUS, &sharp), None);
        for _ in 1..MANY {
            assert_eq!(look(&mut drift, FOCUS, &soft), None);
        }
        let line = look(&mut drift, FOCUS, &soft).unwrap();
        assert!(line.contains("less sharp"), "{line}");
        assert_eq!(look(&mut drift, FOCUS, &sharp), None);
    }

    #[test]
    fn at_night_nothing_is_compared_but_the_temperature() {
        let mut drift = Drift::open(None);
        look(&mut drift, FOCUS, &frame(100, 30.0, 400.0));
        for _ in 0..2 * MANY {
            assert_eq!(look(&mut drift, FOCUS, &frame(20, 44.0, 2.0)), None);
        }
        let line = look(&mut drift, FOCUS, &frame(20, 10.0, 2.0)).unwrap();
        assert!(line.contains("20 °C colder"), "{line}");
    }

    #[test]
    fn only_the_saved_focus_is_compared_and_what_else_is_saved_leaves_its_temperature() {
        let mut drift = Drift::open(None);
        look(&mut drift, FOCUS, &frame(100, 30.0, 400.0));
        look(&mut drift, FOCUS, &frame(100, 50.0, 400.0)).unwrap();
        drift.look(Some(set(FOCUS)), set("LensPosition=3"), &frame(9, 9.0, 9.0));
        assert_eq!(drift.comparison(), None, "another focus is tried");
        let more = "LensPosition=2&Contrast=2";
        look(&mut drift, more, &frame(50, 50.0, 400.0));
        let line = look(&mut drift, more, &frame(50, 50.0, 400.0)).unwrap();
        assert!(line.contains("20 °C warmer"), "{line}");
        look(&mut drift, "LensPosition=4", &frame(50, 50.0, 400.0));
        assert_eq!(
            look(&mut drift, "LensPosition=4", &frame(50, 50.0, 400.0)),
            None
        );
        for automatic in ["AfMode=continuous", "LensPosition=auto", ""] {
            assert_eq!(look(&mut drift, automatic, &frame(50, 90.0, 400.0)), None);
        }
        drift.look(None, set(FOCUS), &frame(100, 90.0, 400.0));
        assert_eq!(drift.comparison(), None, "nothing is saved");
    }

    #[test]
    fn what_was_measured_outlives_picam_and_a_damaged_file_is_measured_anew() {
        let name = format!("picam-drift-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        look(
            &mut Drift::open(Some(folder.clone())),
            FOCUS,
            &frame(100, 30.0, 400.0),
        );
        let mut again = Drift::open(Some(folder.clone()));
        assert!(look(&mut again, FOCUS, &frame(100, 50.0, 400.0)).is_some());
        std::fs::write(folder.join(FILE), "sharpness = \n").unwrap();
        let mut anew = Drift::open(Some(folder.clone()));
        assert_eq!(look(&mut anew, FOCUS, &frame(100, 50.0, 400.0)), None);
        let again = Drift::open(Some(folder));
        assert_eq!(again.reference, anew.reference);
    }
}
