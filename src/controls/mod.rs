//! The camera controls: one table of names, kinds, units, ranges and effects, and sets of values.
//!
//! `/set`, the `[controls]` section of the TOML file and the test picture all read [`TABLE`]; none
//! has a list of its own. A [`Set`] holds at most one value per control and never contradicts
//! itself: a fixed exposure and automatic exposure exclude each other, and so do a fixed lens
//! position and autofocus, and what else `rules` says.

mod error;
mod kind;
mod mapping;
mod ranges;
mod rules;
mod set;
mod table;
#[cfg(test)]
mod tests;

pub use error::ControlError;
pub(crate) use error::{one_of, shown};
pub(crate) use kind::AUTO;
pub use kind::{Kind, Range, Value};
pub use mapping::Raw;
pub use ranges::{Availability, Ranges};
pub use set::Set;
pub use table::{Control, ControlId, Mapped, Mapping, TABLE};
