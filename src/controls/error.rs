//! Why a set of controls is refused, and how text from outside is shown in a refusal.

use super::TABLE;

/// Why a set of controls is refused. The message is one line of printable text and says what is
/// accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// No control has this name.
    #[error("unknown control {name}: expected {}", one_of(&TABLE.each_ref().map(|c| c.name)))]
    Unknown {
        /// As given, quoted.
        name: String,
    },
    /// The same control twice in one set.
    #[error("{name} is given twice: expected once")]
    Twice {
        /// The control.
        name: &'static str,
    },
    /// Not a value of this control.
    #[error("{name} = {given}: expected {expected}")]
    Value {
        /// The control.
        name: &'static str,
        /// As given, quoted.
        given: String,
        /// See [`Control::expected`].
        expected: String,
    },
    /// The open camera does not have this control.
    #[error("this camera has no {name}: expected {expected}")]
    Missing {
        /// The control.
        name: &'static str,
        /// Those that it has.
        expected: String,
    },
    /// Two fixed values of which only one can be in force.
    #[error("{one} and {other} exclude each other: expected one of them")]
    Exclusive {
        /// A control.
        one: &'static str,
        /// Another one.
        other: &'static str,
    },
    /// Two controls of one set that exclude each other.
    #[error("{fixed} with {mode} contradict each other: leave one out, or make it {needed}")]
    Contradiction {
        /// The control that asks for a fixed value.
        fixed: &'static str,
        /// The automatic mode asked for, as name=value.
        mode: String,
        /// The mode that goes with the fixed value, as name=value.
        needed: String,
    },
}

/// Text from outside as it may be shown in a message: quoted, printable, on one line, not long.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut start: String = text.chars().take(LONGEST).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    format!("{start:?}")
}

/// "a, b or c".
pub(crate) fn one_of(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [word] => (*word).to_owned(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}
