//! JSON patches: operations on places in an object.
//!
//! Source: RFC 6902 (operations) and RFC 6901 (pointers). An object is either changed by all operations of
//! a patch or by none; whoever calls this throws away what a failed patch has done.

use std::fmt;
use std::sync::Arc;

use serde_json::{Number, Value};

use super::provenance::{Marks, Trace};
use super::{DEEPEST, Error, MOST_BYTES, MOST_NODES, Problem, Size, did_you_mean};
use crate::merge_key::item_names;
use crate::path::{Path, Segment, pointer_token};

/// Why an operation of a JSON patch can't be done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperationProblem {
    /// An operation that doesn't exist.
    #[error("op must be add, remove, replace, move, copy or test")]
    Unknown,
    /// A member that the operation needs.
    #[error("{member} is missing or no string")]
    Missing {
        /// The member.
        member: &'static str,
    },
    /// A value that the operation needs.
    #[error("value is missing")]
    NoValue,
    /// A pointer that is none.
    #[error(
        "{pointer:?} is no pointer: it must be empty or start with '/', and '~' be written '~0'"
    )]
    Pointer {
        /// The pointer.
        pointer: String,
    },
    /// A place that doesn't exist.
    #[error("there is nothing at {at:?}")]
    NotFound {
        /// The pointer as far as it leads to nothing.
        at: String,
    },
    /// A place inside of a scalar.
    #[error("{at:?} is {found}, which has nothing inside")]
    NotAContainer {
        /// The pointer as far as it leads to the scalar.
        at: String,
        /// What stands there.
        found: &'static str,
    },
    /// A step into a list that is no number.
    #[error("{step:?} is no place in a list")]
    Index {
        /// The step.
        step: String,
    },
    /// A place behind the end of a list.
    #[error("the list {at:?} has only {length} items")]
    Bounds {
        /// The pointer to the list.
        at: String,
        /// Its length.
        length: usize,
    },
    /// The whole object, where that makes no sense.
    #[error("the whole object cannot be removed or moved so; give a patch with $patch: delete")]
    Root,
    /// Something else than a mapping in place of an object.
    #[error("an object must stay a mapping")]
    NotAnObject,
    /// A move of a value into itself.
    #[error("a value cannot be moved into itself")]
    IntoItself,
    /// A test that failed. The values aren't told, they may be secret.
    #[error("the value there is another one")]
    TestFailed,
    /// Something that would be too large.
    #[error("{what} is over the limit of {limit}")]
    Limit {
        /// What, as a noun phrase.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

/// A place in a document.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Pointer(Vec<String>);

impl Pointer {
    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(Vec::new()));
        }
        let steps = text.strip_prefix('/')?.split('/').map(|step| {
            let mut parts = step.split('~');
            let mut done = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let rest = if let Some(rest) = part.strip_prefix('0') {
                    done.push('~');
                    rest
                } else {
                    done.push('/');
                    part.strip_prefix('1')?
                };
                done.push_str(rest);
            }
            Some(done)
        });
        steps.collect::<Option<_>>().map(Self)
    }

    /// Returns the text of the first steps.
    fn text(&self, steps: usize) -> String {
        let steps = self.0.iter().take(steps);
        let steps = steps.map(|step| format!("/{}", pointer_token(step)));
        steps.collect()
    }

    /// Tells whether another place is inside of this one.
    fn contains(&self, other: &Self) -> bool {
        other.0.len() > self.0.len() && other.0.starts_with(&self.0)
    }
}

/// One operation of a patch.
#[derive(Clone)]
pub(super) struct Operation {
    path: Pointer,
    action: Action,
    pub(super) marks: Arc<Marks>,
}

#[derive(Clone)]
enum Action {
    Add(Value),
    Remove,
    Replace(Value),
    Move(Pointer),
    Copy(Pointer),
    Test(Value),
}

impl Operation {
    /// Reads an operation; members that it doesn't need are ignored, as RFC 6902 §4 wants it. The marks
    /// are those of the operation.
    pub(super) fn read(value: &Value, marks: &Arc<Marks>) -> Result<Self, OperationProblem> {
        let text = |member: &'static str| {
            let text = value.get(member).and_then(Value::as_str);
            text.ok_or(OperationProblem::Missing { member })
        };
        let pointer = |member: &'static str| {
            let text = text(member)?;
            let pointer = Pointer::parse(text);
            pointer.ok_or_else(|| OperationProblem::Pointer {
                pointer: text.to_owned(),
            })
        };
        let given = || value.get("value").cloned().ok_or(OperationProblem::NoValue);
        let op = text("op")?;
        let path = pointer("path")?;
        let (action, mark) = match op {
            "add" => (Action::Add(given()?), marks.key("value")),
            "replace" => (Action::Replace(given()?), marks.key("value")),
            "test" => (Action::Test(given()?), marks),
            "remove" => (Action::Remove, marks),
            "move" => (Action::Move(pointer("from")?), marks),
            "copy" => (Action::Copy(pointer("from")?), marks),
            _ => return Err(OperationProblem::Unknown),
        };
        let marks = match action {
            Action::Add(_) | Action::Replace(_) => Arc::clone(mark),
            // What they put somewhere has no lines of its own.
            _ => Marks::flat(marks.at.clone()),
        };
        Ok(Self {
            path,
            action,
            marks,
        })
    }

    /// Returns the value that it brings, if it does.
    pub(super) fn value(&self) -> Option<&Value> {
        match &self.action {
            Action::Add(value) | Action::Replace(value) | Action::Test(value) => Some(value),
            Action::Remove | Action::Move(_) | Action::Copy(_) => None,
        }
    }

    /// Returns the value that it brings for changes, if it does.
    pub(super) fn value_mut(&mut self) -> Option<&mut Value> {
        match &mut self.action {
            Action::Add(value) | Action::Replace(value) | Action::Test(value) => Some(value),
            Action::Remove | Action::Move(_) | Action::Copy(_) => None,
        }
    }
}

/// `replace /spec/replicas`
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.action {
            Action::Add(_) => "add",
            Action::Remove => "remove",
            Action::Replace(_) => "replace",
            Action::Move(_) => "move",
            Action::Copy(_) => "copy",
            Action::Test(_) => "test",
        };
        write!(f, "{name} {}", self.path.text(usize::MAX))
    }
}

/// Does the operations of a patch.
pub(super) fn apply(
    object: &mut Value,
    trace: &mut Trace,
    operations: &[Operation],
) -> Result<(), Box<Error>> {
    let mut work = Work {
        object,
        trace,
        copied: Size::default(),
    };
    for (index, operation) in operations.iter().enumerate() {
        if let Err(Failure { problem, hint }) = work.operate(operation) {
            let operation_name = operation.to_string();
            let problem = Problem::Operation {
                index,
                operation: operation_name,
                problem,
            };
            return Err(Error::new(problem).from(&operation.marks.at).hint(hint));
        }
    }
    Ok(())
}

struct Failure {
    problem: OperationProblem,
    hint: Option<String>,
}

impl From<OperationProblem> for Failure {
    fn from(problem: OperationProblem) -> Self {
        Self {
            problem,
            hint: None,
        }
    }
}

/// Where a value is put or taken from.
enum Place<'a> {
    Root(&'a mut Value),
    Field(&'a mut serde_json::Map<String, Value>, &'a str),
    /// An item, which for `add` may be the one behind the last.
    Item(&'a mut Vec<Value>, usize),
}

struct Work<'a> {
    object: &'a mut Value,
    trace: &'a mut Trace,
    /// What was copied, all together.
    copied: Size,
}

impl Work<'_> {
    fn operate(&mut self, operation: &Operation) -> Result<(), Failure> {
        let (path, marks) = (&operation.path, &operation.marks);
        match &operation.action {
            Action::Add(value) => self.add(path, value.clone(), marks),
            Action::Replace(value) => {
                self.get(path)?;
                check_size(path, value)?;
                self.put(path, value.clone(), marks)
            }
            Action::Remove => self.remove(path, marks).map(drop),
            Action::Move(from) if from == path => self.get(path).map(drop),
            Action::Move(from) => {
                if from.contains(path) {
                    return Err(OperationProblem::IntoItself.into());
                }
                let value = self.remove(from, marks)?;
                self.add(path, value, marks)
            }
            Action::Copy(from) => {
                let value = self.get(from)?;
                // A copy of the whole into itself doubles it every time.
                let size = Size::of(value, MOST_NODES);
                let nodes = self.copied.nodes.saturating_add(size.nodes);
                let bytes = self.copied.bytes.saturating_add(size.bytes);
                let (what, limit) = if nodes > MOST_NODES {
                    ("the number of copied values", MOST_NODES)
                } else {
                    ("the length of copied text in bytes", MOST_BYTES)
                };
                if nodes > MOST_NODES || bytes > MOST_BYTES {
                    return Err(OperationProblem::Limit { what, limit }.into());
                }
                let value = value.clone();
                (self.copied.nodes, self.copied.bytes) = (nodes, bytes);
                self.add(path, value, marks)
            }
            Action::Test(value) => {
                if is_equal(self.get(path)?, value, 0) {
                    Ok(())
                } else {
                    Err(OperationProblem::TestFailed.into())
                }
            }
        }
    }

    fn get(&self, path: &Pointer) -> Result<&Value, Failure> {
        let mut value = &*self.object;
        for (done, step) in path.0.iter().enumerate() {
            let place = || path.text(done);
            value = match value {
                Value::Object(map) => map.get(step).ok_or_else(|| Failure {
                    problem: OperationProblem::NotFound {
                        at: path.text(done + 1),
                    },
                    hint: did_you_mean(step, map.keys().map(String::as_str)),
                })?,
                Value::Array(items) => {
                    let index = index(step, items.len())?;
                    let (at, length) = (place(), items.len());
                    let item = items.get(index);
                    item.ok_or(OperationProblem::Bounds { at, length })?
                }
                scalar => {
                    let (at, found) = (place(), super::describe(scalar));
                    return Err(OperationProblem::NotAContainer { at, found }.into());
                }
            };
        }
        Ok(value)
    }

    /// Finds the place that a pointer names; what holds it must exist.
    fn place<'a>(&'a mut self, path: &'a Pointer) -> Result<Place<'a>, Failure> {
        let Some((last, up)) = path.0.split_last() else {
            return Ok(Place::Root(self.object));
        };
        let up = Pointer(up.to_vec());
        self.get(&up)?;
        let mut value = &mut *self.object;
        for step in &up.0 {
            let next = match value {
                Value::Array(items) => items.get_mut(index(step, usize::MAX)?),
                value => value.get_mut(step),
            };
            let at = || up.text(usize::MAX);
            value = next.ok_or_else(|| OperationProblem::NotFound { at: at() })?;
        }
        match value {
            Value::Object(map) => Ok(Place::Field(map, last)),
            Value::Array(items) => {
                let length = items.len();
                let index = index(last, length)?;
                if index > length {
                    let at = up.text(usize::MAX);
                    return Err(OperationProblem::Bounds { at, length }.into());
                }
                Ok(Place::Item(items, index))
            }
            scalar => {
                let (at, found) = (up.text(usize::MAX), super::describe(scalar));
                Err(OperationProblem::NotAContainer { at, found }.into())
            }
        }
    }

    /// Returns the path of a place in the object as it is.
    fn path(&self, pointer: &Pointer) -> Path {
        let mut value = Some(&*self.object);
        let mut path = Path::root();
        for step in &pointer.0 {
            match value {
                Some(Value::Array(items)) => {
                    let index = index(step, items.len()).unwrap_or_default();
                    value = items.get(index);
                    path.push(index);
                }
                other => {
                    value = other.and_then(|value| value.get(step));
                    path.push(step.as_str());
                }
            }
        }
        path
    }

    /// Puts a value at a place that exists, or at a new key.
    fn put(&mut self, at: &Pointer, value: Value, marks: &Arc<Marks>) -> Result<(), Failure> {
        let path = self.path(at);
        self.trace.down(self.object, &path).set(marks);
        match self.place(at)? {
            Place::Root(object) => *object = value,
            Place::Field(map, key) => {
                map.insert(key.to_owned(), value);
            }
            Place::Item(items, index) => {
                if let Some(item) = items.get_mut(index) {
                    *item = value;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, at: &Pointer, value: Value, marks: &Arc<Marks>) -> Result<(), Failure> {
        check_size(at, &value)?;
        if let Place::Item(items, index) = self.place(at)? {
            let length = items.len();
            items.insert(index, value);
            let mut path = self.path(at);
            path.pop();
            let trace = self.trace.down(self.object, &path);
            trace.insert_item(index, length, marks);
            return Ok(());
        }
        self.put(at, value, marks)
    }

    fn remove(&mut self, at: &Pointer, marks: &Arc<Marks>) -> Result<Value, Failure> {
        self.get(at)?;
        let mut path = self.path(at);
        let (value, index) = match self.place(at)? {
            Place::Root(_) => return Err(OperationProblem::Root.into()),
            Place::Field(map, key) => (map.shift_remove(key), None),
            Place::Item(items, index) => (Some(items.remove(index)), Some(items.len())),
        };
        let value = value.unwrap_or_default();
        if let (Some(left), Some(Segment::Index(index))) = (index, path.segments().last()) {
            let index = *index;
            path.pop();
            let list = match path.segments().last() {
                Some(Segment::Key(list)) => list.as_str(),
                _ => "",
            };
            let names = item_names(list, &value);
            let trace = self.trace.down(self.object, &path);
            trace.remove_item(index, left + 1, names, marks);
        } else {
            self.trace.down(self.object, &path).set(marks);
        }
        Ok(value)
    }
}

/// Refuses a value that would be too deep at a place.
fn check_size(path: &Pointer, value: &Value) -> Result<(), Failure> {
    let Size { depth, nodes, .. } = Size::of(value, MOST_NODES);
    let (what, limit) = if nodes > MOST_NODES {
        ("the number of values", MOST_NODES)
    } else if path.0.len().saturating_add(depth) > DEEPEST + 1 {
        ("the depth of the object", DEEPEST)
    } else if path.0.is_empty() && !value.is_object() {
        return Err(OperationProblem::NotAnObject.into());
    } else {
        return Ok(());
    };
    Err(OperationProblem::Limit { what, limit }.into())
}

/// Returns the place that a step means in a list of that length: `-` is the one behind the last.
fn index(step: &str, length: usize) -> Result<usize, OperationProblem> {
    if step == "-" {
        return Ok(length);
    }
    let is_number = !step.is_empty()
        && step.bytes().all(|byte| byte.is_ascii_digit())
        && (step == "0" || !step.starts_with('0'));
    if !is_number {
        let step = step.to_owned();
        return Err(OperationProblem::Index { step });
    }
    // What has no number is behind every end.
    Ok(step.parse().unwrap_or(usize::MAX))
}

/// Tells whether two values are equal as RFC 6902 §4.6 has it: numbers by what they are worth.
fn is_equal(a: &Value, b: &Value, depth: usize) -> bool {
    match (a, b) {
        _ if depth > 2 * DEEPEST => false,
        (Value::Number(a), Value::Number(b)) => a == b || is_equal_number(a, b),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_equal(a, b, depth + 1))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same = |(key, value): (&String, &Value)| {
                b.get(key)
                    .is_some_and(|other| is_equal(value, other, depth + 1))
            };
            a.len() == b.len() && a.iter().all(same)
        }
        (a, b) => a == b,
    }
}

/// Integers have one form each, so that only a decimal may equal another number.
fn is_equal_number(a: &Number, b: &Number) -> bool {
    (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64()
}
