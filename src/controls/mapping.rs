//! From the table's controls to libcamera's.

use super::table::MODE_AUTO;
use super::{Control, ControlId, Kind, Mapped, Mapping, Set, TABLE, Value, rules};

/// A value for libcamera. It takes the type that libcamera's control has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Raw {
    /// A whole number, or one of an enumeration.
    Integer(i64),
    /// Any number.
    Float(f64),
    /// On or off.
    Bool(bool),
    /// Two numbers.
    Pair([f64; 2]),
    /// A part of the picture: left, top, width, height as fractions.
    Window([f64; 4]),
}

impl Set {
    /// The libcamera controls that bring about this, the requested state: name and value, in the order of the
    /// table. All of them belong into one request. `news` are the controls that were asked for just now.
    pub fn for_libcamera(&self, news: &Set) -> Vec<(&'static str, Raw)> {
        let mut list: Vec<(&'static str, Raw)> = Vec::new();
        for control in &TABLE {
            let Some(value) = self.get(control.id) else {
                continue;
            };
            for mapping in control.libcamera {
                let raw = match mapping.value {
                    Mapped::Given => raw(control.kind, value),
                    Mapped::ByWord(numbers) => {
                        let number = numbers.get(position(control.kind, value));
                        Raw::Integer(number.copied().unwrap_or_default().into())
                    }
                    Mapped::Always(number) => Raw::Integer(number.into()),
                    Mapped::Once { word, number }
                        if news.get(control.id) == Some(Value::Enum(word)) =>
                    {
                        Raw::Integer(number.into())
                    }
                    Mapped::Once { .. } => continue,
                };
                list.retain(|(name, _)| *name != mapping.name);
                list.push((mapping.name, raw));
            }
        }
        list.extend(self.automatic_half());
        list
    }

    /// The libcamera controls that `before` has set and this leaves to the camera: they are to become what they are in a
    /// camera that was told nothing. A fixed value that ended an automatic is in force no more once that is given back.
    pub fn given_back(&self, before: &Set) -> impl Iterator<Item = &'static str> {
        let is_given_back = move |control: &&'static Control| {
            before.get(control.id).is_some() && !rules::is_decided(self, control.id)
        };
        let ends_none = |control: &&'static Control| {
            let ends = |mapping: &Mapping| matches!(mapping.value, Mapped::Always(_));
            !control.libcamera.iter().any(ends)
        };
        let own = |mapping: &&'static Mapping| !matches!(mapping.value, Mapped::Once { .. });
        TABLE
            .iter()
            .filter(is_given_back)
            .filter(ends_none)
            .flat_map(move |control| control.libcamera.iter().filter(own))
            .map(|mapping| mapping.name)
    }

    /// Of exposure time and gain, the automatic one where only the other is fixed.
    fn automatic_half(&self) -> Option<(&'static str, Raw)> {
        let given = |control| self.get(control).is_some();
        let name = match (
            given(ControlId::ExposureTime),
            given(ControlId::AnalogueGain),
        ) {
            (true, false) => "AnalogueGainMode",
            (false, true) => "ExposureTimeMode",
            _ => return None,
        };
        (!given(ControlId::AeEnable)).then_some((name, Raw::Integer(MODE_AUTO.into())))
    }
}

fn raw(kind: Kind, value: Value) -> Raw {
    match value {
        Value::Integer(number) => Raw::Integer(number),
        Value::Float(number) => Raw::Float(number),
        Value::Bool(on) => Raw::Bool(on),
        Value::Pair(numbers) => Raw::Pair(numbers),
        Value::Window(window) => Raw::Window(window),
        Value::Enum(_) | Value::Auto => Raw::Integer(position(kind, value) as i64),
    }
}

/// The position of a word in the list of its control.
fn position(kind: Kind, value: Value) -> usize {
    let position = match (kind, value) {
        (Kind::Enum(words), Value::Enum(word)) => words.iter().position(|it| *it == word),
        _ => None,
    };
    position.unwrap_or_default() // a value of this control is one of its words
}

#[cfg(test)]
mod tests {
    use super::*;
    use Raw::{Bool, Float, Integer};

    /// What libcamera gets when these sets are applied one after the other: for the last one.
    fn list(queries: &[&str]) -> Vec<(&'static str, Raw)> {
        let (mut requested, mut news) = (Set::default(), Set::default());
        for query in queries {
            news = Set::parse_query(query).unwrap();
            requested.merge(&news);
        }
        requested.for_libcamera(&news)
    }

    const START: &str = "AfMode=continuous&AeEnable=true&AwbEnable=true";

    #[test]
    fn the_automatics_of_the_start() {
        let expected = [
            ("AeEnable", Bool(true)),
            ("AfMode", Integer(2)),
            ("AwbEnable", Bool(true)),
        ];
        assert_eq!(list(&[START]), expected);
    }

    #[test]
    fn a_fixed_exposure_needs_its_mode() {
        let expected = [
            ("ExposureTimeMode", Integer(1)),
            ("ExposureTime", Integer(20_000)),
            ("AnalogueGainMode", Integer(1)),
            ("AnalogueGain", Float(2.0)),
            ("AfMode", Integer(2)),
            ("AwbEnable", Bool(true)),
        ];
        let both = list(&[START, "ExposureTime=20000&AnalogueGain=2"]);
        assert_eq!(both, expected);
        // And back: the modes follow AeEnable, in libcamera itself.
        assert_eq!(
            list(&[START, "ExposureTime=20000", "AeEnable=1"]),
            list(&[START])
        );
    }

    #[test]
    fn one_half_may_be_fixed_while_the_other_is_automatic() {
        for (query, fixed, automatic) in [
            ("ExposureTime=9", "ExposureTimeMode", "AnalogueGainMode"),
            ("AnalogueGain=2", "AnalogueGainMode", "ExposureTimeMode"),
        ] {
            for before in ["AeEnable=1", "AeEnable=0"] {
                let list = list(&[before, query]);
                let modes: Vec<_> = list
                    .iter()
                    .filter(|(name, _)| name.ends_with("Mode"))
                    .collect();
                assert_eq!(modes, [&(fixed, Integer(1)), &(automatic, Integer(0))]);
                assert!(list.iter().all(|(name, _)| *name != "AeEnable"));
            }
            let held = list(&[&format!("{query}&AeEnable=0")]);
            assert!(held.iter().all(|(name, _)| *name != automatic), "{held:?}");
            assert!(held.contains(&("AeEnable", Bool(false))));
        }
    }

    #[test]
    fn a_lens_position_comes_with_the_manual_mode_in_the_same_request() {
        let expected = [
            ("AeEnable", Bool(true)),
            ("LensPosition", Float(1.5)),
            ("AfMode", Integer(0)),
            ("AwbEnable", Bool(true)),
        ];
        assert_eq!(list(&[START, "LensPosition=1.5"]), expected);
    }

    #[test]
    fn words_pairs_and_windows_are_numbers() {
        let flicker = |word: &str| list(&[&format!("AeFlickerPeriod={word}")]);
        assert_eq!(flicker("off")[0], ("AeFlickerMode", Integer(0)));
        let sixty = [
            ("AeFlickerMode", Integer(1)),
            ("AeFlickerPeriod", Integer(8333)),
        ];
        assert_eq!(flicker("60"), sixty);
        let gains = [
            ("ColourGains", Raw::Pair([1.5, 2.0])),
            ("AwbEnable", Bool(false)),
        ];
        assert_eq!(list(&[START, "ColourGains=1.5,2"])[2..], gains);
        let window = Raw::Window([0.0, 0.5, 0.25, 0.5]);
        let windows = [("AfMetering", Integer(1)), ("AfWindows", window)];
        assert_eq!(list(&["AfWindows=0,0.5,0.25,0.5"]), windows);
    }

    #[test]
    fn what_is_not_requested_any_more_is_given_back() {
        let back = |before: &str, now: &str| {
            let [before, now] = [before, now].map(|query| Set::parse_query(query).unwrap());
            now.given_back(&before).collect::<Vec<_>>()
        };
        let flicker = "Brightness=0.5&AeFlickerPeriod=50&Contrast=2";
        assert_eq!(
            back(flicker, "Contrast=1"),
            ["AeFlickerMode", "AeFlickerPeriod", "Brightness"]
        );
        assert_eq!(back(flicker, flicker), [""; 0]);
        // The mode that is requested instead says what becomes of a fixed value.
        assert_eq!(back("AeEnable=1", "ExposureTime=9"), [""; 0]);
        assert_eq!(
            back("LensPosition=1&AfMode=manual", "AfMode=continuous"),
            [""; 0]
        );
        assert_eq!(
            back("AfWindows=0,0,1,1&AfMetering=windows", "AfMode=manual"),
            ["AfMetering"]
        );
    }

    #[test]
    fn one_scan_is_triggered_by_asking_for_it_and_by_nothing_else() {
        let trigger = ("AfTrigger", Integer(0));
        assert!(list(&[START, "AfMode=auto"]).contains(&trigger));
        assert!(list(&[START, "AfMode=auto", "AfMode=auto"]).contains(&trigger));
        assert!(!list(&[START, "AfMode=auto", "AwbEnable=0"]).contains(&trigger));
        assert!(!list(&[START]).contains(&trigger));
    }
}
