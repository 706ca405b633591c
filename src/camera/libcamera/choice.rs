//! Which camera, which sensor mode, which of its frames: choices that need no camera to be made, or tested.

use crate::camera::CameraError;
use std::time::Duration;

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
/// Binned, and cropped to the middle 3072×1728.
const CROPPED: Mode = Mode {
    width: 1536,
    height: 864,
    rate: 120.13,
};
/// Bits that each of the IMX708's modes has.
pub(super) const BIT_DEPTH: u32 = 10;

/// The IMX708's mode for frames of this size, `rate` times a second: the binned one, unless only another can do
/// it. The cropped one loses field of view and is for rates that leave no choice.
pub(super) fn mode(width: u32, height: u32, rate: f64) -> Mode {
    let fits = |mode: Mode| width <= mode.width && height <= mode.height;
    if !fits(BINNED) {
        FULL
    } else if rate > BINNED.rate && fits(CROPPED) {
        CROPPED
    } else {
        BINNED
    }
}

/// Chooses the stream's frames among the sensor's, by the times at which they were captured: the sensor may run faster
/// than the stream, and at another rate from frame to frame. What numbers it gives to frames is not looked at: on some
/// pipelines they count what was delivered, not what was captured.
#[derive(Debug)]
pub(super) struct Divider {
    interval: u64,
    newest: Option<Picked>,
}

#[derive(Clone, Copy, Debug)]
struct Picked {
    number: u64,
    time: u64,
}

impl Divider {
    /// For a stream with this `interval` between two frames.
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval: nanoseconds(interval).max(1),
            newest: None,
        }
    }

    /// The frames are to come in this `interval` from now on.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.interval = nanoseconds(interval).max(1);
    }

    /// The number in the stream of the sensor's frame that was captured at `time` (ns) and took `duration`; `None` if it
    /// is left out. When the one that is due was lost, the next one stands in. A frame that is no newer than the one
    /// before it gets the number of that one.
    pub(super) fn pick(&mut self, time: u64, duration: Duration) -> Option<u64> {
        let number = match self.newest {
            None => 0,
            Some(newest) if time <= newest.time => return Some(newest.number),
            Some(newest) => {
                let passed = time - newest.time;
                let slack = nanoseconds(duration).min(self.interval) / 2;
                if passed + slack < self.interval {
                    return None;
                }
                newest.number + (passed + self.interval / 2) / self.interval
            }
        };
        self.newest = Some(Picked { number, time });
        Some(number)
    }
}

fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// How many of the sensor's frames there are for each of the stream's: `rate` frames a second of a sensor that may run
/// at `sensor_rate`; 0 stands for `rate`.
pub(super) fn sensor_frames(rate: f64, sensor_rate: f64) -> f64 {
    // A hair more, for 30.0 / 10.0 must be 3 whatever floating point says.
    (sensor_rate / rate + 1e-6).floor().max(1.0)
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
        assert_eq!(mode(2304, 1296, 8.0), BINNED);
        assert_eq!(mode(640, 360, 56.0), BINNED);
        assert_eq!(mode(2306, 1296, 8.0), FULL);
        assert_eq!(mode(4608, 2592, 30.0), FULL);
        assert_eq!(mode(1536, 864, 100.0), CROPPED);
        assert_eq!(
            mode(1920, 1080, 100.0),
            BINNED,
            "as fast as it gets at this size"
        );
    }

    #[test]
    fn a_sensor_runs_at_a_multiple_of_the_streams_rate() {
        assert_eq!(sensor_frames(8.0, 0.0), 1.0);
        assert_eq!(sensor_frames(8.0, 30.0), 3.0);
        assert_eq!(sensor_frames(10.0, 30.0), 3.0);
        assert_eq!(sensor_frames(0.1, 0.3), 3.0);
        let never_slower = sensor_frames(30.0, 10.0);
        assert_eq!(never_slower, 1.0);
    }

    const SECOND: u64 = 1_000_000_000;

    /// The numbers of frames that came at these multiples of `duration`.
    fn picked(divider: &mut Divider, duration: u64, frames: &[u64]) -> Vec<u64> {
        let took = Duration::from_nanos(duration);
        let pick = |frame: &u64| divider.pick(7 * SECOND + frame * duration, took);
        frames.iter().filter_map(pick).collect()
    }

    #[test]
    fn every_nth_frame_with_gaps_where_frames_were_lost() {
        let mut divider = Divider::new(Duration::from_millis(100));
        // A line is the smallest step of the sensor's frame duration: never quite what was asked for.
        let frames = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16];
        let numbers = picked(&mut divider, 33_337_000, &frames);
        assert_eq!(
            numbers,
            [0, 1, 2, 5],
            "7 stands in for 6; 10 and 13 are lost"
        );
    }

    #[test]
    fn each_frame_of_a_sensor_at_the_streams_rate_counts() {
        let mut divider = Divider::new(Duration::from_millis(125));
        let numbers = picked(&mut divider, 125_030_000, &[0, 1, 2, 5, 6]);
        assert_eq!(numbers, [0, 1, 2, 5, 6]);
        let long = picked(
            &mut Divider::new(Duration::from_millis(125)),
            SECOND,
            &[0, 1, 2],
        );
        assert_eq!(long, [0, 8, 16], "exposures longer than the interval");
    }

    #[test]
    fn a_frame_that_is_not_new_has_the_number_of_the_one_before() {
        let mut divider = Divider::new(Duration::from_millis(125));
        let duration = Duration::from_millis(125);
        let numbers = [SECOND, SECOND, SECOND / 2, 2 * SECOND].map(|at| divider.pick(at, duration));
        assert_eq!(numbers, [Some(0), Some(0), Some(0), Some(8)]);
    }

    #[test]
    fn the_sensor_may_change_its_rate() {
        let mut divider = Divider::new(Duration::from_millis(120));
        let mut time = SECOND;
        let mut numbers = Vec::new();
        for duration in [40, 40, 40, 40, 40, 40, 120, 120, 40, 40, 40] {
            numbers.push(divider.pick(time, Duration::from_millis(duration)));
            time += duration * 1_000_000;
        }
        let seen: Vec<_> = numbers.iter().map(Option::is_some).collect();
        let (yes, no) = (true, false);
        assert_eq!(seen, [yes, no, no, yes, no, no, yes, yes, yes, no, no]);
        let numbers: Vec<_> = numbers.into_iter().flatten().collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
    }
}
