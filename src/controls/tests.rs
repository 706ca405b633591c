//! Tests of the control table and of sets.

use super::*;

fn query(text: &str) -> Result<Set, String> {
    Set::parse_query(text).map_err(|error| error.to_string())
}

fn set(text: &str) -> Set {
    query(text).unwrap()
}

/// The state after applying these sets one after the other.
fn merged(queries: &[&str]) -> String {
    let mut state = Set::default();
    for text in queries {
        state.merge(&set(text));
    }
    state.to_string()
}

#[test]
fn the_table_is_in_the_order_of_the_ids() {
    for (row, control) in TABLE.iter().enumerate() {
        assert_eq!(control.id as usize, row, "{}", control.name);
        assert!(
            !control.effect.is_empty() && control.effect.ends_with('.'),
            "{}",
            control.name
        );
    }
}

#[test]
fn a_query_becomes_typed_values_in_table_order() {
    let set = set("AfMode=manual&LensPosition=1.50&AnalogueGain=2&ExposureTime=20000&AwbEnable=0");
    assert_eq!(
        set.to_string(),
        "ExposureTime=20000 AnalogueGain=2 LensPosition=1.5 AfMode=manual AwbEnable=false"
    );
    assert_eq!(
        set.get(ControlId::ExposureTime),
        Some(Value::Integer(20000))
    );
    assert_eq!(set.get(ControlId::AnalogueGain), Some(Value::Float(2.0)));
    assert_eq!(set.get(ControlId::AeEnable), None);
    assert_eq!(
        serde_json::to_string(&set).unwrap(),
        r#"{"ExposureTime":20000,"AnalogueGain":2.0,"LensPosition":1.5,"AfMode":"manual","AwbEnable":false}"#
    );
}

#[test]
fn an_empty_value_leaves_the_control_as_it_is() {
    assert!(set("ExposureTime=&AnalogueGain=&LensPosition=").is_empty());
    assert!(set("").is_empty());
    assert!(set("ExposureTime").is_empty());
    assert_eq!(
        set("ExposureTime=&AnalogueGain=1.5").to_string(),
        "AnalogueGain=1.5"
    );
}

#[test]
fn percent_and_plus_are_decoded() {
    assert_eq!(
        set("Exposure%54ime=%32%30&AfMode=+auto%20").to_string(),
        "ExposureTime=20 AfMode=auto"
    );
}

#[test]
fn every_bound_is_inclusive() {
    for (good, bad) in [
        ("ExposureTime=1", "ExposureTime=0"),
        ("ExposureTime=2147483647", "ExposureTime=2147483648"),
        ("AnalogueGain=1", "AnalogueGain=0.999"),
        ("LensPosition=0", "LensPosition=-0.001"),
    ] {
        query(good).unwrap();
        query(bad).unwrap_err();
    }
}

#[test]
fn what_is_not_accepted_is_answered_by_what_is() {
    const NAMES: &str = "ExposureTime, AnalogueGain, ExposureValue, AeEnable, AeExposureMode, AeMeteringMode, AeFlickerPeriod, LensPosition, AfMode, AfRange, AfSpeed, AfMetering, AfWindows, ColourGains, ColourTemperature, AwbEnable, AwbMode, Brightness, Contrast, Saturation, Sharpness, NoiseReductionMode or HdrMode";
    const EXPOSURE: &str = "expected auto or an integer from 1 to 2147483647 (µs)";
    const GAINS: &str = "expected red,blue, numbers from 0 to 32 (ratio)";
    const WINDOW: &str = "expected x,y,w,h as fractions of the picture, like 0.4,0.4,0.2,0.2";
    const GAIN: &str = "expected auto or a number of at least 1 (ratio)";
    let cases = [
        ("Foo=1", format!(r#"unknown control "Foo": expected {NAMES}"#)),
        ("Foo=", format!(r#"unknown control "Foo": expected {NAMES}"#)),
        ("exposuretime=1", format!(r#"unknown control "exposuretime": expected {NAMES}"#)),
        ("=1", format!(r#"unknown control "": expected {NAMES}"#)),
        ("%0d%0aX%ff=1", format!("unknown control \"\\r\\nX\u{fffd}\": expected {NAMES}")),
        ("ExposureTime=abc", format!(r#"ExposureTime = "abc": {EXPOSURE}"#)),
        ("ExposureTime=1.5", format!(r#"ExposureTime = "1.5": {EXPOSURE}"#)),
        ("ExposureTime=99999999999999999999", format!(r#"ExposureTime = "99999999999999999999": {EXPOSURE}"#)),
        ("AnalogueGain=NaN", format!(r#"AnalogueGain = "NaN": {GAIN}"#)),
        ("AnalogueGain=inf", format!(r#"AnalogueGain = "inf": {GAIN}"#)),
        ("AnalogueGain=1e39", format!(r#"AnalogueGain = "1e39": {GAIN}"#)),
        ("AnalogueGain=1,5", format!(r#"AnalogueGain = "1,5": {GAIN}"#)),
        ("LensPosition=-1", r#"LensPosition = "-1": expected auto or a number of at least 0 (dioptres)"#.to_owned()),
        ("AfMode=off", r#"AfMode = "off": expected manual, auto or continuous"#.to_owned()),
        ("AeEnable=yes", r#"AeEnable = "yes": expected true, false, 1 or 0"#.to_owned()),
        ("AeEnable=1&AeEnable=1", "AeEnable is given twice: expected once".to_owned()),
        ("AeEnable=&AeEnable=1", "AeEnable is given twice: expected once".to_owned()),
        (
            "ExposureTime=5&AeEnable=true",
            "ExposureTime with AeEnable=true contradict each other: leave one out, or make it AeEnable=false".to_owned(),
        ),
        (
            "AeEnable=1&AnalogueGain=2",
            "AnalogueGain with AeEnable=true contradict each other: leave one out, or make it AeEnable=false".to_owned(),
        ),
        (
            "LensPosition=1&AfMode=continuous",
            "LensPosition with AfMode=continuous contradict each other: leave one out, or make it AfMode=manual".to_owned(),
        ),
        (
            "LensPosition=auto&AfMode=manual",
            "LensPosition with AfMode=manual contradict each other: leave one out, or make it AfMode=continuous".to_owned(),
        ),
        (
            "AwbEnable=true&ColourTemperature=5000",
            "ColourTemperature with AwbEnable=true contradict each other: leave one out, or make it AwbEnable=false".to_owned(),
        ),
        (
            "ColourGains=1,2&ColourTemperature=5000",
            "ColourGains and ColourTemperature exclude each other: expected one of them".to_owned(),
        ),
        ("ColourGains=1", format!(r#"ColourGains = "1": {GAINS}"#)),
        ("ColourGains=1,2,3", format!(r#"ColourGains = "1,2,3": {GAINS}"#)),
        ("ColourGains=1,NaN", format!(r#"ColourGains = "1,NaN": {GAINS}"#)),
        ("AfWindows=0.5,0.5,0.6,0.2", format!(r#"AfWindows = "0.5,0.5,0.6,0.2": {WINDOW}"#)),
        ("AfWindows=0.5,0.5,0,0.2", format!(r#"AfWindows = "0.5,0.5,0,0.2": {WINDOW}"#)),
        ("AfWindows=1,2", format!(r#"AfWindows = "1,2": {WINDOW}"#)),
        ("AeFlickerPeriod=55", r#"AeFlickerPeriod = "55": expected off, 50 or 60 (Hz of the mains)"#.to_owned()),
    ];
    for (text, answer) in cases {
        assert_eq!(query(text), Err(answer), "{text}");
    }
}

#[test]
fn a_long_name_is_cut_in_the_answer() {
    let answer = query(&"é".repeat(10_000)).unwrap_err();
    assert!(answer.chars().count() < 420, "{answer}");
}

#[test]
fn a_refused_value_leaves_the_set_as_it_was() {
    let mut set = set("AeEnable=true");
    let before = set;
    for (name, text) in [
        ("ExposureTime", "5"),
        ("AeEnable", "false"),
        ("AfMode", ""),
        ("Foo", "1"),
    ] {
        set.insert(name, text).unwrap_err();
        assert_eq!(set, before);
    }
}

#[test]
fn fixed_values_turn_their_automatic_off() {
    let start = "AfMode=continuous&AeEnable=true&AwbEnable=true";
    assert_eq!(
        merged(&[start, "ExposureTime=20000"]),
        "ExposureTime=20000 AfMode=continuous AwbEnable=true"
    );
    assert_eq!(
        merged(&[start, "AnalogueGain=2"]),
        "AnalogueGain=2 AfMode=continuous AwbEnable=true"
    );
    assert_eq!(
        merged(&[start, "LensPosition=0.5"]),
        "AeEnable=true LensPosition=0.5 AfMode=manual AwbEnable=true"
    );
}

#[test]
fn automatics_drop_the_fixed_values_they_replace() {
    let fixed = "ExposureTime=20000&AnalogueGain=2&LensPosition=0.5";
    assert_eq!(
        merged(&[fixed, "AeEnable=true"]),
        "AeEnable=true LensPosition=0.5 AfMode=manual"
    );
    assert_eq!(
        merged(&[fixed, "AfMode=auto"]),
        "ExposureTime=20000 AnalogueGain=2 AfMode=auto"
    );
    let same = "ExposureTime=20000 AnalogueGain=2 AeEnable=false LensPosition=0.5 AfMode=manual";
    assert_eq!(merged(&[fixed, "AeEnable=false&AfMode=manual"]), same);
    assert_eq!(merged(&[fixed, "AeEnable=false", ""]), same);
    assert_eq!(
        merged(&[fixed, "AeEnable=false", "ExposureTime=5"]),
        "ExposureTime=5 AnalogueGain=2 LensPosition=0.5 AfMode=manual"
    );
}

#[test]
fn auto_gives_one_half_back() {
    assert_eq!(
        merged(&["ExposureTime=5&AnalogueGain=2", "ExposureTime=auto"]),
        "AnalogueGain=2"
    );
    assert_eq!(
        merged(&[
            "ExposureTime=5&AnalogueGain=2",
            "ExposureTime=auto&AnalogueGain=auto"
        ]),
        "AeEnable=true"
    );
    assert_eq!(
        merged(&["AeEnable=0", "AnalogueGain=auto"]),
        "AeEnable=true"
    );
    assert_eq!(
        merged(&["AeEnable=1", "AnalogueGain=auto&ExposureTime=9"]),
        "ExposureTime=9"
    );
    assert_eq!(
        merged(&["LensPosition=3", "LensPosition=auto"]),
        "AfMode=continuous"
    );
    assert_eq!(merged(&["AfMode=auto", "LensPosition=auto"]), "AfMode=auto");
    let window = "AfWindows=0.25,0.5,0.5,0.25";
    assert_eq!(
        merged(&["AfMetering=auto", window]),
        format!("AfMetering=windows {window}")
    );
    assert_eq!(merged(&[window, "AfMetering=auto"]), "AfMetering=auto");
    assert_eq!(
        merged(&["ColourGains=1.5,2", "ColourTemperature=5000"]),
        "ColourTemperature=5000 AwbEnable=false"
    );
    assert_eq!(
        merged(&["ColourTemperature=5000", "AwbEnable=1"]),
        "AwbEnable=true"
    );
}

/// Whatever is applied to whatever, the state can be said as one set: saved, and read again.
#[test]
fn a_merged_state_never_contradicts_itself() {
    let queries = [
        "",
        "ExposureTime=5",
        "AnalogueGain=2",
        "LensPosition=1",
        "AfMode=manual",
        "AfMode=auto",
        "AeEnable=1",
        "AeEnable=0",
        "AwbEnable=0",
        "ExposureTime=5&AfMode=continuous",
        "LensPosition=1&AeEnable=true",
        "ExposureTime=auto",
        "AnalogueGain=auto&ExposureTime=7",
        "LensPosition=auto",
        "ColourGains=1,2",
        "ColourTemperature=5000",
        "AwbEnable=1",
        "AfWindows=0,0,1,1",
        "AfMetering=auto",
    ];
    for a in queries {
        for b in queries {
            for c in queries {
                let state = merged(&[a, b, c]);
                assert_eq!(
                    set(&state.replace(' ', "&")).to_string(),
                    state,
                    "{a} {b} {c}"
                );
            }
        }
    }
}
