//! Typed access to live objects: a field that has a wrong type is an error, never a default.
//!
//! What is absent or `null` reads as nothing, as the API server leaves out zero values.

use serde_json::Value;

use crate::resource::describe;

/// A field with a type that it cannot have, so that nothing can be said about its object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its state cannot be read: {place} is {found}, not {expected}")]
pub(super) struct Malformed {
    place: String,
    found: &'static str,
    expected: &'static str,
}

/// What was found, or what kept from finding it.
pub(super) type Result<T> = std::result::Result<T, Malformed>;

/// A live object, or a mapping inside one.
#[derive(Clone, Copy)]
pub(super) struct Live<'a> {
    value: &'a Value,
    /// What it is called in errors; the object itself has no name.
    place: &'static str,
}

impl<'a> Live<'a> {
    pub(super) fn new(object: &'a Value) -> Self {
        Self::inside(object, "")
    }

    pub(super) fn inside(value: &'a Value, place: &'static str) -> Self {
        Self { value, place }
    }

    /// Returns group (moved kinds in their present one) and kind.
    pub(super) fn kind(&self) -> Result<(&'a str, &'a str)> {
        let kind = self.required(&["kind"])?;
        let api_version = self.required(&["apiVersion"])?;
        let (group, _) = crate::resource::split_api_version(api_version);
        Ok((crate::resource::canonical_group(group, kind), kind))
    }

    fn required(&self, path: &[&str]) -> Result<&'a str> {
        let text = self.text(path)?;
        text.ok_or_else(|| self.malformed(path, "missing", "a string"))
    }

    /// Follows keys down.
    pub(super) fn get(&self, path: &[&str]) -> Result<Option<&'a Value>> {
        let mut value = self.value;
        for (depth, key) in path.iter().enumerate() {
            let Value::Object(fields) = value else {
                let place = path.get(..depth).unwrap_or_default();
                return Err(self.malformed(place, describe(value), "a mapping"));
            };
            match fields.get(*key) {
                None | Some(Value::Null) => return Ok(None),
                Some(found) => value = found,
            }
        }
        Ok(Some(value))
    }

    /// Reads a field in a form; one that doesn't have it is malformed.
    fn read<T>(
        &self,
        path: &[&str],
        expected: &'static str,
        form: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.get(path)? else {
            return Ok(None);
        };
        match form(value) {
            Some(found) => Ok(Some(found)),
            None => Err(self.malformed(path, describe(value), expected)),
        }
    }

    pub(super) fn string(&self, path: &[&str]) -> Result<Option<&'a str>> {
        self.read(path, "a string", Value::as_str)
    }

    /// Reads a text; an empty one is none.
    pub(super) fn text(&self, path: &[&str]) -> Result<Option<&'a str>> {
        let text = self.string(path)?;
        Ok(text.filter(|text| !text.is_empty()))
    }

    pub(super) fn flag(&self, path: &[&str]) -> Result<Option<bool>> {
        self.read(path, "a boolean", Value::as_bool)
    }

    pub(super) fn count(&self, path: &[&str]) -> Result<Option<u64>> {
        self.read(path, "a count", Value::as_u64)
    }

    /// Reads a count of the status; an absent one is zero.
    pub(super) fn status(&self, field: &str) -> Result<u64> {
        Ok(self.count(&["status", field])?.unwrap_or(0))
    }

    /// Reads a generation; Argo Rollouts, and who copied them, write theirs as a text of digits.
    pub(super) fn generation(&self, path: &[&str]) -> Result<Option<u64>> {
        self.read(path, "a generation", |value| match value {
            Value::String(digits) => digits.parse().ok(),
            other => other.as_u64(),
        })
    }

    pub(super) fn list(&self, path: &[&str]) -> Result<&'a [Value]> {
        let list = self.read(path, "a list", |value| value.as_array().map(Vec::as_slice))?;
        Ok(list.unwrap_or_default())
    }

    /// Reads a condition of the object.
    pub(super) fn condition(&self, name: &str) -> Result<Option<Condition<'a>>> {
        self.condition_at(&["status", "conditions"], "status.conditions", name)
    }

    /// Reads a condition of a list at a place, which errors name as given.
    pub(super) fn condition_at(
        &self,
        path: &[&str],
        place: &'static str,
        name: &str,
    ) -> Result<Option<Condition<'a>>> {
        for entry in self.list(path)? {
            let entry = Live::inside(entry, place);
            if entry.required(&["type"])? == name {
                return Condition::read(&entry).map(Some);
            }
        }
        Ok(None)
    }

    fn malformed(&self, path: &[&str], found: &'static str, expected: &'static str) -> Malformed {
        let mut place = self.place.to_owned();
        for key in path {
            if !place.is_empty() {
                place.push('.');
            }
            place.push_str(key);
        }
        if place.is_empty() {
            place.push_str("the object");
        }
        Malformed {
            place,
            found,
            expected,
        }
    }
}

/// What a condition says of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Truth {
    True,
    False,
    Unknown,
}

/// An entry of a list of conditions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Condition<'a> {
    pub(super) name: &'a str,
    pub(super) truth: Truth,
    pub(super) reason: &'a str,
    pub(super) message: &'a str,
    /// The generation that it was found for.
    pub(super) observed: Option<u64>,
}

impl<'a> Condition<'a> {
    fn read(entry: &Live<'a>) -> Result<Self> {
        let truth = match entry.text(&["status"])? {
            Some("True") => Truth::True,
            Some("False") => Truth::False,
            Some("Unknown") | None => Truth::Unknown,
            Some(_) => {
                let expected = "True, False or Unknown";
                return Err(entry.malformed(&["status"], "another word", expected));
            }
        };
        Ok(Self {
            name: entry.required(&["type"])?,
            truth,
            reason: entry.text(&["reason"])?.unwrap_or_default(),
            message: entry.text(&["message"])?.unwrap_or_default(),
            observed: entry.generation(&["observedGeneration"])?,
        })
    }

    pub(super) fn is_true(&self) -> bool {
        self.truth == Truth::True
    }

    pub(super) fn is_false(&self) -> bool {
        self.truth == Truth::False
    }

    /// Returns what it says: reason and message, as far as there are any.
    pub(super) fn told(&self) -> String {
        let message = self.message.trim().trim_end_matches('.');
        match (self.reason, message) {
            ("", "") => {
                let truth = self.truth;
                format!("condition {} is {truth:?}", self.name)
            }
            ("", text) | (text, "") => text.to_owned(),
            (reason, message) => format!("{reason}: {message}"),
        }
    }
}

/// Tells whether a condition is there and true.
pub(super) fn is_true(condition: Option<Condition<'_>>) -> bool {
    condition.is_some_and(|condition| condition.is_true())
}

/// Returns what keeps a condition from being true for the present generation of its object.
pub(super) fn untrue(condition: &Condition<'_>, generation: Option<u64>) -> Option<String> {
    match (condition.observed, generation) {
        (Some(observed), Some(generation)) if observed < generation => Some(format!(
            "condition {} is of generation {observed}, not yet of {generation}",
            condition.name
        )),
        _ if condition.is_true() => None,
        _ => Some(condition.told()),
    }
}

/// How many characters of what a server says are shown.
const SHOWN: usize = 500;

/// Makes one line of what a server says: no line breaks or other control characters (a terminal
/// would obey them), and not without end.
pub(super) fn line(text: &str) -> String {
    let mut line = String::with_capacity(text.len().min(SHOWN));
    let words = text.split(|c: char| c.is_whitespace() || c.is_control());
    let mut room = SHOWN;
    for word in words.filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
            room = room.saturating_sub(1);
        }
        for character in word.chars() {
            if room == 0 {
                line.push('…');
                return line;
            }
            line.push(character);
            room -= 1;
        }
    }
    line
}
