//! Files that picam writes for libcamera. They exist in memory only: the image is read-only, and nobody cleans up.

use super::derived;
use super::machine::{Machine, Platform};
use super::tuning::TUNING_FILE;
use crate::camera::CameraError;
use crate::config::CameraConfig;
use log::warn;
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::ffi::{CStr, OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::path::PathBuf;

/// The settings of Raspberry Pi's pipelines.
const PIPELINE_FILE: &str = "LIBCAMERA_RPI_CONFIG_FILE";
/// How long libcamera waits for a frame before it cancels all requests, ms: so long that it never does. picam's own
/// recovery is faster and gentler: libcamera's ends a capture that may go on in the next moment.
const TIMEOUT: u32 = 24 * 60 * 60 * 1000;
/// Where the files are.
const FOLDER: &str = "/proc/self/fd/";

impl Machine {
    /// Makes the files that are needed; the environment variables that name them, as far as they are not set yet.
    pub(super) fn files(&self, config: &CameraConfig) -> Vec<(&'static str, OsString)> {
        let Some(platform) = self.platform() else {
            return Vec::new();
        };
        let mut files = Vec::new();
        if (self.variable)(PIPELINE_FILE).is_none() {
            files.push((
                PIPELINE_FILE,
                in_memory(c"picam-pipeline", &pipeline(platform)),
            ));
        }
        if derived::is_wanted(config) {
            match (self.variable)(TUNING_FILE) {
                // Written when the sensor is known.
                None => files.push((TUNING_FILE, in_memory(c"picam-tuning", ""))),
                Some(file) => warn!(
                    "camera.longest_exposure, camera.focus_range: not used, for {TUNING_FILE} is {}",
                    file.display()
                ),
            }
        }
        let made = |(name, path): (_, io::Result<PathBuf>)| match path {
            Ok(path) => Some((name, path.into_os_string())),
            Err(reason) => {
                warn!("camera: no file in memory for {name}: {reason}");
                None
            }
        };
        files.into_iter().filter_map(made).collect()
    }

    /// Writes the tuning file of the sensor that is there, as `config` wants it.
    ///
    /// # Errors
    /// There is none to begin with, or it has nothing that could be changed so.
    pub(super) fn tune(&self, config: &CameraConfig) -> Result<(), CameraError> {
        let own = (self.variable)(TUNING_FILE).filter(|file| is_in_memory(file));
        let (Some(path), Some(platform), Some(model)) =
            (own, self.platform(), self.sensors().into_iter().next())
        else {
            return Ok(());
        };
        let mut tuning = self.tuning(platform, &model)?;
        derived::derive(&mut tuning, config).map_err(CameraError::Unusable)?;
        std::fs::write(&path, tuning.to_string()).map_err(|reason| CameraError::Failed {
            what: "writing the tuning file",
            reason: reason.to_string(),
        })
    }
}

/// Whether picam has written the file.
pub(super) fn is_in_memory(path: &OsStr) -> bool {
    path.to_string_lossy().starts_with(FOLDER)
}

fn pipeline(platform: Platform) -> String {
    let target = platform.target();
    format!(
        r#"{{"version": 1.0, "target": "{target}", "pipeline_handler": {{"camera_timeout_value_ms": {TIMEOUT}}}}}"#
    )
}

/// The path of a file with this content. It is there as long as the process is.
fn in_memory(name: &CStr, content: &str) -> io::Result<PathBuf> {
    let file: OwnedFd = memfd_create(name, MFdFlags::MFD_CLOEXEC)?;
    let mut file = File::from(file);
    file.write_all(content.as_bytes())?;
    Ok(format!("{FOLDER}{}", file.into_raw_fd()).into())
}

#[cfg(test)]
mod tests {
    use super::super::machine::tests::{PI4, machine};
    use super::*;
    use serde_json::Value;

    #[test]
    fn the_pipelines_settings_are_for_its_platform() {
        for (platform, target) in [(Platform::Vc4, "bcm2835"), (Platform::Pisp, "pisp")] {
            let settings: Value = serde_json::from_str(&pipeline(platform)).unwrap();
            assert_eq!(settings["target"], target);
            assert_eq!(settings["version"].as_f64(), Some(1.0));
            let timeout = &settings["pipeline_handler"]["camera_timeout_value_ms"];
            assert!(timeout.as_u64().is_some_and(|it| it <= u32::MAX.into()));
        }
    }

    #[test]
    fn only_what_is_needed_is_made() {
        let names = |machine: &Machine, config: &CameraConfig| {
            let files = machine.files(config).into_iter();
            files
                .map(|(name, path)| {
                    assert!(std::fs::exists(path).unwrap());
                    name
                })
                .collect::<Vec<_>>()
        };
        let plain = CameraConfig::default();
        let tuned = CameraConfig {
            longest_exposure: crate::config::AutoOr::Given(5000),
            ..CameraConfig::default()
        };
        assert_eq!(names(&machine("files-pc", &[]), &tuned), [""; 0]);
        let mut pi4 = machine("files-pi", &[PI4]);
        assert_eq!(names(&pi4, &plain), [PIPELINE_FILE]);
        assert_eq!(names(&pi4, &tuned), [PIPELINE_FILE, TUNING_FILE]);
        pi4.variable = |_| Some("/the/users/own".into());
        assert_eq!(names(&pi4, &tuned), [""; 0]);
    }
}
