//! Which camera, and which of its sensor's modes: choices that need no camera to be made, or tested.

use crate::camera::{CameraError, Lens};

/// A camera that libcamera has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its id: the path of the device in the firmware's tree.
    pub id: String,
    /// The model of its sensor.
    pub model: String,
}

/// Chooses the camera with `id`; if that is empty, the first IMX708, or else the only camera there is.
///
/// # Errors
/// [`CameraError::Absent`], with what there is.
pub(super) fn camera(cameras: &[Found], id: &str) -> Result<usize, CameraError> {
    let by_id = || cameras.iter().position(|camera| camera.id == id);
    let imx708 = || cameras.iter().position(|camera| is_imx708(&camera.model));
    let chosen = match (id, cameras) {
        ("", [_]) => Some(0),
        ("", _) => imx708(),
        _ => by_id(),
    };
    chosen.ok_or_else(|| {
        let list: Vec<_> = cameras
            .iter()
            .map(|camera| format!("{} ({})", camera.id, camera.model))
            .collect();
        CameraError::Absent {
            wanted: match id {
                "" => "an IMX708".to_owned(),
                id => format!("camera.id = {id:?}"),
            },
            found: match list.is_empty() {
                true => "no camera".to_owned(),
                false => list.join(", "),
            },
        }
    })
}

/// Whether this is one of the Camera Module 3's: imx708, imx708_wide, imx708_noir, imx708_wide_noir.
pub(super) fn is_imx708(model: &str) -> bool {
    model == "imx708" || model.starts_with("imx708_")
}

/// How much brighter this mode's pictures are than those with all pixels: four pixels that are read as one have twice the
/// sensitivity (Sony's data, as Raspberry Pi's documentation has it).
pub(super) fn sensitivity(mode: Mode) -> f64 {
    if mode.width < 4608 { 2.0 } else { 1.0 }
}

/// The lens of a Camera Module 3, by the sensor's name in the device tree.
pub(super) fn lens(model: &str) -> Option<Lens> {
    const NORMAL: Lens = Lens {
        model: "Camera Module 3",
        f_number_tenths: 18,
        focal_length_hundredths: 474,
    };
    const WIDE: Lens = Lens {
        model: "Camera Module 3 Wide",
        f_number_tenths: 22,
        focal_length_hundredths: 275,
    };
    let lens = if model.contains("_wide") {
        WIDE
    } else {
        NORMAL
    };
    is_imx708(model).then_some(lens)
}

/// A way to read the sensor out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mode {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Frames a second, at most.
    pub rate: f64,
}

/// 2×2 binned: the full field of view with twice the sensitivity.
const BINNED: Mode = Mode {
    width: 2304,
    height: 1296,
    rate: 56.03,
};
const FULL: Mode = Mode {
    width: 4608,
    height: 2592,
    rate: 14.35,
};
/// Binned, with several exposures (HDR); the only one then.
const HDR: Mode = Mode {
    width: 2304,
    height: 1296,
    rate: 30.0,
};
/// Binned, and cropped to the middle 3072×1728.
const CROPPED: Mode = Mode {
    width: 1536,
    height: 864,
    rate: 120.13,
};
/// Bits that each of the IMX708's modes has.
pub(super) const BIT_DEPTH: u32 = 10;

/// The IMX708's mode for frames of this size, `rate` times a second: the binned one, unless only another can do
/// it. The cropped one loses field of view and is for rates that leave no choice. With `hdr` there is one only.
pub(super) fn mode(width: u32, height: u32, rate: f64, hdr: bool) -> Mode {
    if hdr {
        return HDR;
    }
    let fits = |mode: Mode| width <= mode.width && height <= mode.height;
    if !fits(BINNED) {
        FULL
    } else if rate > BINNED.rate && fits(CROPPED) {
        CROPPED
    } else {
        BINNED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(list: &[(&str, &str)]) -> Vec<Found> {
        let found = |&(id, model): &(&str, &str)| Found {
            id: id.into(),
            model: model.into(),
        };
        list.iter().map(found).collect()
    }

    #[test]
    fn the_imx708_is_found_among_others_and_any_camera_by_its_id() {
        let two = found(&[("/usb", "Webcam"), ("/i2c", "imx708_wide_noir")]);
        assert_eq!(camera(&two, "").unwrap(), 1);
        assert_eq!(camera(&two, "/usb").unwrap(), 0);
        assert_eq!(camera(&two[..1], "").unwrap(), 0, "the only one");
        let refusal = |cameras: &[Found], id| camera(cameras, id).unwrap_err().to_string();
        assert_eq!(
            refusal(&two, "/csi"),
            "camera.id = \"/csi\" is not there; libcamera finds /usb (Webcam), /i2c (imx708_wide_noir)"
        );
        let none = "an IMX708 is not there; libcamera finds no camera";
        assert_eq!(refusal(&[], ""), none);
        let others = found(&[("a", "imx219"), ("b", "imx7080")]);
        assert!(
            refusal(&others, "")
                .starts_with("an IMX708 is not there; libcamera finds a (imx219), ")
        );
    }

    #[test]
    fn the_binned_mode_unless_only_another_can_do_it() {
        assert_eq!(mode(2304, 1296, 8.0, false), BINNED);
        assert_eq!(mode(640, 360, 56.0, false), BINNED);
        assert_eq!(mode(2306, 1296, 8.0, false), FULL);
        assert_eq!(mode(4608, 2592, 8.0, true), HDR);
        assert_eq!(mode(4608, 2592, 30.0, false), FULL);
        assert_eq!(mode(1536, 864, 100.0, false), CROPPED);
        assert_eq!(
            mode(1920, 1080, 100.0, false),
            BINNED,
            "as fast as it gets at this size"
        );
    }
}
