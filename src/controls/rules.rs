//! Which controls exclude each other: values that are fixed, and the automatics that would choose them.

use super::{ControlError, ControlId, Set, TABLE, Value};

/// Fixed values, and the automatic that they end.
struct Rule {
    fixed: &'static [ControlId],
    automatic: ControlId,
    /// Whether the automatic works with this value.
    works: fn(Value) -> bool,
    /// What the automatic's control is when a value is fixed; `None`: it says nothing any more.
    ended: Option<Value>,
    /// The values with which it does not work, and works.
    off: &'static str,
    on: Value,
}

use ControlId::{
    AeEnable, AfMetering, AfMode, AfWindows, AnalogueGain, AwbEnable, ColourGains,
    ColourTemperature, ExposureTime, LensPosition,
};

static RULES: [Rule; 4] = [
    Rule {
        // Of these one may be fixed and the other automatic: then AeEnable, which stands for both, has no value.
        fixed: &[ExposureTime, AnalogueGain],
        automatic: AeEnable,
        works: |value| value == Value::Bool(true),
        ended: None,
        off: "false",
        on: Value::Bool(true),
    },
    Rule {
        fixed: &[LensPosition],
        automatic: AfMode,
        works: |value| value != Value::Enum("manual"),
        ended: Some(Value::Enum("manual")),
        off: "manual",
        on: Value::Enum("continuous"),
    },
    Rule {
        fixed: &[ColourGains, ColourTemperature],
        automatic: AwbEnable,
        works: |value| value == Value::Bool(true),
        ended: Some(Value::Bool(false)),
        off: "false",
        on: Value::Bool(true),
    },
    Rule {
        fixed: &[AfWindows],
        automatic: AfMetering,
        works: |value| value == Value::Enum("auto"),
        ended: Some(Value::Enum("windows")),
        off: "windows",
        on: Value::Enum("auto"),
    },
];
/// Fixed values of which only one can be in force.
const EXCLUSIVE: [ControlId; 2] = [ColourGains, ColourTemperature];

fn name(control: ControlId) -> &'static str {
    TABLE[control as usize].name
}

impl Rule {
    /// All of its controls.
    fn group(&self) -> impl Iterator<Item = ControlId> {
        self.fixed.iter().copied().chain([self.automatic])
    }

    /// Whether `set` says anything of them.
    fn is_in(&self, set: &Set) -> bool {
        self.group().any(|control| set.get(control).is_some())
    }

    /// Whether the automatic works; `None` if the set says nothing of it.
    fn works(&self, set: &Set) -> Option<bool> {
        set.get(self.automatic).map(self.works)
    }

    /// The controls of the rule that `set` fixes.
    fn fixed(&self, set: &Set) -> impl Iterator<Item = ControlId> {
        let fixes = |&control: &ControlId| set.get(control).is_some_and(|it| it != Value::Auto);
        self.fixed.iter().copied().filter(fixes)
    }

    fn check(&self, set: &Set) -> Result<(), ControlError> {
        let auto = |&control: &ControlId| set.get(control) == Some(Value::Auto);
        let (contradicting, needed) = match self.works(set) {
            Some(true) => (self.fixed(set).next(), self.off.to_owned()),
            Some(false) => (self.fixed.iter().copied().find(auto), self.on.to_string()),
            None => return Ok(()),
        };
        match (contradicting, set.get(self.automatic)) {
            (Some(control), Some(mode)) => Err(ControlError::Contradiction {
                fixed: name(control),
                mode: format!("{}={mode}", name(self.automatic)),
                needed: format!("{}={needed}", name(self.automatic)),
            }),
            _ => Ok(()),
        }
    }
}

/// Checks that `set` does not contradict itself.
pub(super) fn check(set: &Set) -> Result<(), ControlError> {
    if let [Some(_), Some(_)] = EXCLUSIVE.map(|control| set.get(control)) {
        let [one, other] = EXCLUSIVE.map(name);
        return Err(ControlError::Exclusive { one, other });
    }
    RULES.iter().try_for_each(|rule| rule.check(set))
}

/// Makes room in `state`, the requested state, for the values of `newer`: a fixed value ends the automatic that it
/// contradicts.
pub(super) fn before_merge(state: &mut Set, newer: &Set) {
    for rule in &RULES {
        if rule.fixed(newer).next().is_some() {
            state.put(rule.automatic, rule.ended);
        }
    }
    for [one, other] in [EXCLUSIVE, [EXCLUSIVE[1], EXCLUSIVE[0]]] {
        if newer.get(one).is_some() {
            state.put(other, None);
        }
    }
}

/// Makes room in `state` for `newer`, a requested state as a whole: of controls that exclude each other it has all that is
/// to be.
pub(super) fn before_overlay(state: &mut Set, newer: &Set) {
    for rule in RULES.iter().filter(|rule| rule.is_in(newer)) {
        rule.group().for_each(|control| state.put(control, None));
    }
}

/// Whether `set` has a value for one of the controls that this one excludes or is excluded by, or for itself.
pub(super) fn is_decided(set: &Set, control: ControlId) -> bool {
    let mut with_it = RULES
        .iter()
        .filter(|rule| rule.group().any(|other| other == control));
    set.get(control).is_some() || with_it.any(|rule| rule.is_in(set))
}

/// Tidies `state` up, which has the new values now: an automatic drops the fixed values that it replaces, and works where
/// `auto` was asked for.
pub(super) fn after_merge(state: &mut Set) {
    for rule in &RULES {
        let mut asked = false;
        for &control in rule.fixed {
            if state.get(control) == Some(Value::Auto) {
                state.put(control, None);
                asked = true;
            }
        }
        if asked && rule.works(state) != Some(true) {
            let alone = rule.fixed(state).next().is_none();
            state.put(
                rule.automatic,
                if alone { Some(rule.on) } else { rule.ended },
            );
        }
        if rule.works(state) == Some(true) {
            for &control in rule.fixed {
                state.put(control, None);
            }
        }
    }
}
