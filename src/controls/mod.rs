//! The camera controls: one table of names, kinds, units, ranges and effects, and sets of values.
//!
//! `/set`, the `[controls]` section of the TOML file and the test picture all read [`TABLE`]; none
//! has a list of its own. A [`Set`] holds at most one value per control and never contradicts
//! itself: a fixed exposure and automatic exposure exclude each other, and so do a fixed lens
//! position and autofocus.

mod limits;
mod mapping;
mod set;
mod table;
#[cfg(test)]
mod tests;

pub use limits::{Limit, Limits};
pub use mapping::Raw;
pub use set::Set;
pub use table::{Control, ControlId, Kind, Mapped, Mapping, Range, TABLE, Value};

/// Why a set of controls is refused. The message is one line of printable text and says what is
/// accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// No control has this name.
    #[error("unknown control {name}: accepted is {}", one_of(&TABLE.each_ref().map(|c| c.name)))]
    Unknown {
        /// As given, quoted.
        name: String,
    },
    /// The same control twice in one set.
    #[error("{name} is given twice: accepted is once")]
    Twice {
        /// The control.
        name: &'static str,
    },
    /// Not a value of this control.
    #[error("{name} = {given}: accepted is {accepted}")]
    Value {
        /// The control.
        name: &'static str,
        /// As given, quoted.
        given: String,
        /// See [`Control::accepted`].
        accepted: String,
    },
    /// The open camera does not have this control.
    #[error("this camera has no {name}: accepted is {accepted}")]
    Missing {
        /// The control.
        name: &'static str,
        /// Those that it has.
        accepted: String,
    },
    /// Two controls of one set that exclude each other.
    #[error("{fixed} with {mode} contradict each other: leave one out, or make it {needed}")]
    Contradiction {
        /// The control that asks for a fixed value.
        fixed: &'static str,
        /// The automatic mode asked for, as name=value.
        mode: String,
        /// The mode that goes with the fixed value, as name=value.
        needed: &'static str,
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
