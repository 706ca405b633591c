//! What one camera makes of the control table: which controls it has, and their real ranges.

use super::{Control, ControlError, Range, Set, TABLE, Value, one_of};

/// What the open camera takes for one control.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Availability {
    /// Everything that the table accepts.
    #[default]
    Table,
    /// A number in this range, both bounds inclusive; within what the table accepts.
    Range {
        /// Smallest value.
        min: f64,
        /// Largest value.
        max: f64,
    },
    /// Nothing: the camera has no such control.
    Missing,
}

/// The ranges of all controls, in the order of [`TABLE`]. By default those of the table: no camera is open, or
/// the source has no controls.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ranges([Availability; TABLE.len()]);

impl Ranges {
    /// Sets what the camera takes for `control`.
    pub fn set(&mut self, control: &Control, availability: Availability) {
        self.0[control.id as usize] = availability;
    }

    /// What the camera takes for `control`.
    pub fn get(&self, control: &Control) -> Availability {
        self.0[control.id as usize]
    }

    /// Checks all values of `set`.
    ///
    /// # Errors
    /// The first control that the camera does not have, or value out of its range, with what is accepted.
    pub fn check(&self, set: &Set) -> Result<(), ControlError> {
        for control in &TABLE {
            let Some(value) = set.get(control.id) else {
                continue;
            };
            match self.get(control) {
                Availability::Table => {}
                Availability::Range { min, max } => {
                    if outside(value, min, max) {
                        return Err(ControlError::Value {
                            name: control.name,
                            given: format!("\"{value}\""),
                            expected: self.expected(control),
                        });
                    }
                }
                Availability::Missing => {
                    return Err(ControlError::Missing {
                        name: control.name,
                        expected: self.available(),
                    });
                }
            }
        }
        Ok(())
    }

    /// `set` without what the camera cannot take.
    pub fn applicable(&self, set: &Set) -> Set {
        let mut applicable = *set;
        for control in &TABLE {
            if self.get(control) == Availability::Missing {
                applicable.remove(control.id);
            }
        }
        applicable
    }

    /// [`Control::expected`] with the camera's range instead of the table's.
    fn expected(&self, control: &Control) -> String {
        let Availability::Range { min, max } = self.get(control) else {
            return control.expected();
        };
        let range = Range {
            min,
            max: Some(max),
        };
        control.kind.within(range, control.unit)
    }

    fn available(&self) -> String {
        let names: Vec<_> = TABLE
            .iter()
            .filter(|control| self.get(control) != Availability::Missing)
            .map(|control| control.name)
            .collect();
        if names.is_empty() {
            "none".to_owned()
        } else {
            one_of(&names)
        }
    }
}

/// Whether a number of the value is out of the range.
fn outside(value: Value, min: f64, max: f64) -> bool {
    let outside = |number| !(min..=max).contains(&number);
    match value {
        Value::Integer(number) => outside(number as f64),
        Value::Float(number) => outside(number),
        Value::Pair(numbers) => numbers.into_iter().any(outside),
        Value::Auto | Value::Bool(_) | Value::Enum(_) | Value::Window(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera() -> Ranges {
        let mut ranges = Ranges::default();
        let mut set = |name, availability| ranges.set(Control::named(name).unwrap(), availability);
        set(
            "ExposureTime",
            Availability::Range {
                min: 26.0,
                max: 125_000.0,
            },
        );
        set(
            "AnalogueGain",
            Availability::Range {
                min: 1.122807,
                max: 16.0,
            },
        );
        for control in &TABLE {
            if !["ExposureTime", "AnalogueGain", "AeEnable", "AwbEnable"].contains(&control.name) {
                ranges.set(control, Availability::Missing);
            }
        }
        ranges
    }

    fn refusal(query: &str) -> String {
        let set = Set::parse_query(query).unwrap();
        camera().check(&set).unwrap_err().to_string()
    }

    #[test]
    fn the_cameras_range_is_inclusive_and_named() {
        for good in [
            "ExposureTime=26",
            "ExposureTime=125000&AnalogueGain=16",
            "AwbEnable=0",
            "",
        ] {
            camera().check(&Set::parse_query(good).unwrap()).unwrap();
        }
        assert_eq!(
            refusal("ExposureTime=125001"),
            "ExposureTime = \"125001\": expected auto or an integer from 26 to 125000 (µs)"
        );
        assert_eq!(
            refusal("AnalogueGain=1"),
            "AnalogueGain = \"1\": expected auto or a number from 1.122807 to 16 (ratio)"
        );
    }

    #[test]
    fn a_control_that_the_camera_lacks_is_refused_or_left_out() {
        assert_eq!(
            refusal("LensPosition=1"),
            "this camera has no LensPosition: expected ExposureTime, AnalogueGain, AeEnable or AwbEnable"
        );
        let set = Set::parse_query("AfMode=continuous&AeEnable=true").unwrap();
        assert_eq!(camera().applicable(&set).to_string(), "AeEnable=true");
    }

    #[test]
    fn without_a_camera_the_table_decides() {
        let set = Set::parse_query("ExposureTime=2147483647&LensPosition=1000").unwrap();
        Ranges::default().check(&set).unwrap();
        assert_eq!(Ranges::default().applicable(&set), set);
    }
}
