//! Placeholders: `${name}` and `${name:-default}` in the texts of objects and patches.
//!
//! Only names that the design declares are touched; every other `${…}`, in a script for instance, stays as
//! it is, and so does `$${name}`, without the first dollar. What is nothing but a placeholder becomes the
//! value with its type; inside of a longer text a value becomes text. As in a shell the default also
//! stands for an empty text. Keys are never replaced, nor `apiVersion` and `kind`.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::assignment::{name, typed};
use super::provenance::{Marks, Trace};
use super::values::Resolved;
use super::{
    Body, DEEPEST, Error, Identity, MOST_BYTES, MOST_NODES, Patch, Problem, Size, Target, describe,
    did_you_mean,
};
use crate::path::{Path, Segment, Trail};
use crate::resource::Origin;

/// How deep defaults may hold placeholders with defaults.
const DEEPEST_DEFAULT: usize = 16;

/// The longest default in bytes; its end isn't looked for any further.
const LONGEST_DEFAULT: usize = 1_024;

/// How many unknown names are looked at.
const MOST_UNKNOWN: usize = 1_000;

/// A text that is replaced.
pub(super) struct Replacement {
    path: Path,
    value: Value,
    trace: Option<Trace>,
}

/// Replaces texts of a value.
pub(super) fn put(value: &mut Value, mut trace: Option<&mut Trace>, found: Vec<Replacement>) {
    for replacement in found {
        if let (Some(trace), Some(new)) = (trace.as_deref_mut(), replacement.trace) {
            *trace.down(value, &replacement.path) = new;
        }
        let mut steps = replacement.path.segments().iter();
        let place = steps.try_fold(&mut *value, |value, step| match step {
            Segment::Key(key) => value.get_mut(key),
            Segment::Index(index) => value.get_mut(index),
        });
        if let Some(place) = place {
            *place = replacement.value;
        }
    }
}

/// What a text becomes.
struct Filled {
    value: Value,
    trace: Option<Trace>,
}

/// A part of a text.
enum Piece<'t> {
    Text(&'t str),
    Placeholder {
        name: Path,
        default: Option<&'t str>,
    },
}

/// Looks for placeholders.
pub(super) struct Filler<'a> {
    values: &'a Resolved,
    errors: Vec<Error>,
    warnings: Vec<Error>,
    /// Names that the design doesn't have.
    unknown: HashSet<String>,
    names: Option<Vec<String>>,
    /// What the placeholders of one object have brought.
    nodes: usize,
    bytes: usize,
}

/// Whose texts are looked at.
struct Subject<'a> {
    place: &'a dyn Fn(Box<Error>) -> Box<Error>,
    is_object: bool,
}

impl<'a> Filler<'a> {
    pub(super) fn new(values: &'a Resolved) -> Self {
        Self {
            values,
            errors: Vec::new(),
            warnings: Vec::new(),
            unknown: HashSet::new(),
            names: None,
            nodes: 0,
            bytes: 0,
        }
    }

    /// Returns the errors and the warnings.
    pub(super) fn finish(self) -> (Vec<Error>, Vec<Error>) {
        (self.errors, self.warnings)
    }

    /// Returns what is to be replaced in an object.
    pub(super) fn object(
        &mut self,
        object: &Value,
        origin: &Origin,
        identity: &Identity<'_>,
    ) -> Vec<Replacement> {
        if !self.values.is_declared() {
            return Vec::new();
        }
        let place = |mut error: Box<Error>| {
            error.origin = Some(origin.clone());
            error.target(identity.id().as_str())
        };
        self.start(object, &place, true)
    }

    fn start(
        &mut self,
        value: &Value,
        place: &dyn Fn(Box<Error>) -> Box<Error>,
        is_object: bool,
    ) -> Vec<Replacement> {
        (self.nodes, self.bytes) = (0, 0);
        let mut found = Vec::new();
        let subject = Subject { place, is_object };
        self.scan(value, &Trail::ROOT, 0, &subject, &mut found);
        found
    }

    /// Fills a patch; nothing when it stays as it is.
    ///
    /// # Errors
    /// When a placeholder of it can't be filled; that is reported.
    pub(super) fn patch(&mut self, patch: &Patch) -> Result<Option<Patch>, Unfilled> {
        if !self.values.is_declared() {
            return Ok(None);
        }
        let known_errors = self.errors.len();
        let mut new: Option<Patch> = None;
        let target = patch.target.to_string();
        let place = |marks: &Arc<Marks>, error: Box<Error>| {
            let source = marks.source(&error.path).clone();
            error.from(&source).target(target.as_str())
        };
        match &patch.body {
            Body::Strategic { value, marks } => {
                let place = |error: Box<Error>| place(marks, error);
                let found = self.start(value, &place, false);
                if !found.is_empty()
                    && let Body::Strategic { value, .. } =
                        &mut new.get_or_insert_with(|| patch.clone()).body
                {
                    put(value, None, found);
                }
            }
            Body::Operations(operations) => {
                for (index, operation) in operations.iter().enumerate() {
                    let Some(value) = operation.value() else {
                        continue;
                    };
                    let place = |error: Box<Error>| place(&operation.marks, error);
                    let found = self.start(value, &place, false);
                    if !found.is_empty()
                        && let Body::Operations(operations) =
                            &mut new.get_or_insert_with(|| patch.clone()).body
                        && let Some(operation) = operations.get_mut(index)
                        && let Some(value) = operation.value_mut()
                    {
                        put(value, None, found);
                    }
                }
            }
        }
        let place = |error: Box<Error>| error.from(&patch.source).target(target.as_str());
        for (index, text) in patch.target.texts().into_iter().enumerate() {
            let Some(text) = text else {
                continue;
            };
            let filled = self.start(&Value::String(text.to_owned()), &place, false);
            if let Some(Replacement { value, .. }) = filled.into_iter().next() {
                let text = as_text(&value).unwrap_or_default();
                let new = new.get_or_insert_with(|| patch.clone());
                new.target.set_text(index, text);
            }
        }
        if self.errors.len() > known_errors {
            return Err(Unfilled);
        }
        Ok(new)
    }

    fn scan(
        &mut self,
        value: &Value,
        trail: &Trail<'_>,
        depth: usize,
        subject: &Subject<'_>,
        found: &mut Vec<Replacement>,
    ) {
        match value {
            _ if depth > DEEPEST => {}
            Value::Object(map) => {
                for (key, value) in map {
                    let is_type = matches!(key.as_str(), "apiVersion" | "kind");
                    if !(is_type && depth == 0 && subject.is_object) {
                        self.scan(value, &trail.key(key), depth + 1, subject, found);
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.scan(item, &trail.index(index), depth + 1, subject, found);
                }
            }
            Value::String(text) if text.contains("${") => {
                let known_warnings = self.warnings.len();
                let filled = self.text(text, 0);
                for warning in self.warnings.split_off(known_warnings) {
                    let warning = Box::new(warning).at(trail.path());
                    self.warnings.push(*(subject.place)(warning));
                }
                let filled = filled.and_then(|filled| match filled {
                    Some(filled) => self.count(filled, depth).map(Some),
                    None => Ok(None),
                });
                match filled {
                    Ok(None) => {}
                    Ok(Some(Filled { value, trace })) => found.push(Replacement {
                        path: trail.path(),
                        value,
                        trace,
                    }),
                    Err(problem) => {
                        let hint = self.hint(&problem);
                        let error = Error::new(problem).at(trail.path()).hint(hint);
                        self.errors.push(*(subject.place)(error));
                    }
                }
            }
            _ => {}
        }
    }

    /// Refuses what would make an object too large.
    fn count(&mut self, filled: Filled, depth: usize) -> Result<Filled, Problem> {
        let size = Size::of(&filled.value, MOST_NODES);
        self.nodes = self.nodes.saturating_add(size.nodes);
        self.bytes = self.bytes.saturating_add(size.bytes);
        let over = if depth + size.depth > DEEPEST + 1 {
            Some(("the depth of the object", DEEPEST))
        } else if self.nodes > MOST_NODES {
            Some(("the number of filled-in values", MOST_NODES))
        } else if self.bytes > MOST_BYTES {
            Some(("the length of filled-in text in bytes", MOST_BYTES))
        } else {
            None
        };
        over.map_or(Ok(filled), |(what, limit)| {
            Err(Problem::Limit { what, limit })
        })
    }

    fn hint(&mut self, problem: &Problem) -> Option<String> {
        let Problem::MissingValue { name: missing } = problem else {
            return None;
        };
        let values = self.values;
        let has_value = |known: &&String| name(known).is_some_and(|n| values.get(&n).is_some());
        let known = self.names().iter().filter(has_value).map(String::as_str);
        let near = did_you_mean(missing, known);
        near.or_else(|| Some(format!("give it with --set {missing}=VALUE")))
    }

    fn names(&mut self) -> &[String] {
        let values = self.values;
        self.names.get_or_insert_with(|| values.names())
    }

    /// Returns what a text becomes, if it doesn't stay as it is.
    fn text(&mut self, text: &str, depth: usize) -> Result<Option<Filled>, Problem> {
        let (pieces, has_escape) = self.pieces(text);
        if let [Piece::Placeholder { name, default }] = pieces.as_slice() {
            return self.fill(name, *default, true, depth).map(Some);
        }
        let is_text = |piece: &Piece<'_>| matches!(piece, Piece::Text(_));
        if !has_escape && pieces.iter().all(is_text) {
            return Ok(None);
        }
        let mut done = String::with_capacity(text.len());
        let mut by: Option<Arc<Marks>> = None;
        for piece in pieces {
            match piece {
                Piece::Text(text) => done.push_str(text),
                Piece::Placeholder { name, default } => {
                    let filled = self.fill(&name, default, false, depth)?;
                    let Some(text) = as_text(&filled.value) else {
                        let (name, found) = (name.to_string(), describe(&filled.value));
                        return Err(Problem::NotText { name, found });
                    };
                    if done.len().saturating_add(text.len()) > 2 * MOST_BYTES {
                        let (what, limit) = ("the length of filled-in text in bytes", MOST_BYTES);
                        return Err(Problem::Limit { what, limit });
                    }
                    done.push_str(&text);
                    let marks = filled.trace.as_ref().and_then(Trace::by);
                    by = marks.cloned().or(by);
                }
            }
        }
        let trace = by.map(|marks| {
            let mut trace = Trace::default();
            trace.set(&marks);
            trace
        });
        let value = Value::String(done);
        Ok(Some(Filled { value, trace }))
    }

    /// Returns the value of a placeholder; a default is typed when it stands alone.
    fn fill(
        &mut self,
        name: &Path,
        default: Option<&str>,
        alone: bool,
        depth: usize,
    ) -> Result<Filled, Problem> {
        let value = self.values.get(name);
        match (value.filter(|value| *value != ""), default, value) {
            (None, Some(default), _) => {
                let filled = if depth < DEEPEST_DEFAULT {
                    self.text(default, depth + 1)?
                } else {
                    None
                };
                let (value, trace) = match filled {
                    Some(Filled { value, trace }) => (value, trace),
                    None => (Value::String(default.to_owned()), None),
                };
                let value = match value {
                    Value::String(text) if alone => typed(&text),
                    value => value,
                };
                Ok(Filled { value, trace })
            }
            (Some(value), ..) | (None, None, Some(value)) => {
                let trace = self.values.trace(name);
                let value = value.clone();
                Ok(Filled { value, trace })
            }
            (None, None, None) => Err(Problem::MissingValue {
                name: name.to_string(),
            }),
        }
    }

    /// Takes a text apart; tells too whether it has a placeholder that shall stay.
    fn pieces<'t>(&mut self, text: &'t str) -> (Vec<Piece<'t>>, bool) {
        let mut pieces = Vec::new();
        let mut has_escape = false;
        let mut start = 0;
        let mut from = 0;
        while let Some(at) = text[from..].find("${").map(|at| from + at) {
            let inside = &text[at + 2..];
            from = at + 2;
            let Some((name, default, length)) = placeholder(inside) else {
                continue;
            };
            if !self.values.declares(&name) {
                self.note_unknown(&name);
            } else if text[start..at].ends_with('$') {
                pieces.push(Piece::Text(&text[start..at - 1]));
                has_escape = true;
                start = at;
            } else {
                pieces.push(Piece::Text(&text[start..at]));
                pieces.push(Piece::Placeholder { name, default });
                from = at + 2 + length;
                start = from;
            }
        }
        pieces.push(Piece::Text(&text[start..]));
        pieces.retain(|piece| !matches!(piece, Piece::Text("")));
        (pieces, has_escape)
    }

    /// Warns of a name that was probably meant to be another one. In capitals it is one of a shell.
    fn note_unknown(&mut self, path: &Path) {
        let name = path.to_string();
        let is_shell = !name.contains(|c: char| c.is_lowercase());
        if is_shell || self.unknown.len() >= MOST_UNKNOWN || !self.unknown.insert(name.clone()) {
            return;
        }
        let hint = did_you_mean(&name, self.names().iter().map(String::as_str));
        if hint.is_some() {
            let problem = Problem::UnknownPlaceholder { name };
            self.warnings.push(*Error::new(problem).hint(hint));
        }
    }
}

/// A patch with placeholders that can't be filled.
pub(super) struct Unfilled;

/// Returns the names of all placeholders in a text, those in defaults too.
pub(crate) fn names_in(text: &str) -> impl Iterator<Item = Path> {
    let starts = text.match_indices("${");
    starts.filter_map(|(at, _)| Some(placeholder(&text[at + 2..])?.0))
}

/// Reads what stands behind `${`: the name, the default, and how many bytes both are with the brace.
fn placeholder(text: &str) -> Option<(Path, Option<&str>, usize)> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte);
    let end = text.bytes().position(|byte| !is_part(byte))?;
    let path = name(&text[..end])?;
    let rest = &text[end..];
    if rest.starts_with('}') {
        return Some((path, None, end + 1));
    }
    let default = rest.strip_prefix(":-")?;
    let close = closing(default)?;
    Some((path, Some(&default[..close]), end + 2 + close + 1))
}

/// Returns where the brace that is already open closes.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    let mut previous = b' ';
    for (at, byte) in text.bytes().take(LONGEST_DEFAULT).enumerate() {
        match byte {
            b'{' if previous == b'$' => open += 1,
            b'}' if open == 0 => return Some(at),
            b'}' => open -= 1,
            _ => {}
        }
        previous = byte;
    }
    None
}

/// Returns the text of a scalar.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

impl Target {
    /// Returns the texts that may have placeholders.
    fn texts(&self) -> [Option<&str>; 3] {
        match self {
            Self::Own(own) => [Some(&own.namespace), Some(&own.name), None],
            Self::Selector(selector) => [
                selector.namespace.as_deref(),
                selector.name.as_deref(),
                selector.kind.as_deref(),
            ],
        }
    }

    fn set_text(&mut self, index: usize, text: String) {
        match (self, index) {
            (Self::Own(own), 0) => own.namespace = text.into(),
            (Self::Own(own), _) => own.name = text.into(),
            (Self::Selector(selector), 0) => selector.namespace = Some(text),
            (Self::Selector(selector), 1) => selector.name = Some(text),
            (Self::Selector(selector), _) => selector.kind = Some(text),
        }
    }
}
