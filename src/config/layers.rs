//! The layers of the configuration: files laid over the defaults key by key, and the command line
//! over the files. What was saved lies between them: see [`Traced::with_saved`] and [`Saved`](super::Saved).

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::keys::SECTIONS;
use super::origins::{Origin, Traced};
use super::problem::{ConfigError, Problem};
use super::reader::Reader;
use super::{Config, Source};

/// The file that comes with the image, read-only.
const IMAGE_FILE: &str = "/etc/picam/picam.toml";
/// The site's file, which survives updates.
const SITE_FILE: &str = "/data/picam/picam.toml";

/// What the command line sets; it wins over every file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    /// Instead of `camera.source`.
    pub source: Option<Source>,
    /// Instead of `server.listen`.
    pub listen: Option<SocketAddr>,
}

/// Where the configuration comes from. Kept by a running picam, to read it again on request.
#[derive(Clone, Debug, PartialEq)]
pub struct Layers {
    /// The files; a later one wins over an earlier one, key by key.
    pub files: Vec<PathBuf>,
    /// Whether a file that does not exist is a problem.
    pub required: bool,
    /// What the command line sets.
    pub overrides: Overrides,
}

/// The image's file and the site's file, both optional.
impl Default for Layers {
    fn default() -> Self {
        Layers {
            files: vec![IMAGE_FILE.into(), SITE_FILE.into()],
            required: false,
            overrides: Overrides::default(),
        }
    }
}

impl Layers {
    /// Reads the files and lays them, then the command line, over the defaults.
    ///
    /// # Errors
    /// All problems of all files; the configuration is then not usable at all.
    pub fn load(&self) -> Result<Config, ConfigError> {
        Ok(self.trace()?.config)
    }

    /// The same, and where each value comes from.
    ///
    /// # Errors
    /// As [`Layers::load`].
    pub fn trace(&self) -> Result<Traced, ConfigError> {
        let mut reader = Reader::new(SECTIONS);
        for path in &self.files {
            match reader.open(path) {
                Err(e) if e.kind() == io::ErrorKind::NotFound && !self.required => {}
                Err(source) => reader.problems.push(Problem::Read {
                    path: path.clone(),
                    source,
                }),
                Ok(()) => {}
            }
        }
        let mut traced = reader.finish()?;
        if let Some(source) = &self.overrides.source {
            traced.config.camera.source = source.clone();
            traced
                .origins
                .set("camera.source", Origin::Option("--camera"));
        }
        if let Some(listen) = self.overrides.listen {
            traced.config.server.listen = listen;
            traced
                .origins
                .set("server.listen", Origin::Option("--listen"));
        }
        Ok(traced)
    }
}
