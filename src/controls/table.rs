//! The control table, and reading one value by it.

use std::fmt;

use serde::Serialize;

use super::{ControlError, one_of, shown};

/// The controls, in the order of [`TABLE`]. Names and meaning are libcamera's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is documented by its entry in TABLE")]
pub enum ControlId {
    ExposureTime,
    AnalogueGain,
    LensPosition,
    AfMode,
    AeEnable,
    AwbEnable,
}

/// Bounds of a number, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Smallest accepted value.
    pub min: f64,
    /// Largest accepted value; `None` where only the camera knows it.
    pub max: Option<f64>,
}

impl Range {
    fn contains(&self, number: f64) -> bool {
        number >= self.min && self.max.is_none_or(|max| number <= max)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.max {
            Some(max) => write!(f, "from {} to {max}", self.min),
            None => write!(f, "of at least {}", self.min),
        }
    }
}

/// What values a control takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A whole number.
    Integer(Range),
    /// A finite number; libcamera stores it as 32-bit float.
    Float(Range),
    /// `true` or `1`, `false` or `0`.
    Bool,
    /// One of these words.
    Enum(&'static [&'static str]),
}

impl Kind {
    /// What values are expected, in `unit`, as the end of a sentence: "a number of at least 1 (ratio)".
    pub(super) fn expected(&self, unit: &str) -> String {
        let values = match self {
            Kind::Integer(range) => format!("an integer {range}"),
            Kind::Float(range) => format!("a number {range}"),
            Kind::Bool => "true, false, 1 or 0".to_owned(),
            Kind::Enum(words) => one_of(words),
        };
        if unit.is_empty() {
            values
        } else {
            format!("{values} ({unit})")
        }
    }
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

// libcamera's numbers: ExposureTimeMode and AnalogueGainMode 0 = Auto, 1 = Manual; AfMode 0 = Manual; AfTrigger 0 = Start.
pub(super) const MODE_AUTO: i32 = 0;
const MODE_MANUAL: i32 = 1;
const AF_MANUAL: i32 = 0;
const AF_START: i32 = 0;

/// Every control that picam knows.
pub static TABLE: [Control; 6] = [
    Control {
        id: ControlId::ExposureTime,
        name: "ExposureTime",
        // libcamera's ExposureTime is an int32.
        kind: Kind::Integer(Range {
            min: 1.0,
            max: Some(i32::MAX as f64),
        }),
        unit: "µs",
        effect: "Exposure time of each frame. Setting it ends AeEnable; the gain stays automatic unless it is set, too.",
        libcamera: &[
            always("ExposureTimeMode", MODE_MANUAL),
            same("ExposureTime"),
        ],
    },
    Control {
        id: ControlId::AnalogueGain,
        name: "AnalogueGain",
        kind: Kind::Float(Range {
            min: 1.0,
            max: None,
        }),
        unit: "ratio",
        effect: "Analogue gain of the sensor. Setting it ends AeEnable; the exposure time stays automatic unless it is set, too.",
        libcamera: &[
            always("AnalogueGainMode", MODE_MANUAL),
            same("AnalogueGain"),
        ],
    },
    Control {
        id: ControlId::LensPosition,
        name: "LensPosition",
        kind: Kind::Float(Range {
            min: 0.0,
            max: None,
        }),
        unit: "dioptres",
        effect: "Focus distance as its reciprocal: 0 is infinity, 2 is 0.5 m. Setting it makes AfMode manual.",
        // LensPosition is ignored in the other modes; within a request libcamera sets AfMode first.
        libcamera: &[always("AfMode", AF_MANUAL), same("LensPosition")],
    },
    Control {
        id: ControlId::AfMode,
        name: "AfMode",
        kind: Kind::Enum(&["manual", "auto", "continuous"]),
        unit: "",
        effect: "Autofocus: off, once, or all the time. auto and continuous drop LensPosition.",
        libcamera: &[
            same("AfMode"),
            Mapping {
                name: "AfTrigger",
                value: Mapped::Once {
                    word: "auto",
                    number: AF_START,
                },
            },
        ],
    },
    Control {
        id: ControlId::AeEnable,
        name: "AeEnable",
        kind: Kind::Bool,
        unit: "",
        effect: "Automatic exposure time and gain: both, or neither. true drops ExposureTime and AnalogueGain.",
        libcamera: &[same("AeEnable")],
    },
    Control {
        id: ControlId::AwbEnable,
        name: "AwbEnable",
        kind: Kind::Bool,
        unit: "",
        effect: "Automatic white balance.",
        libcamera: &[same("AwbEnable")],
    },
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
        let word = text.trim();
        let value = match self.kind {
            Kind::Integer(range) => word
                .parse()
                .ok()
                .filter(|&n: &i64| range.contains(n as f64))
                .map(Value::Integer),
            Kind::Float(range) => word
                .parse()
                .ok()
                .filter(|&n: &f64| range.contains(n) && (n as f32).is_finite())
                .map(Value::Float),
            Kind::Bool => match word {
                "true" | "1" => Some(Value::Bool(true)),
                "false" | "0" => Some(Value::Bool(false)),
                _ => None,
            },
            Kind::Enum(words) => words.iter().find(|w| **w == word).map(|w| Value::Enum(w)),
        };
        value.ok_or_else(|| ControlError::Value {
            name: self.name,
            given: shown(text),
            expected: self.expected(),
        })
    }
}

/// The value of one control.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Of a [`Kind::Integer`] control.
    Integer(i64),
    /// Of a [`Kind::Float`] control; finite, also as `f32`.
    Float(f64),
    /// Of a [`Kind::Bool`] control.
    Bool(bool),
    /// Of a [`Kind::Enum`] control; one of its words.
    Enum(&'static str),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Integer(number) => number.fmt(f),
            Value::Float(number) => number.fmt(f),
            Value::Bool(on) => on.fmt(f),
            Value::Enum(word) => f.write_str(word),
        }
    }
}
