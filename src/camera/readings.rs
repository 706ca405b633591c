//! What a camera reports of itself with each frame.

use serde::Serialize;

/// Values from the newest frame's metadata, each only if the camera reports it. Names and units are libcamera's,
/// and so are those in /status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Readings {
    /// Exposure time of the frame, µs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure_time: Option<i32>,
    /// Analogue gain of the sensor, a ratio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analogue_gain: Option<f64>,
    /// Gain that was applied after the sensor, a ratio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digital_gain: Option<f64>,
    /// What automatic exposure does: idle, searching or converged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ae_state: Option<&'static str>,
    /// Focus distance as its reciprocal, dioptres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lens_position: Option<f64>,
    /// What autofocus does: idle, scanning, focused or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub af_state: Option<&'static str>,
    /// Figure of merit of the focus, higher is sharper; only comparable between frames of one scene.
    #[serde(rename = "FocusFoM", skip_serializing_if = "Option::is_none")]
    pub focus_fom: Option<i32>,
    /// Estimated brightness of the scene, lux.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lux: Option<f64>,
    /// Estimated colour temperature of the light, kelvin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub colour_temperature: Option<i32>,
    /// Temperature of the sensor, °C.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor_temperature: Option<f64>,
    /// Time between this frame and the one before, µs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame_duration: Option<i64>,
    /// Start of the exposure of the first line, in nanoseconds on CLOCK_BOOTTIME.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor_timestamp: Option<i64>,
    /// The number of the newest change of the controls that the frame shows. It is not shown: the numbers are picam's own.
    #[serde(skip)]
    pub change: u64,
}

impl Readings {
    /// Whether exposure or focus has not settled.
    pub fn is_searching(&self) -> bool {
        self.ae_state == Some("searching") || self.af_state == Some("scanning")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_reported_is_shown_under_libcameras_names() {
        let readings = Readings {
            exposure_time: Some(19_998),
            af_state: Some("focused"),
            focus_fom: Some(1234),
            ..Readings::default()
        };
        let shown = serde_json::to_value(readings).unwrap();
        let expected = r#"{"ExposureTime":19998,"AfState":"focused","FocusFoM":1234}"#;
        assert_eq!(
            shown,
            serde_json::from_str::<serde_json::Value>(expected).unwrap()
        );
    }
}
