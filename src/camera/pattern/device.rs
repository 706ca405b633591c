//! A camera made of arithmetic: its exposure, its colours and its lens follow the controls as a real one's do, so that
//! each has an effect that can be seen and measured.

use crate::camera::Readings;
use crate::controls::{Availability, ControlId, Ranges, Set, TABLE, Value};
use crate::picture::Window;

/// Exposure time × gain (µs) at which the scene is as bright as it is drawn.
const RIGHT_EXPOSURE: f64 = 20_000.0;
/// The highest gain.
const MOST_GAIN: f64 = 16.0;
/// The longest times that automatic exposure takes before it turns the gain up, µs, by mode.
const SHORT: f64 = 5_000.0;
const NORMAL: f64 = 33_000.0;
/// Automatic exposure goes this part of the way in each frame, and has arrived when the rest is less than that (both in
/// powers of two).
const EXPOSURE_STEP: f64 = 0.5;
const EXPOSED: f64 = 0.02;
/// The colour of the scene's light, K, and the gains that make it white.
const LIGHT: f64 = 5000.0;
const WHITE_GAINS: [f64; 2] = [1.8, 1.6];
/// The brightness of the scene, lux.
const LUX: f64 = 400.0;
/// Of the sensor, °C.
const SENSOR_TEMPERATURE: f64 = 40.0;
/// The nearest position of the lens, dioptres.
const NEAREST: f64 = 15.0;
/// Where a scan that found nothing leaves the lens.
const LOST: f64 = 1.0;
/// How far a scan goes on behind what it found.
const BEHIND: f64 = 1.0;

/// All that the picture depends on, besides the scene and the time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Look {
    /// Light that is caught, as a multiple of the right amount.
    pub(super) light: f64,
    /// Red and blue, as multiples of the right amounts.
    pub(super) tint: [f64; 2],
    /// Added to the picture's brightness (1 is white).
    pub(super) brightness: f64,
    pub(super) contrast: f64,
    pub(super) saturation: f64,
    pub(super) sharpening: f64,
    /// Whether dark parts are lifted.
    pub(super) lifted: bool,
    /// The noise's standard deviation, steps of brightness.
    pub(super) noise: f64,
    /// Dioptres.
    pub(super) lens: f64,
}

/// What autofocus does.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Focus {
    Idle,
    /// On the way through its range, behind what is to be sharp.
    Scanning,
    /// On the way back to this position.
    Returning(f64),
    Focused,
    Failed,
}

pub(super) struct Device {
    requested: Set,
    /// The longest exposure, µs: a frame's interval.
    longest: f64,
    exposure: f64,
    gain: f64,
    exposed: bool,
    tint: [f64; 2],
    temperature: f64,
    lens: f64,
    focus: Focus,
}

impl Device {
    pub(super) fn new(rate: f64) -> Self {
        let longest = 1e6 / rate;
        Self {
            requested: Set::default(),
            longest,
            exposure: RIGHT_EXPOSURE.min(longest),
            gain: RIGHT_EXPOSURE / RIGHT_EXPOSURE.min(longest),
            exposed: true,
            tint: [1.0; 2],
            temperature: LIGHT,
            lens: LOST,
            focus: Focus::Idle,
        }
    }

    pub(super) fn set_rate(&mut self, rate: f64) {
        self.longest = 1e6 / rate;
    }

    pub(super) fn ranges(&self) -> Ranges {
        let mut ranges = Ranges::default();
        for control in &TABLE {
            let (min, max) = match control.id {
                ControlId::ExposureTime => (1.0, self.longest.floor()),
                ControlId::AnalogueGain => (1.0, MOST_GAIN),
                ControlId::LensPosition => (0.0, NEAREST),
                _ => continue,
            };
            ranges.set(control, Availability::Range { min, max });
        }
        ranges
    }

    pub(super) fn apply(&mut self, requested: &Set, changed: &Set) {
        self.requested = *requested;
        if changed.get(ControlId::AfMode) == Some(Value::Enum("auto")) {
            self.focus = Focus::Scanning;
            self.lens = self.focus_range()[0];
        }
    }

    /// Lets the automatics work for one frame. `distance` tells how far away, in dioptres, what is in a window is.
    pub(super) fn step(&mut self, distance: impl Fn(Window) -> f64) {
        self.expose();
        self.balance();
        self.focus(distance);
    }

    pub(super) fn look(&self) -> Look {
        let number = |id, usual| self.number(id).unwrap_or(usual);
        let quiet = match self.word(ControlId::NoiseReductionMode) {
            Some("off") => 1.0,
            Some("minimal") => 0.7,
            Some("high-quality") => 0.25,
            _ => 0.4,
        };
        Look {
            light: self.exposure * self.gain / RIGHT_EXPOSURE,
            tint: self.tint,
            brightness: number(ControlId::Brightness, 0.0),
            contrast: number(ControlId::Contrast, 1.0),
            saturation: number(ControlId::Saturation, 1.0),
            sharpening: number(ControlId::Sharpness, 1.0),
            lifted: self
                .word(ControlId::HdrMode)
                .is_some_and(|mode| mode != "off"),
            noise: quiet * 4.0 * (self.gain - 1.0).max(0.0).sqrt(),
            lens: self.lens,
        }
    }

    pub(super) fn readings(&self) -> Readings {
        Readings {
            exposure_time: Some(self.exposure.round() as i32),
            analogue_gain: Some(self.gain),
            ae_state: Some(match (self.exposes_itself(), self.exposed) {
                (false, _) => "idle",
                (true, true) => "converged",
                (true, false) => "searching",
            }),
            lens_position: Some(self.lens),
            af_state: Some(match self.focus {
                Focus::Idle => "idle",
                Focus::Scanning | Focus::Returning(_) => "scanning",
                Focus::Focused => "focused",
                Focus::Failed => "failed",
            }),
            lux: Some(LUX),
            sensor_temperature: Some(SENSOR_TEMPERATURE),
            colour_temperature: Some(self.temperature.round() as i32),
            ..Readings::default()
        }
    }

    fn number(&self, id: ControlId) -> Option<f64> {
        match self.requested.get(id)? {
            Value::Integer(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => None,
        }
    }

    fn word(&self, id: ControlId) -> Option<&'static str> {
        match self.requested.get(id)? {
            Value::Enum(word) => Some(word),
            _ => None,
        }
    }

    fn is_off(&self, id: ControlId) -> bool {
        self.requested.get(id) == Some(Value::Bool(false))
    }

    /// Whether exposure time or gain is automatic.
    fn exposes_itself(&self) -> bool {
        let fixed = [ControlId::ExposureTime, ControlId::AnalogueGain];
        !self.is_off(ControlId::AeEnable) && fixed.iter().any(|&id| self.number(id).is_none())
    }

    fn expose(&mut self) {
        let time = self.number(ControlId::ExposureTime);
        let gain = self.number(ControlId::AnalogueGain);
        let clamped = |time: f64| time.clamp(1.0, self.longest);
        if !self.exposes_itself() {
            self.exposure = clamped(time.unwrap_or(self.exposure));
            self.gain = gain.unwrap_or(self.gain);
            return;
        }
        let measured = match self.word(ControlId::AeMeteringMode) {
            Some("spot") => 0.8,
            Some("matrix") => 1.1,
            _ => 1.0,
        };
        let value = self.number(ControlId::ExposureValue).unwrap_or_default();
        let target = RIGHT_EXPOSURE * measured * value.exp2();
        let away = (target / (self.exposure * self.gain)).log2();
        self.exposed = away.abs() < EXPOSED;
        let total = match self.exposed {
            true => target,
            false => self.exposure * self.gain * (away * EXPOSURE_STEP).exp2(),
        };
        (self.exposure, self.gain) = match (time, gain) {
            (Some(time), _) => (clamped(time), (total / clamped(time)).clamp(1.0, MOST_GAIN)),
            (_, Some(gain)) => (clamped(total / gain), gain),
            _ => self.shared_out(total),
        };
        // What cannot be reached has been reached as far as it can.
        self.exposed |=
            self.exposure >= self.longest || self.gain >= MOST_GAIN || self.exposure <= 1.0;
    }

    /// Exposure time and gain with this product.
    fn shared_out(&self, total: f64) -> (f64, f64) {
        let longest = match self.word(ControlId::AeExposureMode) {
            Some("short") => SHORT,
            Some("long") => self.longest,
            _ => NORMAL,
        };
        let period = match self.word(ControlId::AeFlickerPeriod) {
            Some("50") => 10_000.0,
            Some("60") => 8_333.0,
            _ => 1.0,
        };
        let most = longest.max(total / MOST_GAIN).min(self.longest);
        let time = total.clamp(1.0, most);
        let time = match time >= period {
            true => (time / period).floor() * period,
            false => time,
        };
        (time, (total / time).clamp(1.0, MOST_GAIN))
    }

    fn balance(&mut self) {
        let by_temperature = |kelvin: f64| {
            let red = (kelvin / LIGHT).sqrt();
            ([red, 1.0 / red], kelvin)
        };
        let gains = match self.requested.get(ControlId::ColourGains) {
            Some(Value::Pair([red, blue])) => Some([red / WHITE_GAINS[0], blue / WHITE_GAINS[1]]),
            _ => None,
        };
        let fixed = self.number(ControlId::ColourTemperature);
        (self.tint, self.temperature) = match (gains, fixed) {
            (Some(gains), _) => (gains, self.temperature),
            (_, Some(kelvin)) => by_temperature(kelvin),
            _ if self.is_off(ControlId::AwbEnable) => return,
            _ => by_temperature(match self.word(ControlId::AwbMode) {
                Some("incandescent") => 2400.0,
                Some("tungsten") => 3200.0,
                Some("fluorescent") => 4200.0,
                Some("indoor") => 4600.0,
                Some("daylight") => 5800.0,
                Some("cloudy") => 7000.0,
                _ => LIGHT,
            }),
        };
    }

    /// Where autofocus looks, dioptres.
    fn focus_range(&self) -> [f64; 2] {
        match self.word(ControlId::AfRange) {
            Some("macro") => [3.0, NEAREST],
            Some("full") => [0.0, NEAREST],
            _ => [0.0, 12.0],
        }
    }

    fn focus(&mut self, distance: impl Fn(Window) -> f64) {
        let window = match self.requested.get(ControlId::AfWindows) {
            Some(Value::Window(window)) => Window(window),
            _ => Window::MIDDLE,
        };
        let wanted = distance(window);
        let [from, to] = self.focus_range();
        let found = (from..=to).contains(&wanted);
        let step = match self.word(ControlId::AfSpeed) {
            Some("fast") => 1.0,
            _ => 0.5,
        };
        let asked = self.number(ControlId::LensPosition);
        let mode = match asked {
            Some(_) => Some("manual"),
            None => self.word(ControlId::AfMode),
        };
        match (mode, self.focus) {
            (Some("manual"), _) => {
                self.focus = Focus::Idle;
                self.lens = asked.unwrap_or(self.lens).clamp(0.0, NEAREST);
            }
            (Some("auto"), Focus::Scanning) => {
                self.lens = (self.lens + step).min(to);
                if found && self.lens >= (wanted + BEHIND).min(to) {
                    self.focus = Focus::Returning(wanted);
                } else if self.lens >= to {
                    (self.focus, self.lens) = (Focus::Failed, LOST.clamp(from, to));
                }
            }
            (Some("auto"), Focus::Returning(position)) => {
                (self.focus, self.lens) = (Focus::Focused, position);
            }
            (Some("auto"), _) => {}
            // At the start it has been focused for long.
            (_, Focus::Idle) if found && self.lens == LOST => {
                (self.focus, self.lens) = (Focus::Focused, wanted);
            }
            (_, Focus::Focused) if found && self.lens == wanted => {}
            _ if found => {
                let left = wanted - self.lens;
                self.lens += left.clamp(-step, step);
                self.focus = match self.lens == wanted {
                    true => Focus::Focused,
                    false => Focus::Scanning,
                };
            }
            _ => (self.focus, self.lens) = (Focus::Failed, LOST.clamp(from, to)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(query: &str) -> Set {
        Set::parse_query(query).unwrap()
    }

    /// A device after these queries, each followed by forty frames of a scene that is 2 D away, 5 D on the right.
    fn after(queries: &[&str]) -> Device {
        let mut device = Device::new(8.0);
        let mut requested = set("AfMode=continuous&AeEnable=1&AwbEnable=1");
        device.apply(&requested, &requested);
        steps(&mut device);
        for query in queries {
            let changed = set(query);
            requested.merge(&changed);
            device.apply(&requested, &changed);
            steps(&mut device);
        }
        device
    }

    fn steps(device: &mut Device) {
        for _ in 0..40 {
            device.step(|window| if window.0[0] > 0.5 { 5.0 } else { 2.0 });
        }
    }

    fn light(queries: &[&str]) -> f64 {
        after(queries).look().light
    }

    #[test]
    fn exposure_follows_what_is_fixed_and_what_is_automatic() {
        assert_eq!(light(&[]), 1.0);
        assert!((light(&["ExposureValue=1"]) - 2.0).abs() < 1e-9);
        assert_eq!(light(&["ExposureTime=10000&AnalogueGain=1"]), 0.5);
        let half = after(&["ExposureTime=5000"]);
        assert_eq!((half.exposure, half.gain), (5000.0, 4.0));
        let half = after(&["AnalogueGain=2"]);
        assert_eq!((half.exposure, half.gain), (10_000.0, 2.0));
        let short = after(&["AeExposureMode=short"]);
        assert_eq!((short.exposure, short.gain), (SHORT, 4.0));
        let lamps = after(&["AeFlickerPeriod=60"]);
        assert_eq!(
            (lamps.exposure, lamps.gain.to_bits()),
            (16_666.0, (20_000.0 / 16_666.0f64).to_bits())
        );
        let kept = after(&["ExposureTime=5000", "AeEnable=0", "ExposureValue=3"]);
        assert_eq!((kept.exposure, kept.gain), (5000.0, 4.0));
        assert!(light(&["AeMeteringMode=spot"]) < light(&["AeMeteringMode=matrix"]));
        let dark = after(&["ExposureValue=8"]);
        assert_eq!((dark.exposure, dark.gain), (125_000.0, MOST_GAIN));
        assert_eq!(dark.readings().ae_state, Some("converged"));
    }

    #[test]
    fn colours_follow_the_balance() {
        assert_eq!(after(&[]).tint, [1.0, 1.0]);
        let [red, blue] = after(&["ColourTemperature=7000"]).tint;
        assert!(red > 1.1 && blue < 0.9);
        assert_eq!(after(&["ColourGains=3.6,1.6"]).tint, [2.0, 1.0]);
        let cold = after(&["AwbMode=incandescent"]);
        assert!(cold.tint[0] < 0.8);
        assert_eq!(
            after(&["AwbMode=incandescent", "AwbEnable=0", "AwbMode=auto"]).tint,
            cold.tint
        );
        assert_eq!(
            after(&["ColourGains=3.6,1.6", "AwbEnable=1"]).tint,
            [1.0, 1.0]
        );
    }

    #[test]
    fn the_lens_goes_where_it_is_sent_or_finds_what_is_in_the_window() {
        let lens = |queries: &[&str]| {
            let device = after(queries);
            (device.lens, device.readings().af_state.unwrap())
        };
        assert_eq!(lens(&[]), (2.0, "focused"));
        assert_eq!(lens(&["LensPosition=7.25"]), (7.25, "idle"));
        assert_eq!(
            lens(&["LensPosition=7.25", "LensPosition=auto"]),
            (2.0, "focused")
        );
        assert_eq!(lens(&["AfWindows=0.6,0.4,0.2,0.2"]), (5.0, "focused"));
        assert_eq!(lens(&["LensPosition=9", "AfMode=auto"]), (2.0, "focused"));
        assert_eq!(
            lens(&["AfMode=auto&AfWindows=0.6,0.4,0.2,0.2"]),
            (5.0, "focused")
        );
        assert_eq!(lens(&["AfRange=macro"]), (3.0, "failed"));
        assert_eq!(lens(&["AfMode=auto&AfRange=macro"]), (3.0, "failed"));
        let mut slow = after(&["LensPosition=12"]);
        let automatic = set("AfMode=auto");
        slow.apply(&automatic, &automatic);
        slow.step(|_| 2.0);
        assert_eq!(slow.readings().af_state, Some("scanning"));
    }

    #[test]
    fn noise_comes_with_gain_and_goes_with_noise_reduction() {
        let noise = |query: &str| after(&[query]).look().noise;
        assert_eq!(noise("AnalogueGain=1"), 0.0);
        assert!(noise("AnalogueGain=16") > noise("AnalogueGain=4"));
        let by_mode = ["off", "minimal", "fast", "high-quality"]
            .map(|mode| noise(&format!("AnalogueGain=8&NoiseReductionMode={mode}")));
        assert!(
            by_mode.windows(2).all(|pair| pair[0] > pair[1]),
            "{by_mode:?}"
        );
    }
}
