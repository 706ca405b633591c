//! The kinds of values that keys take: what is accepted, and how that is said.

use std::fmt;

use toml::Value;

use crate::controls::{AUTO, Control, Kind, one_of};

/// What values a key accepts. Displayed as the end of a sentence: "an integer from 1 to 100".
#[derive(Clone, Copy)]
pub(super) enum Accepts {
    /// A whole number between two bounds, both inclusive.
    Integer(i64, i64),
    /// The same, and divisible by two: a 4:2:0 picture has half a chroma row for each row.
    Even(i64, i64),
    /// One of these whole numbers.
    OneOf(&'static [i64]),
    /// A number between two bounds, both inclusive.
    Float(f64, f64),
    /// `true` or `false`.
    Bool,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A text that the function accepts, and how to describe it.
    Text(fn(&str) -> bool, &'static str),
    /// A list of core numbers, never empty.
    Cores,
    /// Names of hosts, in lower case.
    Names,
    /// Two distances, the smaller one first, both at least [`NEAREST`].
    Distances,
    /// `"auto"`, or one of these.
    AutoOr(&'static Accepts),
    /// What the control table says.
    Control(&'static Control),
}

/// Nearer than any lens of a Camera Module 3 can be focused, metres.
const NEAREST: f64 = 0.02;
/// Highest core number plus one that Linux's `cpu_set_t` has a bit for.
const CORES: i64 = 1024;

impl Accepts {
    /// Whether the value is one of those that are expected.
    pub fn check(&self, value: &Value) -> bool {
        let in_range = |n: i64, min, max| (min..=max).contains(&n);
        match *self {
            Accepts::Integer(min, max) => value.as_integer().is_some_and(|n| in_range(n, min, max)),
            Accepts::Even(min, max) => value
                .as_integer()
                .is_some_and(|n| in_range(n, min, max) && n % 2 == 0),
            Accepts::OneOf(numbers) => value.as_integer().is_some_and(|n| numbers.contains(&n)),
            Accepts::Float(min, max) => number(value).is_some_and(|n| (min..=max).contains(&n)),
            Accepts::Bool => value.is_bool(),
            Accepts::Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
            Accepts::Text(accepts, _) => value.as_str().is_some_and(accepts),
            Accepts::Cores => value.as_array().is_some_and(|cores| {
                let core = |v: &Value| v.as_integer().is_some_and(|n| in_range(n, 0, CORES - 1));
                !cores.is_empty() && cores.iter().all(core)
            }),
            Accepts::Names => value.as_array().is_some_and(|names| {
                let name = |v: &Value| v.as_str().is_some_and(is_name);
                names.iter().all(name)
            }),
            Accepts::Distances => match value.as_array().map(Vec::as_slice) {
                Some([nearest, farthest]) => {
                    let metres = |value| number(value).filter(|metres| *metres >= NEAREST);
                    metres(nearest)
                        .zip(metres(farthest))
                        .is_some_and(|(nearest, farthest)| nearest < farthest)
                }
                _ => false,
            },
            Accepts::AutoOr(accepts) => value.as_str() == Some(AUTO) || accepts.check(value),
            Accepts::Control(control) => {
                control_text(control, value).is_some_and(|text| control.parse(&text).is_ok())
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !label.is_empty() && label.chars().all(plain)
    };
    text.split('.').all(label)
}

/// A number, whole or not.
fn number(value: &Value) -> Option<f64> {
    value.as_float().or(value.as_integer().map(|n| n as f64))
}

/// The value as [`Control::parse`] reads it; `None` if it has the wrong type.
pub(super) fn control_text(control: &Control, value: &Value) -> Option<String> {
    text(&control.kind, value)
}

fn text(kind: &Kind, value: &Value) -> Option<String> {
    match (kind, value) {
        (Kind::OrAuto(_), Value::String(word)) => (word == AUTO).then(|| word.clone()),
        (Kind::OrAuto(kind), value) => text(kind, value),
        (Kind::Pair(..) | Kind::Window, Value::Array(numbers)) => {
            let number = |value: &Value| match value {
                Value::Integer(n) => Some(n.to_string()),
                Value::Float(n) => Some(n.to_string()),
                _ => None,
            };
            let numbers: Option<Vec<_>> = numbers.iter().map(number).collect();
            Some(numbers?.join(","))
        }
        (Kind::Enum(_), Value::String(word)) => Some(word.clone()),
        (Kind::Integer(_) | Kind::Float(_) | Kind::Bool, Value::Integer(n)) => Some(n.to_string()),
        (Kind::Float(_), Value::Float(n)) => Some(n.to_string()),
        (Kind::Bool, Value::Boolean(on)) => Some(on.to_string()),
        _ => None,
    }
}

impl fmt::Display for Accepts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Accepts::Integer(min, max) => write!(f, "an integer from {min} to {max}"),
            Accepts::Even(min, max) => write!(f, "an even integer from {min} to {max}"),
            Accepts::OneOf(numbers) => {
                let words: Vec<_> = numbers.iter().map(i64::to_string).collect();
                let words: Vec<_> = words.iter().map(String::as_str).collect();
                f.write_str(&one_of(&words))
            }
            Accepts::Float(min, max) => write!(f, "a number from {min} to {max}"),
            Accepts::Bool => f.write_str("true or false"),
            Accepts::Word(words) => f.write_str(&one_of(words)),
            Accepts::Text(_, description) => f.write_str(description),
            Accepts::Cores => write!(
                f,
                "a list of core numbers from 0 to {}, like [3]",
                CORES - 1
            ),
            Accepts::Names => {
                f.write_str("a list of names in lower case, like [\"camera.example.org\"]")
            }
            Accepts::Distances => write!(
                f,
                "[nearest, farthest] of at least {NEAREST}, like [0.3, 2.0] or [1.0, inf]"
            ),
            Accepts::AutoOr(accepts) => write!(f, "\"{AUTO}\" or {accepts}"),
            Accepts::Control(control) => f.write_str(&control.expected()),
        }
    }
}
