//! Sets of control values, and what one does to another.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{Control, ControlError, ControlId, TABLE, Value};

/// Values for some of the controls, in the order of [`TABLE`]; empty by default.
///
/// Displayed as `ExposureTime=20000 AnalogueGain=2`, serialized as a map from name to value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Set([Option<Value>; TABLE.len()]);

impl Set {
    /// Reads the query of a URL, without its question mark. A name without a value means "leave it
    /// as it is": that is what an HTML form sends for a blank field.
    ///
    /// # Errors
    /// The first name or value that cannot be expected, or that contradicts one before it.
    pub fn parse_query(query: &str) -> Result<Set, ControlError> {
        let mut set = Set::default();
        let mut seen = Vec::new();
        for (name, text) in form_urlencoded::parse(query.as_bytes()) {
            let control = Control::named(&name)?;
            if seen.contains(&control.id) {
                return Err(ControlError::Twice { name: control.name });
            }
            seen.push(control.id);
            if !text.is_empty() {
                set.insert(&name, &text)?;
            }
        }
        Ok(set)
    }

    /// Adds one value to the set.
    ///
    /// # Errors
    /// An unknown name, a name that the set has already, a value that the control does not accept,
    /// or a contradiction. The set is then as it was.
    pub fn insert(&mut self, name: &str, text: &str) -> Result<(), ControlError> {
        let control = Control::named(name)?;
        if self.get(control.id).is_some() {
            return Err(ControlError::Twice { name: control.name });
        }
        let mut wider = *self;
        wider.put(control.id, Some(control.parse(text)?));
        wider.check()?;
        *self = wider;
        Ok(())
    }

    /// The value for this control, if the set has one.
    pub fn get(&self, control: ControlId) -> Option<Value> {
        self.0[control as usize]
    }

    /// The names and values in the set.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Value)> {
        TABLE
            .iter()
            .zip(self.0)
            .filter_map(|(control, value)| Some((control.name, value?)))
    }

    /// Whether the set has no value at all.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// Makes this, the requested state, what it is after `newer` is applied to it: a fixed value ends the automatic that
    /// it contradicts, an automatic drops the fixed values it replaces. Of exposure time and gain one may be fixed and
    /// the other automatic: then `AeEnable`, which stands for both, has no value.
    pub fn merge(&mut self, newer: &Set) {
        use ControlId::{AeEnable, AfMode, AnalogueGain, ExposureTime, LensPosition};

        if newer
            .get(ExposureTime)
            .or(newer.get(AnalogueGain))
            .is_some()
        {
            self.put(AeEnable, None);
        }
        if newer.get(LensPosition).is_some() {
            self.put(AfMode, Some(Value::Enum("manual")));
        }
        for (mine, new) in self.0.iter_mut().zip(newer.0) {
            *mine = new.or(*mine);
        }
        if self.exposes_automatically() {
            self.put(ExposureTime, None);
            self.put(AnalogueGain, None);
        }
        if self.focuses_automatically() {
            self.put(LensPosition, None);
        }
    }

    /// Takes the value of this control out.
    pub fn remove(&mut self, control: ControlId) {
        self.put(control, None);
    }

    fn put(&mut self, control: ControlId, value: Option<Value>) {
        self.0[control as usize] = value;
    }

    fn exposes_automatically(&self) -> bool {
        self.get(ControlId::AeEnable) == Some(Value::Bool(true))
    }

    fn focuses_automatically(&self) -> bool {
        self.get(ControlId::AfMode)
            .is_some_and(|mode| mode != Value::Enum("manual"))
    }

    fn check(&self) -> Result<(), ControlError> {
        let fixes = |control: ControlId| self.get(control).map(|_| TABLE[control as usize].name);
        let exposure = fixes(ControlId::ExposureTime).or(fixes(ControlId::AnalogueGain));
        if let (Some(fixed), true) = (exposure, self.exposes_automatically()) {
            let mode = "AeEnable=true".to_owned();
            return Err(ControlError::Contradiction {
                fixed,
                mode,
                needed: "AeEnable=false",
            });
        }
        if let (Some(fixed), Some(mode), true) = (
            fixes(ControlId::LensPosition),
            self.get(ControlId::AfMode),
            self.focuses_automatically(),
        ) {
            let mode = format!("AfMode={mode}");
            return Err(ControlError::Contradiction {
                fixed,
                mode,
                needed: "AfMode=manual",
            });
        }
        Ok(())
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.iter().enumerate() {
            let space = if i == 0 { "" } else { " " };
            write!(f, "{space}{name}={value}")?;
        }
        Ok(())
    }
}

impl Serialize for Set {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}
