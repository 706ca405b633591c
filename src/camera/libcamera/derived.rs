//! Tuning that is derived from a sensor's own: what users of libcamera change by hand in its JSON.

use crate::config::{AutoOr, CameraConfig};
use serde_json::{Value, json};

/// Whether `config` wants anything changed.
pub(super) fn is_wanted(config: &CameraConfig) -> bool {
    config.longest_exposure != AutoOr::Auto || config.focus_range != AutoOr::Auto
}

/// Changes `tuning` as `config` wants it.
///
/// # Errors
/// There is nothing that could be changed so.
pub(super) fn derive(tuning: &mut Value, config: &CameraConfig) -> Result<(), String> {
    if let AutoOr::Given(longest) = config.longest_exposure {
        let missing = "camera.longest_exposure: the sensor's tuning has no automatic exposure";
        let agc = algorithm(tuning, "rpi.agc").ok_or(missing)?;
        limit_exposure(agc, longest.into()).ok_or(missing)?;
    }
    if let AutoOr::Given(range) = config.focus_range {
        let missing = "camera.focus_range: the sensor's tuning has no autofocus";
        let af = algorithm(tuning, "rpi.af").ok_or(missing)?;
        limit_focus(af, range).ok_or(missing)?;
    }
    Ok(())
}

/// The settings of one algorithm.
fn algorithm<'a>(tuning: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    let algorithms = tuning.get_mut("algorithms")?.as_array_mut()?;
    algorithms.iter_mut().find_map(|it| it.get_mut(name))
}

/// No exposure longer than `longest` µs in any mode, and the last one as long as that.
fn limit_exposure(agc: &mut Value, longest: u64) -> Option<()> {
    let channels = match agc.get_mut("channels") {
        Some(channels) => channels.as_array_mut()?.iter_mut().collect(),
        None => vec![agc],
    };
    for channel in channels {
        for (_, mode) in channel.get_mut("exposure_modes")?.as_object_mut()? {
            let shutter = mode.get_mut("shutter")?.as_array_mut()?;
            for time in shutter.iter_mut() {
                *time = json!(time.as_u64()?.min(longest));
            }
            *shutter.last_mut()? = json!(longest);
        }
    }
    Some(())
}

/// Autofocus looks at these distances (nearest and farthest, metres).
fn limit_focus(af: &mut Value, [nearest, farthest]: [f64; 2]) -> Option<()> {
    let (min, max) = (1.0 / farthest, 1.0 / nearest);
    let range = af.get_mut("ranges")?.get_mut("normal")?;
    let default = range.get("default").and_then(Value::as_f64).unwrap_or(min);
    *range = json!({"min": min, "max": max, "default": default.clamp(min, max)});
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuning() -> Value {
        json!({"algorithms": [
            {"rpi.black_level": {}},
            {"rpi.agc": {"channels": [{"exposure_modes": {
                "normal": {"shutter": [100, 15000, 30000, 66666], "gain": [1.0, 1.0, 2.0, 16.0]},
                "long": {"shutter": [1000, 120000], "gain": [1.0, 16.0]},
            }}]}},
            {"rpi.af": {"ranges": {
                "normal": {"min": 0.0, "max": 12.0, "default": 1.0},
                "macro": {"min": 3.0, "max": 15.0, "default": 4.0},
            }}},
        ]})
    }

    fn derived(config: CameraConfig) -> Value {
        assert!(is_wanted(&config));
        let mut tuning = tuning();
        derive(&mut tuning, &config).unwrap();
        tuning
    }

    #[test]
    fn automatic_exposure_goes_as_far_as_it_may() {
        for (longest, normal, long) in [
            (20_000, [100, 15_000, 20_000, 20_000], [1000, 20_000]),
            (200_000, [100, 15_000, 30_000, 200_000], [1000, 200_000]),
        ] {
            let tuning = derived(CameraConfig {
                longest_exposure: AutoOr::Given(longest),
                ..CameraConfig::default()
            });
            let modes = &tuning["algorithms"][1]["rpi.agc"]["channels"][0]["exposure_modes"];
            assert_eq!(modes["normal"]["shutter"], json!(normal));
            assert_eq!(modes["long"]["shutter"], json!(long));
            let first = modes.as_object().unwrap().keys().next();
            assert_eq!(first.unwrap(), "normal", "libcamera takes the first one");
        }
    }

    #[test]
    fn autofocus_looks_at_the_range_only() {
        let ranges = |range| {
            let tuning = derived(CameraConfig {
                focus_range: AutoOr::Given(range),
                ..CameraConfig::default()
            });
            tuning["algorithms"][2]["rpi.af"]["ranges"]["normal"].clone()
        };
        let near = ranges([0.2, 0.5]);
        assert_eq!(near, json!({"min": 2.0, "max": 5.0, "default": 2.0}));
        let far = ranges([0.5, f64::INFINITY]);
        assert_eq!(far, json!({"min": 0.0, "max": 2.0, "default": 1.0}));
    }

    #[test]
    fn tuning_without_the_algorithm_is_refused() {
        let config = CameraConfig {
            focus_range: AutoOr::Given([0.2, 0.5]),
            ..CameraConfig::default()
        };
        let refusal = derive(&mut json!({"algorithms": []}), &config).unwrap_err();
        assert_eq!(
            refusal,
            "camera.focus_range: the sensor's tuning has no autofocus"
        );
        assert!(!is_wanted(&CameraConfig::default()));
    }
}
