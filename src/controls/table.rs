//! The control table.

use super::kind::{Kind, Range, Value};
use super::{ControlError, shown};

/// The controls, in the order of [`TABLE`]. Names and meaning are libcamera's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is documented by its entry in TABLE")]
pub enum ControlId {
    ExposureTime,
    AnalogueGain,
    ExposureValue,
    AeEnable,
    AeExposureMode,
    AeMeteringMode,
    AeFlickerPeriod,
    LensPosition,
    AfMode,
    AfRange,
    AfSpeed,
    AfMetering,
    AfWindows,
    ColourGains,
    ColourTemperature,
    AwbEnable,
    AwbMode,
    Brightness,
    Contrast,
    Saturation,
    Sharpness,
    NoiseReductionMode,
    HdrMode,
}

/// One row of [`TABLE`].
#[derive(Debug, PartialEq)]
pub struct Control {
    /// Which control this row describes; its position in the table.
    pub id: ControlId,
    /// The name in `/set`, in the TOML file and in libcamera.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// Unit of the value; empty where it has none.
    pub unit: &'static str,
    /// What it does, and what else setting it changes.
    pub effect: &'static str,
    /// What becomes of it in libcamera: every line of this is set, in one request.
    pub libcamera: &'static [Mapping],
}

/// One libcamera control that a control of the table sets.
#[derive(Debug, PartialEq)]
pub struct Mapping {
    /// libcamera's name for it.
    pub name: &'static str,
    /// The value it gets.
    pub value: Mapped,
}

/// The value that a libcamera control gets.
#[derive(Debug, PartialEq)]
pub enum Mapped {
    /// The one given; of words the position in the table's list, which is libcamera's number.
    Given,
    /// Of words the number at the position in the table's list.
    ByWord(&'static [i32]),
    /// This number whatever is given.
    Always(i32),
    /// This number when `word` is given, and only in the request that follows: it triggers something.
    Once {
        /// The word.
        word: &'static str,
        /// The number.
        number: i32,
    },
}

const fn row(
    id: ControlId,
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    effect: &'static str,
    libcamera: &'static [Mapping],
) -> Control {
    Control {
        id,
        name,
        kind,
        unit,
        effect,
        libcamera,
    }
}

/// A control that libcamera has by the same name, and nothing else to set.
const fn same(name: &'static str) -> Mapping {
    Mapping {
        name,
        value: Mapped::Given,
    }
}

/// A libcamera control that gets `number`.
const fn always(name: &'static str, number: i32) -> Mapping {
    Mapping {
        name,
        value: Mapped::Always(number),
    }
}

/// A libcamera control that gets one of `numbers`, by the word that is given.
const fn by_word(name: &'static str, numbers: &'static [i32]) -> Mapping {
    Mapping {
        name,
        value: Mapped::ByWord(numbers),
    }
}

// libcamera's numbers: ExposureTimeMode and AnalogueGainMode 0 = Auto, 1 = Manual; AfMode 0 = Manual; AfTrigger 0 = Start;
// AfMetering 1 = Windows; AeFlickerMode 0 = Off, 1 = Manual.
pub(super) const MODE_AUTO: i32 = 0;
const MODE_MANUAL: i32 = 1;
const AF_MANUAL: i32 = 0;
const AF_START: Mapping = Mapping {
    name: "AfTrigger",
    value: Mapped::Once {
        word: "auto",
        number: 0,
    },
};
const AF_WINDOWS: i32 = 1;
const OFF: i32 = 0;

/// Every control that picam knows.
pub static TABLE: [Control; 23] = [
    row(
        ControlId::ExposureTime,
        "ExposureTime",
        // libcamera's ExposureTime is an int32.
        Kind::OrAuto(&Kind::Integer(Range::between(1.0, i32::MAX as f64))),
        "µs",
        "Exposure time of each frame. Setting it ends AeEnable; the gain stays automatic unless it is set, too.",
        &[
            always("ExposureTimeMode", MODE_MANUAL),
            same("ExposureTime"),
        ],
    ),
    row(
        ControlId::AnalogueGain,
        "AnalogueGain",
        Kind::OrAuto(&Kind::Float(Range::at_least(1.0))),
        "ratio",
        "Analogue gain of the sensor. Setting it ends AeEnable; the exposure time stays automatic unless it is set, too.",
        &[
            always("AnalogueGainMode", MODE_MANUAL),
            same("AnalogueGain"),
        ],
    ),
    row(
        ControlId::ExposureValue,
        "ExposureValue",
        Kind::Float(Range::between(-8.0, 8.0)),
        "EV",
        "How much brighter automatic exposure makes the picture: 1 is twice as bright, -1 half as bright.",
        &[same("ExposureValue")],
    ),
    row(
        ControlId::AeEnable,
        "AeEnable",
        Kind::Bool,
        "",
        "Automatic exposure time and gain: both, or neither. true drops ExposureTime and AnalogueGain.",
        &[same("AeEnable")],
    ),
    row(
        ControlId::AeExposureMode,
        "AeExposureMode",
        Kind::Enum(&["normal", "short", "long"]),
        "",
        "What automatic exposure prefers: short exposures freeze what moves, long ones have less noise.",
        &[same("AeExposureMode")],
    ),
    row(
        ControlId::AeMeteringMode,
        "AeMeteringMode",
        Kind::Enum(&["centre-weighted", "spot", "matrix"]),
        "",
        "Where automatic exposure measures the light: mostly in the middle, only there, or everywhere.",
        &[same("AeMeteringMode")],
    ),
    row(
        ControlId::AeFlickerPeriod,
        "AeFlickerPeriod",
        Kind::Enum(&["off", "50", "60"]),
        "Hz of the mains",
        "Automatic exposure takes times at which lamps do not flicker.",
        // The light has twice the frequency of the mains: its period in µs.
        &[
            by_word("AeFlickerMode", &[OFF, MODE_MANUAL, MODE_MANUAL]),
            by_word("AeFlickerPeriod", &[10_000, 10_000, 8_333]),
        ],
    ),
    row(
        ControlId::LensPosition,
        "LensPosition",
        Kind::OrAuto(&Kind::Float(Range::at_least(0.0))),
        "dioptres",
        "Focus distance as its reciprocal: 0 is infinity, 2 is 0.5 m. Setting it makes AfMode manual, auto continuous.",
        // LensPosition is ignored in the other modes; within a request libcamera sets AfMode first.
        &[always("AfMode", AF_MANUAL), same("LensPosition")],
    ),
    row(
        ControlId::AfMode,
        "AfMode",
        Kind::Enum(&["manual", "auto", "continuous"]),
        "",
        "Autofocus: off, once, or all the time. auto and continuous drop LensPosition.",
        &[same("AfMode"), AF_START],
    ),
    row(
        ControlId::AfRange,
        "AfRange",
        Kind::Enum(&["normal", "macro", "full"]),
        "",
        "Distances that autofocus looks at.",
        &[same("AfRange")],
    ),
    row(
        ControlId::AfSpeed,
        "AfSpeed",
        Kind::Enum(&["normal", "fast"]),
        "",
        "How fast autofocus moves the lens; fast is less exact.",
        &[same("AfSpeed")],
    ),
    row(
        ControlId::AfMetering,
        "AfMetering",
        Kind::Enum(&["auto", "windows"]),
        "",
        "Where autofocus looks: in the middle, or in AfWindows. auto drops AfWindows.",
        &[same("AfMetering")],
    ),
    row(
        ControlId::AfWindows,
        "AfWindows",
        Kind::Window,
        "",
        "The part of the picture that autofocus makes sharp. Setting it makes AfMetering windows.",
        &[always("AfMetering", AF_WINDOWS), same("AfWindows")],
    ),
    row(
        ControlId::ColourGains,
        "ColourGains",
        Kind::Pair("red,blue", Range::between(0.0, 32.0)),
        "ratio",
        "Fixed white balance by the gains of red and blue. Setting it ends AwbEnable and drops ColourTemperature.",
        &[always("AwbEnable", OFF), same("ColourGains")],
    ),
    row(
        ControlId::ColourTemperature,
        "ColourTemperature",
        Kind::Integer(Range::between(100.0, 100_000.0)),
        "K",
        "Fixed white balance by the colour of the light. Setting it ends AwbEnable and drops ColourGains.",
        &[always("AwbEnable", OFF), same("ColourTemperature")],
    ),
    row(
        ControlId::AwbEnable,
        "AwbEnable",
        Kind::Bool,
        "",
        "Automatic white balance. true drops ColourGains and ColourTemperature.",
        &[same("AwbEnable")],
    ),
    row(
        ControlId::AwbMode,
        "AwbMode",
        Kind::Enum(&[
            "auto",
            "incandescent",
            "tungsten",
            "fluorescent",
            "indoor",
            "daylight",
            "cloudy",
        ]),
        "",
        "Light that automatic white balance reckons with.",
        &[same("AwbMode")],
    ),
    row(
        ControlId::Brightness,
        "Brightness",
        Kind::Float(Range::between(-1.0, 1.0)),
        "",
        "Added to the picture; 0 is as it is.",
        &[same("Brightness")],
    ),
    row(
        ControlId::Contrast,
        "Contrast",
        Kind::Float(Range::between(0.0, 32.0)),
        "",
        "Difference between bright and dark; 1 is as it is.",
        &[same("Contrast")],
    ),
    row(
        ControlId::Saturation,
        "Saturation",
        Kind::Float(Range::between(0.0, 32.0)),
        "",
        "Strength of the colours; 1 is as it is, 0 is grey.",
        &[same("Saturation")],
    ),
    row(
        ControlId::Sharpness,
        "Sharpness",
        Kind::Float(Range::between(0.0, 16.0)),
        "",
        "Strength of the sharpening; 1 is as it is, 0 is none.",
        &[same("Sharpness")],
    ),
    row(
        ControlId::NoiseReductionMode,
        "NoiseReductionMode",
        Kind::Enum(&["off", "fast", "high-quality", "minimal"]),
        "",
        "How much is done against noise.",
        &[same("NoiseReductionMode")],
    ),
    row(
        ControlId::HdrMode,
        "HdrMode",
        Kind::Enum(&[
            "off",
            "multi-exposure-unmerged",
            "multi-exposure",
            "single-exposure",
            "night",
        ]),
        "",
        "The image processor's way to show bright and dark at once; the sensor's own is camera.hdr.",
        &[same("HdrMode")],
    ),
];

impl Control {
    /// The row with this name (case matters).
    ///
    /// # Errors
    /// [`ControlError::Unknown`] if there is none.
    pub fn named(name: &str) -> Result<&'static Control, ControlError> {
        TABLE
            .iter()
            .find(|control| control.name == name)
            .ok_or_else(|| ControlError::Unknown { name: shown(name) })
    }

    /// What values are expected, as the end of a sentence: "a number of at least 1 (ratio)".
    pub fn expected(&self) -> String {
        self.kind.expected(self.unit)
    }

    /// Reads a value; spaces round it do not matter.
    ///
    /// # Errors
    /// [`ControlError::Value`] if the text is not a value of this control.
    pub fn parse(&self, text: &str) -> Result<Value, ControlError> {
        self.kind.parse(text).ok_or_else(|| ControlError::Value {
            name: self.name,
            given: shown(text),
            expected: self.expected(),
        })
    }
}
