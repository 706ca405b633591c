//! The configuration. [`types`](Config) has the sections of the TOML file and their defaults, `keys` the one table of
//! what each key means, `accepts` the kinds of values, `source` the names of the sources of frames. [`Layers`] lays the
//! files over each other, which `reader` reads through the table; `problem` says what is wrong with them, `origins` where
//! each value comes from. `print` writes a configuration out again, commented from the table; `live` takes over what can
//! change in a running picam. [`Saved`] keeps what was set while it ran, in the files of `stored`.

mod accepts;
mod auto;
mod file;
mod keys;
mod layers;
mod live;
mod order;
mod origins;
mod print;
mod problem;
mod reader;
mod saved;
mod source;
mod stored;
mod types;

pub use auto::AutoOr;
pub(crate) use file::read as read_file;
pub use file::{FileLine, LARGEST_FILE};
pub use layers::{Layers, Overrides};
pub use live::Changes;
pub use order::{Change, NotKept, Order};
pub use origins::Traced;
pub use problem::{ConfigError, Problem};
pub use saved::{Requested, Saved};
pub use source::{Source, UnknownSource};
pub(crate) use stored::put_file;
pub use types::*;
