//! Where libcamera's run-time data is: tuning files, and PiSP's configuration. libcamera looks for them where it
//! was built for; picam brings them along beside its executable, tells libcamera so, and says what is missing
//! before libcamera meets it.

use super::files;
use super::machine::{Machine, Platform};
use crate::camera::CameraError;
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// One tuning file for whatever sensor there is.
pub(super) const TUNING_FILE: &str = "LIBCAMERA_RPI_TUNING_FILE";
/// Folders with `rpi/vc4/MODEL.json` and `rpi/pisp/MODEL.json`.
const TUNING_PATH: &str = "LIBCAMERA_IPA_CONFIG_PATH";
/// The configuration of PiSP's back end; without it libpisp throws an exception that ends the process.
const BACK_END_FILE: &str = "LIBPISP_BE_CONFIG_FILE";

const TUNING_FOLDER: &str = "libcamera/ipa";
const BACK_END: &str = "libpisp/backend_default_config.json";

impl Machine {
    /// Where data may be: beside the executable first.
    fn data_folders(&self) -> Vec<PathBuf> {
        let beside = self.executable.iter().filter_map(|path| path.parent());
        let beside = beside.flat_map(|folder| [folder.join("share"), folder.join("../share")]);
        beside.chain([self.root.join("usr/share")]).collect()
    }

    fn data(&self, name: &str) -> Option<PathBuf> {
        let folders = self.data_folders().into_iter();
        folders
            .map(|folder| folder.join(name))
            .find(|path| path.exists())
    }

    /// What libcamera has to be told by environment variables that are not set yet.
    pub(super) fn environment(&self) -> Vec<(&'static str, OsString)> {
        [(TUNING_PATH, TUNING_FOLDER), (BACK_END_FILE, BACK_END)]
            .into_iter()
            .filter(|(name, _)| (self.variable)(name).is_none())
            .filter_map(|(name, data)| Some((name, self.data(data)?.into_os_string())))
            .collect()
    }

    /// Checks that there is what libcamera needs for the sensors that are there.
    ///
    /// # Errors
    /// What is missing, and where it was looked for.
    pub(super) fn check(&self) -> Result<(), CameraError> {
        let Some(platform) = self.platform() else {
            return Ok(()); // No tuning files without a Raspberry Pi's image processor.
        };
        let sensors = self.sensors();
        if sensors.is_empty() {
            return Ok(());
        }
        match (self.variable)(TUNING_FILE).filter(|file| !files::is_in_memory(file)) {
            Some(file) => drop(
                read(Path::new(&file), platform)
                    .map_err(|reason| unusable(format!("{TUNING_FILE}: {reason}")))?,
            ),
            None => {
                for model in sensors {
                    self.tuning(platform, &model)?;
                }
            }
        }
        if platform == Platform::Pisp {
            let named = (self.variable)(BACK_END_FILE).map(PathBuf::from);
            if !named
                .or_else(|| self.data(BACK_END))
                .is_some_and(|path| path.is_file())
            {
                return Err(unusable(format!(
                    "PiSP's {BACK_END} is missing; looked for in {}; {BACK_END_FILE} names it elsewhere",
                    list(&self.data_folders())
                )));
            }
        }
        Ok(())
    }

    /// The tuning that came with picam or with the system for this sensor.
    ///
    /// # Errors
    /// There is none, or it does not fit; and where it was looked for.
    pub(super) fn tuning(&self, platform: Platform, model: &str) -> Result<Value, CameraError> {
        let file = format!("rpi/{}/{model}.json", platform.name());
        let folders: Vec<PathBuf> = match (self.variable)(TUNING_PATH) {
            Some(folders) => std::env::split_paths(&folders).collect(),
            None => {
                let folders = self.data_folders().into_iter();
                let folders = folders.map(|folder| folder.join(TUNING_FOLDER));
                folders
                    .chain([self.root.join("etc/libcamera/ipa")])
                    .collect()
            }
        };
        let found = folders
            .iter()
            .map(|folder| folder.join(&file))
            .find(|path| path.is_file());
        match found {
            Some(path) => read(&path, platform).map_err(unusable),
            None => Err(unusable(format!(
                "no tuning file {file} for this sensor; looked for in {}; {TUNING_FILE} names one elsewhere",
                list(&folders)
            ))),
        }
    }
}

/// Reads a tuning file for the platform: with another's, libcamera fails without saying why.
fn read(path: &Path, platform: Platform) -> Result<Value, String> {
    let shown = path.display();
    let text = std::fs::read(path).map_err(|reason| format!("tuning file {shown}: {reason}"))?;
    let json: Value =
        serde_json::from_slice(&text).map_err(|reason| format!("tuning file {shown}: {reason}"))?;
    match json.get("target").and_then(Value::as_str) {
        Some(target) if target == platform.target() => Ok(json),
        Some(target) => Err(format!(
            "tuning file {shown} is for {target:?}; this machine needs one for {:?}",
            platform.target()
        )),
        None => Err(format!("tuning file {shown} has no \"target\"")),
    }
}

fn list(folders: &[PathBuf]) -> String {
    let folders: Vec<_> = folders.iter().map(|folder| folder.as_os_str()).collect();
    folders
        .join(OsStr::new(", "))
        .to_string_lossy()
        .into_owned()
}

fn unusable(reason: String) -> CameraError {
    CameraError::Unusable(reason)
}

#[cfg(test)]
mod tests {
    use super::super::machine::tests::{PI4, PI5, machine};
    use super::*;

    const WIDE: (&str, &str) = (
        "sys/class/video4linux/v4l-subdev0/name",
        "imx708_wide 10-001a\n",
    );
    const LENS: (&str, &str) = ("sys/class/video4linux/v4l-subdev1/name", "dw9807 10-000c\n");
    const VC4: &str = r#"{"version": 2.0, "target": "bcm2835"}"#;
    const PISP: &str = r#"{"version": 2.0, "target": "pisp"}"#;

    fn refusal(machine: &Machine) -> String {
        machine.check().unwrap_err().to_string()
    }

    #[test]
    fn the_tuning_file_of_each_sensor_there_is_needed() {
        machine("no-sensor", &[PI4, LENS]).check().unwrap();
        machine("no-pi", &[WIDE]).check().unwrap();
        let line = refusal(&machine("missing", &[PI4, WIDE, LENS]));
        assert!(
            line.starts_with(
                "no tuning file rpi/vc4/imx708_wide.json for this sensor; looked for in "
            ),
            "{line}"
        );
        assert!(
            line.contains("/opt/picam/bin/../share/libcamera/ipa, "),
            "{line}"
        );
        let file = "opt/picam/share/libcamera/ipa/rpi/vc4/imx708_wide.json";
        // `bin` has to exist for `..` to lead anywhere.
        let executable = ("opt/picam/bin/picam", "");
        machine("found", &[PI4, WIDE, executable, (file, VC4)])
            .check()
            .unwrap();
        let system = "usr/share/libcamera/ipa/rpi/vc4/imx708_wide.json";
        machine("system", &[PI4, WIDE, (system, VC4)])
            .check()
            .unwrap();
    }

    #[test]
    fn a_tuning_file_for_another_platform_is_refused() {
        let file = "usr/share/libcamera/ipa/rpi/vc4/imx708_wide.json";
        let line = refusal(&machine("target", &[PI4, WIDE, (file, PISP)]));
        assert!(
            line.ends_with("is for \"pisp\"; this machine needs one for \"bcm2835\""),
            "{line}"
        );
        let line = refusal(&machine("broken", &[PI4, WIDE, (file, "{")]));
        assert!(line.contains("EOF while parsing"), "{line}");
    }

    #[test]
    fn pisp_needs_its_back_ends_file_too() {
        let tuning = ("usr/share/libcamera/ipa/rpi/pisp/imx708_wide.json", PISP);
        let line = refusal(&machine("back-end", &[PI5, WIDE, tuning]));
        assert!(
            line.starts_with("PiSP's libpisp/backend_default_config.json is missing"),
            "{line}"
        );
        let back_end = ("usr/share/libpisp/backend_default_config.json", "{}");
        machine("complete", &[PI5, WIDE, tuning, back_end])
            .check()
            .unwrap();
    }

    #[test]
    fn what_the_environment_names_is_left_alone() {
        let tuning = ("usr/share/libcamera/ipa/rpi/vc4/imx708_wide.json", VC4);
        let mut machine = machine("environment", &[PI4, WIDE, tuning]);
        let found = machine
            .root
            .join("usr/share/libcamera/ipa")
            .into_os_string();
        assert_eq!(machine.environment(), [(TUNING_PATH, found)]);
        machine.variable = |name| (name == TUNING_PATH).then(|| "/nonexistent:/also".into());
        assert_eq!(machine.environment(), []);
        let line = refusal(&machine);
        assert!(
            line.contains("looked for in /nonexistent, /also;"),
            "{line}"
        );
        machine.variable = |name| (name == TUNING_FILE).then(|| "/nonexistent.json".into());
        let line = refusal(&machine);
        assert_eq!(
            line,
            "LIBCAMERA_RPI_TUNING_FILE: tuning file /nonexistent.json: No such file or directory (os error 2)"
        );
    }
}
