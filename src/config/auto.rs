//! Keys that are `"auto"` or a value.

use serde::{Deserialize, Serialize};

use crate::controls::AUTO;

/// A value, or picam's own choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Text<T>", into = "Text<T>")]
#[serde(bound(serialize = "T: Clone + Serialize"))]
pub enum AutoOr<T> {
    /// picam decides.
    #[default]
    Auto,
    /// The user has decided.
    Given(T),
}

/// [`AutoOr`] as it is written in the file.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Text<T> {
    Word(String),
    Value(T),
}

impl<T> TryFrom<Text<T>> for AutoOr<T> {
    type Error = &'static str;

    fn try_from(text: Text<T>) -> Result<Self, Self::Error> {
        match text {
            Text::Word(word) if word == AUTO => Ok(AutoOr::Auto),
            Text::Word(_) => Err("neither \"auto\" nor a value"),
            Text::Value(value) => Ok(AutoOr::Given(value)),
        }
    }
}

impl<T> From<AutoOr<T>> for Text<T> {
    fn from(choice: AutoOr<T>) -> Self {
        match choice {
            AutoOr::Auto => Text::Word(AUTO.to_owned()),
            AutoOr::Given(value) => Text::Value(value),
        }
    }
}
