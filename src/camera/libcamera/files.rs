//! Files that picam writes for libcamera. They exist in memory only: the image is read-only, and nobody cleans up.

use super::machine::Platform;
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{IntoRawFd, OwnedFd};
use std::path::PathBuf;

/// How long libcamera waits for a frame before it cancels all requests, ms: so long that it never does. picam's own
/// recovery is faster and gentler: libcamera's ends a capture that may go on in the next moment.
const TIMEOUT: u32 = 24 * 60 * 60 * 1000;

/// The settings of Raspberry Pi's pipelines, none of which is a control.
///
/// # Errors
/// The system refuses memory or a descriptor.
pub(super) fn pipeline(platform: Platform) -> io::Result<PathBuf> {
    let target = platform.target();
    let text = format!(
        r#"{{"version": 1.0, "target": "{target}", "pipeline_handler": {{"camera_timeout_value_ms": {TIMEOUT}}}}}"#
    );
    in_memory(c"picam-pipeline", text.as_bytes())
}

/// The path of a file with this content. It is there as long as the process is.
fn in_memory(name: &CStr, content: &[u8]) -> io::Result<PathBuf> {
    let file: OwnedFd = memfd_create(name, MFdFlags::MFD_CLOEXEC)?;
    let mut file = File::from(file);
    file.write_all(content)?;
    Ok(format!("/proc/self/fd/{}", file.into_raw_fd()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pipelines_settings_are_for_its_platform() {
        for (platform, target) in [(Platform::Vc4, "bcm2835"), (Platform::Pisp, "pisp")] {
            let text = std::fs::read(pipeline(platform).unwrap()).unwrap();
            let settings: serde_json::Value = serde_json::from_slice(&text).unwrap();
            assert_eq!(settings["target"], target);
            assert_eq!(settings["version"].as_f64(), Some(1.0));
            let timeout = &settings["pipeline_handler"]["camera_timeout_value_ms"];
            assert!(timeout.as_u64().is_some_and(|it| it <= u32::MAX.into()));
        }
    }
}
