//! Reading the fields of a manifest, with everything that is wrong with them.

use std::time::Duration;

use serde_json::{Map, Value};

use super::hub::Reference;
use crate::check::{Finding, Rule, Severity};
use crate::duration;
use crate::near;
use crate::path::Path;
use crate::resource::Origin;

/// The findings of one manifest.
pub(super) struct Found<'a> {
    pub(super) subject: String,
    pub(super) origin: &'a Origin,
    pub(super) findings: Vec<Finding>,
}

/// What every manifest of ours begins with.
pub(super) struct Head<'a> {
    /// Its name; none where that is missing, which is found then.
    pub(super) name: Option<String>,
    /// Its namespace; none where the manifest names none.
    pub(super) namespace: Option<String>,
    /// What it says.
    pub(super) spec: Fields<'a>,
}

/// Reads the beginning of a manifest of a kind that is read in one version.
pub(super) fn head<'a>(
    object: &'a Value,
    expected: &str,
    found: &mut Found<'_>,
) -> Option<Head<'a>> {
    let root = Path::root();
    let text = |key: &str| object.get(key).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (text("apiVersion"), text("kind"));
    if version != expected {
        let message = format!("{kind} is read in {expected}, not in {version:?}");
        found.add(Rule::InvalidValue, root.join("apiVersion"), message);
    }
    let metadata = object.get("metadata").and_then(Value::as_object);
    let of_metadata = |key: &str| metadata?.get(key)?.as_str().map(str::to_owned);
    let name = of_metadata("name").filter(|name| !name.is_empty());
    if name.is_none() {
        found.missing(root.join("metadata"), "name");
    }
    let mut top = Fields::new(object.as_object()?, root);
    for key in ["apiVersion", "kind", "metadata", "status"] {
        top.get(key);
    }
    let spec = top.object("spec", found, true);
    top.end(found);
    Some(Head {
        name,
        namespace: of_metadata("namespace"),
        spec: spec?,
    })
}

impl<'a> Found<'a> {
    /// Returns the findings, and what was read unless one of them is an error.
    pub(super) fn sound<T>(self, read: Option<T>) -> (Option<T>, Vec<Finding>) {
        let findings = self.findings;
        let is_sound = findings
            .iter()
            .all(|finding| finding.severity != Severity::Error);
        (read.filter(|_| is_sound), findings)
    }

    pub(super) fn new(object: &Value, origin: &'a Origin) -> Self {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or("?").to_owned();
        let name = object
            .get("metadata")
            .and_then(|metadata| metadata.get("name"));
        Self::about(
            format!("{}/{}", text(object.get("kind")), text(name)),
            origin,
        )
    }

    /// What is found later about something that was read.
    pub(super) const fn about(subject: String, origin: &'a Origin) -> Self {
        Self {
            subject,
            origin,
            findings: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, rule: Rule, path: Path, message: String) {
        self.add_with(rule, path, message, None);
    }

    pub(super) fn add_with(
        &mut self,
        rule: Rule,
        path: Path,
        message: String,
        hint: Option<String>,
    ) {
        let mut finding = Finding::new(rule, message)
            .subject(&self.subject)
            .from(self.origin)
            .at_path(path);
        finding.hint = hint;
        self.findings.push(finding);
    }

    pub(super) fn missing(&mut self, parent: Path, field: &str) {
        self.add(
            Rule::MissingField,
            parent,
            format!("missing field {field:?}"),
        );
    }

    pub(super) fn wrong_type(&mut self, path: Path, expected: &str, value: &Value) {
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        self.add(
            Rule::WrongType,
            path,
            format!("expected {expected}, found {kind}"),
        );
    }

    pub(super) fn not_one_of(&mut self, path: Path, word: &str, known: &[&str]) {
        let message = format!("{word:?} is not allowed, only {}", known.join(", "));
        let near = near::nearest(word, known.iter().copied());
        let hint = near.map(|near| format!("did you mean {near:?}?"));
        self.add_with(Rule::InvalidValue, path, message, hint);
    }

    /// The operator's own form of durations.
    pub(super) fn interval(&mut self, path: &Path, text: &str) -> Option<Duration> {
        let digits = text.trim_end_matches(['s', 'm', 'h']);
        let is_plain = text.len() == digits.len() + 1
            && !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        let interval = duration::parse(text).filter(|_| is_plain);
        if interval.is_none() {
            let message = format!("{text:?} is not a number of s, m or h, such as 30s");
            self.add(Rule::InvalidValue, path.clone(), message);
        }
        interval
    }
}

/// The fields of an object, and which of them were asked for.
pub(super) struct Fields<'a> {
    pub(super) map: &'a Map<String, Value>,
    pub(super) path: Path,
    pub(super) known: Vec<String>,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(map: &'a Map<String, Value>, path: Path) -> Self {
        Self {
            map,
            path,
            known: Vec::new(),
        }
    }

    /// A field; null is as good as absent.
    pub(super) fn get(&mut self, key: &str) -> Option<&'a Value> {
        self.known.push(key.to_owned());
        self.map.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn object(
        &mut self,
        key: &str,
        found: &mut Found<'_>,
        required: bool,
    ) -> Option<Self> {
        match self.get(key) {
            Some(Value::Object(map)) => Some(Self::new(map, self.path.join(key))),
            Some(other) => {
                found.wrong_type(self.path.join(key), "an object", other);
                None
            }
            None => {
                if required {
                    found.missing(self.path.clone(), key);
                }
                None
            }
        }
    }

    /// A text that isn't empty.
    pub(super) fn text(&mut self, key: &str, found: &mut Found<'_>) -> Option<String> {
        match self.get(key)? {
            Value::String(text) if text.is_empty() => {
                found.add(
                    Rule::InvalidValue,
                    self.path.join(key),
                    format!("{key} is empty"),
                );
                None
            }
            Value::String(text) => Some(text.clone()),
            other => {
                found.wrong_type(self.path.join(key), "a text", other);
                None
            }
        }
    }

    /// A text that may be empty.
    pub(super) fn text_or_empty(&mut self, key: &str, found: &mut Found<'_>) -> Option<String> {
        match self.get(key)? {
            Value::String(text) => Some(text.clone()),
            other => {
                found.wrong_type(self.path.join(key), "a text", other);
                None
            }
        }
    }

    pub(super) fn flag(&mut self, key: &str, found: &mut Found<'_>) -> Option<bool> {
        let value = self.get(key)?;
        if !value.is_boolean() {
            found.wrong_type(self.path.join(key), "true or false", value);
        }
        value.as_bool()
    }

    fn list(&mut self, key: &str, found: &mut Found<'_>) -> &'a [Value] {
        match self.get(key) {
            None => &[],
            Some(Value::Array(list)) => list,
            Some(other) => {
                found.wrong_type(self.path.join(key), "a list", other);
                &[]
            }
        }
    }

    /// The objects of a list.
    pub(super) fn objects(&mut self, key: &str, found: &mut Found<'_>) -> Vec<Self> {
        let at = self.path.join(key);
        let list = self.list(key, found).iter().enumerate();
        let objects = list.filter_map(|(index, value)| match value {
            Value::Object(map) => Some(Self::new(map, at.join(index))),
            other => {
                found.wrong_type(at.join(index), "an object", other);
                None
            }
        });
        objects.collect()
    }

    /// The texts of a list, none of them empty, each with its place.
    pub(super) fn texts(&mut self, key: &str, found: &mut Found<'_>) -> Vec<(String, Path)> {
        let at = self.path.join(key);
        let list = self.list(key, found).iter().enumerate();
        let texts = list.filter_map(|(index, value)| {
            let at = at.join(index);
            match value {
                Value::String(text) if !text.is_empty() => Some((text.clone(), at)),
                Value::String(_) => {
                    found.add(Rule::InvalidValue, at, "a text is empty".to_owned());
                    None
                }
                other => {
                    found.wrong_type(at, "a text", other);
                    None
                }
            }
        });
        texts.collect()
    }

    pub(super) fn required(&mut self, key: &str, found: &mut Found<'_>) -> Option<String> {
        if self.get(key).is_none() {
            found.missing(self.path.clone(), key);
            return None;
        }
        self.text(key, found)
    }

    pub(super) fn number(
        &mut self,
        key: &str,
        range: std::ops::RangeInclusive<u64>,
        found: &mut Found<'_>,
    ) -> Option<u64> {
        let value = self.get(key)?;
        let place = self.path.join(key);
        let Value::Number(number) = value else {
            found.wrong_type(place, "a number", value);
            return None;
        };
        let number = number.as_u64().filter(|number| range.contains(number));
        if number.is_none() {
            let (start, end) = range.into_inner();
            let message = format!("{value} is not a whole number from {start} to {end}");
            found.add(Rule::InvalidValue, place, message);
        }
        number
    }

    pub(super) fn duration(&mut self, key: &str, found: &mut Found<'_>) -> Option<Duration> {
        let text = self.text(key, found)?;
        let duration = duration::parse(&text);
        if duration.is_none() {
            found.add(
                Rule::InvalidValue,
                self.path.join(key),
                format!("{text:?} is not {}", duration::EXPECTED),
            );
        }
        duration
    }

    /// Where a credential is; only what isn't secret may be in a `ConfigMap`.
    pub(super) fn reference(
        &mut self,
        key: &str,
        is_pem: bool,
        found: &mut Found<'_>,
    ) -> Option<Reference> {
        let mut fields = self.object(key, found, false)?;
        let (file, env) = (fields.text("file", found), fields.text("env", found));
        let (name, entry) = (fields.text("name", found), fields.text("key", found));
        let kind = if is_pem {
            fields.text("kind", found)
        } else {
            None
        };
        fields.end(found);
        let place = fields.path.clone();
        if let Some(kind) = &kind
            && !["Secret", "ConfigMap"].contains(&kind.as_str())
        {
            found.not_one_of(place.join("kind"), kind, &["Secret", "ConfigMap"]);
            return None;
        }
        let is_in_cluster = name.is_some() || entry.is_some() || kind.is_some();
        let reference = match (file, env, is_in_cluster) {
            (Some(file), None, false) => Reference::File(file),
            (None, Some(env), false) => Reference::Env(env),
            (None, None, _) => {
                for (field, value) in [("name", &name), ("key", &entry)] {
                    if value.is_none() {
                        found.missing(place.clone(), field);
                    }
                }
                let (name, key) = (name?, entry?);
                match kind.as_deref() {
                    Some("ConfigMap") => Reference::ConfigMap { name, key },
                    _ => Reference::Secret { name, key },
                }
            }
            _ => {
                let message = format!(
                    "{key} names one place: {{name, key}}, {{file: PATH}} or {{env: NAME}}"
                );
                found.add(Rule::InvalidValue, place, message);
                return None;
            }
        };
        Some(reference)
    }

    /// Reports what was never asked for.
    pub(super) fn end(&self, found: &mut Found<'_>) {
        for key in self.map.keys() {
            if self.known.contains(key) {
                continue;
            }
            let near = near::nearest(key, self.known.iter().map(String::as_str));
            let hint = near.map(|near| format!("did you mean {near:?}?"));
            found.add_with(
                Rule::UnknownField,
                self.path.join(key.as_str()),
                format!("unknown field {key:?}"),
                hint,
            );
        }
    }
}
