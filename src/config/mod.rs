//! The configuration. [`types`](Config) has the sections of the TOML file and their defaults, `keys` the one table of
//! what each key means, `accepts` the kinds of values. [`Layers`] reads the files through the table and lays them over
//! each other; `print` writes a configuration out again, commented from it; `live` takes over what can change in a
//! running picam; [`Saved`] keeps what /set asked for.

mod accepts;
mod auto;
mod file;
mod keys;
mod layers;
mod live;
mod print;
mod saved;
mod types;

pub use auto::AutoOr;
pub use file::{FileLine, LARGEST_FILE};
pub use layers::{ConfigError, Layers, Overrides, Problem};
pub use live::Changes;
pub use saved::Saved;
pub use types::*;
