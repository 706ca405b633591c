//! Sets of control values, and what one does to another.

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

use super::{Control, ControlError, ControlId, TABLE, Value, rules};

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
        Self::from_pairs(form_urlencoded::parse(query.as_bytes()))
    }

    /// The same of names and values that were taken apart already.
    ///
    /// # Errors
    /// As [`Set::parse_query`].
    pub fn from_pairs<'a>(
        pairs: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>,
    ) -> Result<Set, ControlError> {
        let mut set = Set::default();
        let mut seen = Vec::new();
        for (name, text) in pairs {
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
        rules::check(&wider)?;
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

    /// Makes this, the requested state, what it is after `newer` is applied to it. What of both contradicts each other is
    /// decided for `newer`.
    pub fn merge(&mut self, newer: &Set) {
        rules::before_merge(self, newer);
        self.take(newer);
        rules::after_merge(self);
    }

    /// Lays `newer` over this: a requested state as a whole, so that nothing of this is left that was dropped there. What
    /// `newer` has is there afterwards, and exactly that of controls that exclude each other.
    pub fn overlay(&mut self, newer: &Set) {
        rules::before_overlay(self, newer);
        self.take(newer);
        rules::after_merge(self);
    }

    /// The same with other windows.
    pub fn with_windows(&self, map: impl Fn([f64; 4]) -> [f64; 4]) -> Self {
        let mut set = *self;
        for value in set.0.iter_mut().flatten() {
            if let Value::Window(window) = value {
                *window = map(*window);
            }
        }
        set
    }

    /// Takes the value of this control out.
    pub fn remove(&mut self, control: ControlId) {
        self.put(control, None);
    }

    fn take(&mut self, newer: &Set) {
        for (mine, new) in self.0.iter_mut().zip(newer.0) {
            *mine = new.or(*mine);
        }
    }

    /// Gives this control another value, or none.
    pub(super) fn put(&mut self, control: ControlId, value: Option<Value>) {
        self.0[control as usize] = value;
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
