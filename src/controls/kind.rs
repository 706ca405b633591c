//! Kinds of values, and reading one.

use std::fmt;

use serde::{Serialize, Serializer};

use super::one_of;
use crate::picture::Window;

/// The word for picam's, or the camera's, own choice.
pub(crate) const AUTO: &str = "auto";

/// Bounds of a number, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Smallest accepted value.
    pub min: f64,
    /// Largest accepted value; `None` where only the camera knows it.
    pub max: Option<f64>,
}

impl Range {
    pub(super) const fn between(min: f64, max: f64) -> Self {
        let max = Some(max);
        Self { min, max }
    }

    pub(super) const fn at_least(min: f64) -> Self {
        Self { min, max: None }
    }

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
    /// A number of either kind, or `auto`.
    OrAuto(&'static Kind),
    /// `true` or `1`, `false` or `0`.
    Bool,
    /// One of these words.
    Enum(&'static [&'static str]),
    /// Two numbers with a comma between them; what they are called.
    Pair(&'static str, Range),
    /// A part of the picture: `x,y,w,h` as fractions of its width and height.
    Window,
}

impl Kind {
    /// What values are expected, in `unit`, as the end of a sentence: "a number of at least 1 (ratio)".
    pub(super) fn expected(&self, unit: &str) -> String {
        let values = match self {
            Kind::Integer(range) => format!("an integer {range}"),
            Kind::Float(range) => format!("a number {range}"),
            Kind::OrAuto(kind) => return format!("{AUTO} or {}", kind.expected(unit)),
            Kind::Bool => "true, false, 1 or 0".to_owned(),
            Kind::Enum(words) => one_of(words),
            Kind::Pair(names, range) => format!("{names}, numbers {range}"),
            Kind::Window => Window::EXPECTED.to_owned(),
        };
        if unit.is_empty() {
            values
        } else {
            format!("{values} ({unit})")
        }
    }

    /// The same for a camera that takes numbers of this range.
    pub(super) fn within(&self, range: Range, unit: &str) -> String {
        match self {
            Kind::Integer(_) => Kind::Integer(range).expected(unit),
            Kind::Float(_) => Kind::Float(range).expected(unit),
            Kind::Pair(names, _) => Kind::Pair(names, range).expected(unit),
            Kind::OrAuto(kind) => format!("{AUTO} or {}", kind.within(range, unit)),
            other => other.expected(unit),
        }
    }

    /// Reads a value; spaces round it do not matter.
    pub(super) fn parse(&self, text: &str) -> Option<Value> {
        let word = text.trim();
        match *self {
            Kind::Integer(range) => {
                let number = word.parse().ok();
                let number = number.filter(|&number: &i64| range.contains(number as f64));
                number.map(Value::Integer)
            }
            Kind::Float(range) => float(word, range).map(Value::Float),
            Kind::OrAuto(kind) => match word {
                AUTO => Some(Value::Auto),
                _ => kind.parse(word),
            },
            Kind::Bool => match word {
                "true" | "1" => Some(Value::Bool(true)),
                "false" | "0" => Some(Value::Bool(false)),
                _ => None,
            },
            Kind::Enum(words) => words.iter().find(|w| **w == word).map(|w| Value::Enum(w)),
            Kind::Pair(_, range) => floats(word, range).map(Value::Pair),
            Kind::Window => {
                let Window(numbers) = Window::parse(word)?;
                Some(Value::Window(numbers))
            }
        }
    }
}

fn float(text: &str, range: Range) -> Option<f64> {
    let number = text.trim().parse().ok();
    number.filter(|&number: &f64| range.contains(number) && (number as f32).is_finite())
}

/// Numbers with commas between them, and no more than `N`.
fn floats<const N: usize>(text: &str, range: Range) -> Option<[f64; N]> {
    let numbers: Option<Vec<_>> = text.split(',').map(|text| float(text, range)).collect();
    numbers?.try_into().ok()
}

/// The value of one control.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// Of a [`Kind::Integer`] control.
    Integer(i64),
    /// Of a [`Kind::Float`] control; finite, also as `f32`.
    Float(f64),
    /// Of a [`Kind::OrAuto`] control.
    #[serde(serialize_with = "write_auto")]
    Auto,
    /// Of a [`Kind::Bool`] control.
    Bool(bool),
    /// Of a [`Kind::Enum`] control; one of its words.
    Enum(&'static str),
    /// Of a [`Kind::Pair`] control.
    Pair([f64; 2]),
    /// Of a [`Kind::Window`] control: left, top, width and height.
    Window([f64; 4]),
}

fn write_auto<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(AUTO)
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |numbers: &[f64]| {
            let numbers: Vec<_> = numbers.iter().map(f64::to_string).collect();
            numbers.join(",")
        };
        match self {
            Value::Integer(number) => number.fmt(f),
            Value::Float(number) => number.fmt(f),
            Value::Auto => f.write_str(AUTO),
            Value::Bool(on) => on.fmt(f),
            Value::Enum(word) => f.write_str(word),
            Value::Pair(numbers) => f.write_str(&list(numbers)),
            Value::Window(numbers) => f.write_str(&list(numbers)),
        }
    }
}
