//! The machine that libcamera runs on: its image processor, its sensors, its devices.

use super::choice::is_imx708;
use crate::camera::CameraError;
use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};
use std::ffi::OsString;
use std::path::PathBuf;

/// How the names of the devices begin that libcamera needs.
const CAMERA_DEVICES: [&str; 3] = ["media", "v4l-subdev", "video"];

/// The image processors of Raspberry Pis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Platform {
    /// Up to the Pi 4, and the Zero 2 W.
    Vc4,
    /// Pi 5.
    Pisp,
}

impl Platform {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Vc4 => "vc4",
            Self::Pisp => "pisp",
        }
    }

    /// What tuning files for it have as "target".
    pub(super) fn target(self) -> &'static str {
        match self {
            Self::Vc4 => "bcm2835",
            Self::Pisp => "pisp",
        }
    }
}

/// The machine, as far as it matters here. The tests make their own.
pub(super) struct Machine {
    /// `/`
    pub(super) root: PathBuf,
    pub(super) executable: Option<PathBuf>,
    /// An environment variable by its name.
    pub(super) variable: fn(&str) -> Option<OsString>,
}

impl Machine {
    /// The one that picam runs on.
    pub(super) fn this() -> Self {
        Self {
            root: "/".into(),
            executable: std::env::current_exe().ok(),
            variable: |name| std::env::var_os(name),
        }
    }

    /// Its image processor; `None` if it is no Raspberry Pi.
    pub(super) fn platform(&self) -> Option<Platform> {
        let compatible = std::fs::read(self.root.join("proc/device-tree/compatible")).ok()?;
        let chip = |name: &str| {
            compatible
                .split(|&byte| byte == 0)
                .any(|it| it == name.as_bytes())
        };
        if chip("brcm,bcm2712") {
            return Some(Platform::Pisp);
        }
        [
            "brcm,bcm2711",
            "brcm,bcm2837",
            "brcm,bcm2836",
            "brcm,bcm2835",
        ]
        .into_iter()
        .any(chip)
        .then_some(Platform::Vc4)
    }

    /// The models of the IMX708s that the kernel has found: imx708, imx708_wide and so on.
    pub(super) fn sensors(&self) -> Vec<String> {
        let mut models: Vec<_> = self.imx708s().map(|(model, _)| model).collect();
        models.sort();
        models.dedup();
        models
    }

    /// Their devices.
    pub(super) fn sensor_devices(&self) -> Vec<PathBuf> {
        let devices = self
            .imx708s()
            .map(|(_, device)| self.root.join("dev").join(device));
        devices.collect()
    }

    /// Model and device name of each.
    fn imx708s(&self) -> impl Iterator<Item = (String, OsString)> {
        let devices = self.root.join("sys/class/video4linux").read_dir();
        devices.into_iter().flatten().filter_map(|device| {
            let device = device.ok()?;
            let name = std::fs::read_to_string(device.path().join("name")).ok()?;
            let model = name.split_whitespace().next()?.to_owned();
            is_imx708(&model).then(|| (model, device.file_name()))
        })
    }

    /// Why no camera was found although there is one: a device that picam may not open. udev gives devices to their groups
    /// some time after they appear.
    pub(super) fn forbidden(&self) -> Option<CameraError> {
        let devices = self.root.join("dev").read_dir().ok()?;
        let mut devices: Vec<_> = devices
            .filter_map(|device| Some(device.ok()?.path()))
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                CAMERA_DEVICES.iter().any(|kind| name.starts_with(kind))
            })
            .collect();
        devices.sort();
        let allowed = AccessFlags::R_OK | AccessFlags::W_OK;
        let forbidden = |path: &PathBuf| access(path, allowed) == Err(Errno::EACCES);
        let path = devices.into_iter().find(forbidden)?;
        Some(CameraError::Unavailable(format!(
            "no camera found, and picam may not open {}: expected that it may read and write it (group video)",
            path.display()
        )))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A machine in a folder of its own, with `files` (path and content).
    pub(in super::super) fn machine(name: &str, files: &[(&str, &str)]) -> Machine {
        let root =
            std::env::temp_dir().join(format!("picam-machine-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        for (path, content) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        Machine {
            executable: Some(root.join("opt/picam/bin/picam")),
            root,
            variable: |_| None,
        }
    }

    pub(in super::super) const PI4: (&str, &str) = (
        "proc/device-tree/compatible",
        "raspberrypi,4-model-b\0brcm,bcm2711\0",
    );
    pub(in super::super) const PI5: (&str, &str) = (
        "proc/device-tree/compatible",
        "raspberrypi,5-model-b\0brcm,bcm2712\0",
    );
    #[test]
    fn platforms_are_told_apart() {
        assert_eq!(machine("pi4", &[PI4]).platform(), Some(Platform::Vc4));
        assert_eq!(machine("pi5", &[PI5]).platform(), Some(Platform::Pisp));
        assert_eq!(machine("pc", &[]).platform(), None);
    }
}
