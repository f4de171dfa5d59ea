//! Values: what a design leaves open, and what is given for it.
//!
//! A design names its values, with defaults, in the section `values`; `null` there means that one must be
//! given. Only such names can be given, so that a misspelt one doesn't do nothing in silence. Below a name
//! whose default is `null`, an empty mapping or a list everything can be given.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::assignment::{self, Assignment};
use super::provenance::{Marks, Source, Trace};
use super::read::{Document, marks};
use super::{DEEPEST, Error, Problem, describe, did_you_mean};
use crate::path::{Path, Segment};

/// How many names are compared with one that isn't known.
const MOST_NAMES: usize = 10_000;

/// The values of a design, and what was given for them.
#[derive(Clone, Default)]
pub struct Values {
    declared: Option<Map<String, Value>>,
    layers: Vec<Layer>,
}

/// Without the values, which may be secrets.
impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values")
            .field("names", &self.names())
            .field("layers", &self.layers.len())
            .finish_non_exhaustive()
    }
}

/// Values from one place.
#[derive(Clone)]
pub(super) enum Layer {
    /// A mapping that is merged into the values before.
    Mapping {
        values: Map<String, Value>,
        marks: Arc<Marks>,
    },
    /// Single values.
    Assignments(Vec<Assignment>),
}

impl Layer {
    /// Reads a document or a section of values; nothing in it is nothing given.
    pub(super) fn read(value: &Value, marks: Arc<Marks>) -> Result<Self, Box<Error>> {
        let values = match value {
            Value::Object(values) => values.clone(),
            Value::Null => Map::new(),
            other => {
                let (expected, found) = ("a mapping", describe(other));
                return Err(Error::new(Problem::Type { expected, found }).from(&marks.at));
            }
        };
        Ok(Self::Mapping { values, marks })
    }
}

impl Values {
    /// Reads the section `values` of a design; without one the design takes no values.
    ///
    /// # Errors
    /// When the section is no mapping.
    pub fn read(design: &Document<'_>) -> Result<Self, Vec<Error>> {
        let declared = match design.value.get("values") {
            None => None,
            Some(Value::Object(values)) => Some(values.clone()),
            Some(Value::Null) => Some(Map::new()),
            Some(other) => {
                let path = Path::root().join("values");
                let (expected, found) = ("a mapping", describe(other));
                let error = Error::new(Problem::Type { expected, found });
                return Err(vec![*design.error(error, path)]);
            }
        };
        Ok(Self {
            declared,
            layers: Vec::new(),
        })
    }

    /// Tells whether the design takes values.
    pub fn is_declared(&self) -> bool {
        self.declared.is_some()
    }

    /// Returns the names of the values, with dots between their steps.
    pub fn names(&self) -> Vec<String> {
        self.declared.as_ref().map(names).unwrap_or_default()
    }

    /// Takes the values of a file (`--values`), over everything that was given before.
    ///
    /// # Errors
    /// When the file is no mapping, or has names or shapes that the design doesn't have.
    pub fn give(&mut self, document: &Document<'_>) -> Result<(), Vec<Error>> {
        let source = |path: &Path| Source::Values {
            origin: document.origin(path),
        };
        let marks = marks(document.value, &mut Path::root(), &source);
        let layer = Layer::read(document.value, marks).map_err(|error| vec![*error])?;
        check_layer(self.declared.as_ref(), &layer)?;
        self.layers.push(layer);
        Ok(())
    }

    /// Takes an argument of `--set`, such as `image.tag=1.2,hosts={a,b}`, over everything before.
    ///
    /// # Errors
    /// When the argument has another form, or names or shapes that the design doesn't have.
    pub fn set(&mut self, argument: &str) -> Result<(), Vec<Error>> {
        self.assign(argument, false)
    }

    /// Takes an argument of `--set-string`: as [`set`](Self::set), but every value is a string.
    ///
    /// # Errors
    /// As [`set`](Self::set).
    pub fn set_string(&mut self, argument: &str) -> Result<(), Vec<Error>> {
        self.assign(argument, true)
    }

    fn assign(&mut self, argument: &str, texts: bool) -> Result<(), Vec<Error>> {
        let assignments = assignment::parse(argument, texts).map_err(|error| vec![*error])?;
        let layer = Layer::Assignments(assignments);
        check_layer(self.declared.as_ref(), &layer)?;
        self.layers.push(layer);
        Ok(())
    }

    /// Lays all values over one another: those of the design, of overlays, and then what was given.
    pub(super) fn resolve<'a>(
        &self,
        overlays: impl Iterator<Item = &'a Layer>,
    ) -> Result<Resolved, Vec<Error>> {
        let overlays: Vec<&Layer> = overlays.collect();
        let mut errors = Vec::new();
        for layer in &overlays {
            errors.extend(check_layer(self.declared.as_ref(), layer).err());
        }
        if !errors.is_empty() {
            return Err(errors.concat());
        }
        let mut values = Value::Object(self.declared.clone().unwrap_or_default());
        let mut trace = Trace::default();
        for layer in overlays.into_iter().chain(&self.layers) {
            match layer {
                Layer::Mapping {
                    values: over,
                    marks,
                } => {
                    if let Some(values) = values.as_object_mut() {
                        lay_over(values, &mut trace, over, marks, 0);
                    }
                }
                Layer::Assignments(assignments) => {
                    for assignment in assignments {
                        assign(&mut values, &mut trace, assignment);
                    }
                }
            }
        }
        Ok(Resolved {
            declared: self.declared.clone(),
            values,
            trace,
        })
    }
}

/// What all values are in the end.
pub(super) struct Resolved {
    declared: Option<Map<String, Value>>,
    values: Value,
    trace: Trace,
}

impl Resolved {
    /// Tells whether the design has values.
    pub(super) fn is_declared(&self) -> bool {
        self.declared.is_some()
    }

    /// Tells whether the design has a value of that name.
    pub(super) fn declares(&self, name: &Path) -> bool {
        let Some((Segment::Key(first), rest)) = name.segments().split_first() else {
            return false;
        };
        let mut declared = self.declared.as_ref().and_then(|all| all.get(first));
        for segment in rest {
            declared = match (declared, segment) {
                (Some(Value::Object(map)), Segment::Key(key)) if !map.is_empty() => map.get(key),
                (Some(Value::Object(map)), Segment::Key(_)) if map.is_empty() => return true,
                (Some(Value::Null), _) | (Some(Value::Array(_)), Segment::Index(_)) => return true,
                _ => None,
            };
        }
        declared.is_some()
    }

    /// Returns a value, if it is given or has a default.
    pub(super) fn get(&self, name: &Path) -> Option<&Value> {
        name.find(&self.values).filter(|value| !value.is_null())
    }

    /// Returns who gave a value or parts of it; nothing when it is that of the design.
    pub(super) fn trace(&self, name: &Path) -> Option<Trace> {
        self.trace.at(name)
    }

    /// Returns the names of all values.
    pub(super) fn names(&self) -> Vec<String> {
        self.declared.as_ref().map(names).unwrap_or_default()
    }
}

/// Returns the names of values, those of mappings included.
fn names(declared: &Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(Path::root(), declared)];
    while let Some((path, map)) = open.pop() {
        for (key, value) in map {
            if found.len() == MOST_NAMES {
                return found;
            }
            let path = path.join(key.as_str());
            found.push(path.to_string());
            if let Value::Object(map) = value {
                open.push((path, map));
            }
        }
    }
    found
}

/// Checks that everything given is something that the design has.
fn check_layer(declared: Option<&Map<String, Value>>, layer: &Layer) -> Result<(), Vec<Error>> {
    let mut check = Check {
        declared,
        errors: Vec::new(),
    };
    match layer {
        Layer::Mapping { values, marks } => check.fields(declared, values, Some(marks)),
        Layer::Assignments(assignments) => {
            for assignment in assignments {
                check.assignment(assignment);
            }
        }
    }
    if check.errors.is_empty() {
        Ok(())
    } else {
        Err(check.errors)
    }
}

struct Check<'a> {
    declared: Option<&'a Map<String, Value>>,
    errors: Vec<Error>,
}

impl Check<'_> {
    fn report(&mut self, problem: Problem, hint: Option<String>, marks: Option<&Arc<Marks>>) {
        let error = Error::new(problem).hint(hint);
        self.errors.push(match marks {
            Some(marks) => *error.from(&marks.at),
            None => *error,
        });
    }

    fn fields(
        &mut self,
        declared: Option<&Map<String, Value>>,
        given: &Map<String, Value>,
        marks: Option<&Arc<Marks>>,
    ) {
        let Some(declared) = declared else {
            if !given.is_empty() {
                self.report(Problem::NoValues, None, marks);
            }
            return;
        };
        for (key, value) in given {
            let path = Path::root().join(key.as_str());
            let marks = marks.map(|marks| marks.key(key));
            match declared.get(key) {
                Some(declared) => self.value(declared, value, &path, marks, 0),
                None => self.undeclared(&path, Some(declared), marks),
            }
        }
    }

    fn undeclared(
        &mut self,
        path: &Path,
        siblings: Option<&Map<String, Value>>,
        marks: Option<&Arc<Marks>>,
    ) {
        let name = path.to_string();
        let all = || self.declared.map(names).unwrap_or_default();
        let sibling = match (path.segments().last(), siblings) {
            (Some(Segment::Key(key)), Some(siblings)) => {
                super::nearest(key, siblings.keys().map(String::as_str))
            }
            _ => None,
        };
        let up = path.parent().unwrap_or_default();
        let hint = sibling
            .map(|sibling| format!("did you mean {}?", up.join(sibling)))
            .or_else(|| did_you_mean(&name, all().iter().map(String::as_str)));
        self.report(Problem::UndeclaredValue { name }, hint, marks);
    }

    fn value(
        &mut self,
        declared: &Value,
        given: &Value,
        path: &Path,
        marks: Option<&Arc<Marks>>,
        depth: usize,
    ) {
        let is_scalar = |value: &Value| !value.is_object() && !value.is_array();
        match (declared, given) {
            (Value::Object(declared), Value::Object(given)) => {
                if declared.is_empty() || depth > DEEPEST {
                    return;
                }
                for (key, value) in given {
                    let path = path.join(key.as_str());
                    let marks = marks.map(|marks| marks.key(key));
                    match declared.get(key) {
                        Some(declared) => self.value(declared, value, &path, marks, depth + 1),
                        None => self.undeclared(&path, Some(declared), marks),
                    }
                }
            }
            (Value::Null, _) | (_, Value::Null) | (Value::Array(_), Value::Array(_)) => {}
            (declared, given) if is_scalar(declared) && is_scalar(given) => {}
            (declared, given) => self.shape(path, declared, describe(given), marks),
        }
    }

    fn shape(
        &mut self,
        path: &Path,
        declared: &Value,
        found: &'static str,
        marks: Option<&Arc<Marks>>,
    ) {
        let (name, expected) = (path.to_string(), describe(declared));
        let problem = Problem::ValueShape {
            name,
            expected,
            found,
        };
        self.report(problem, None, marks);
    }

    fn assignment(&mut self, given: &Assignment) {
        let Some((Segment::Key(first), rest)) = given.path.segments().split_first() else {
            return;
        };
        let Some(all) = self.declared else {
            return self.report(Problem::NoValues, None, None);
        };
        let mut path = Path::root().join(first.as_str());
        let Some(mut declared) = all.get(first) else {
            return self.undeclared(&path, Some(all), None);
        };
        for segment in rest {
            match (declared, segment) {
                (Value::Null, _) | (Value::Array(_), Segment::Index(_)) => return,
                (Value::Object(map), Segment::Key(_)) if map.is_empty() => return,
                (Value::Object(map), Segment::Key(key)) => {
                    path.push(key.as_str());
                    match map.get(key) {
                        Some(next) => declared = next,
                        None => return self.undeclared(&path, Some(map), None),
                    }
                }
                (declared, Segment::Key(_)) => {
                    return self.shape(&path, declared, "a mapping", None);
                }
                (declared, Segment::Index(_)) => {
                    return self.shape(&path, declared, "a list", None);
                }
            }
        }
        self.value(declared, &given.value, &path, None, 0);
    }
}

/// Lays values over others: mappings key by key, everything else as a whole; `null` removes.
fn lay_over(
    values: &mut Map<String, Value>,
    trace: &mut Trace,
    over: &Map<String, Value>,
    marks: &Arc<Marks>,
    depth: usize,
) {
    for (key, value) in over {
        let (trace, marks) = (trace.key(key), marks.key(key));
        match (values.get_mut(key), value) {
            (Some(Value::Object(values)), Value::Object(over)) if depth < DEEPEST => {
                lay_over(values, trace, over, marks, depth + 1);
                continue;
            }
            (_, Value::Null) => {
                values.shift_remove(key);
            }
            _ => {
                values.insert(key.clone(), value.clone());
            }
        }
        trace.set(marks);
    }
}

/// Puts a value where its name says; lists are filled up with `null`.
fn assign(values: &mut Value, trace: &mut Trace, assignment: &Assignment) {
    let marks = Marks::flat(Source::Set {
        name: assignment.path.to_string().into(),
    });
    let segments = assignment.path.segments();
    let (mut place, mut trace) = (values, trace);
    for (done, segment) in segments.iter().enumerate() {
        let is_last = done + 1 == segments.len();
        match segment {
            Segment::Key(key) => {
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                    trace.set(&marks);
                }
                let Some(map) = place.as_object_mut() else {
                    return;
                };
                trace = trace.key(key);
                if is_last && assignment.value.is_null() {
                    map.shift_remove(key);
                    return trace.set(&marks);
                }
                place = map.entry(key.as_str()).or_insert(Value::Null);
            }
            Segment::Index(index) => {
                if !place.is_array() {
                    *place = Value::Array(Vec::new());
                    trace.set(&marks);
                }
                let Some(items) = place.as_array_mut() else {
                    return;
                };
                let length = items.len().max(index + 1);
                items.resize(length, Value::Null);
                trace = trace.item(*index, length);
                let Some(item) = items.get_mut(*index) else {
                    return;
                };
                place = item;
            }
        }
    }
    *place = assignment.value.clone();
    trace.set(&marks);
}
