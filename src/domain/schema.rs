//! Checks Kubernetes objects against their schemas, the way an API server with strict field validation does.
//!
//! Schemas are `OpenAPI` v3 or the structural schemas of custom resources. This is our own code rather than a JSON
//! Schema library because we need what those don't have: unknown fields, the list types and nullability of
//! Kubernetes, references resolved only when a document reaches them, "did you mean", and the speed to check
//! thousands of manifests. Nothing is allocated for an object without violations. Expressions in CEL
//! (`x-kubernetes-validations`) are the API server's business and not looked at.

mod check;
mod format;
mod node;
mod problem;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::Value;

pub use self::problem::{Found, Limit, Problem, Violation};

pub(crate) use self::node::definition_name;
use self::node::{Compiler, Node};

/// Notes beyond this many are dropped.
const NOTES: usize = 100;

/// The schema of one kind of object, or of any other value.
///
/// Cheap to clone; what has been compiled is shared, also between threads.
#[derive(Clone)]
pub struct Schema {
    library: Arc<Library>,
    /// Absent: anything is right.
    root: Option<u32>,
}

/// How an object is to be checked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Never repeat a value in a problem. A Secret is always treated so.
    pub conceal: bool,
    /// Check a bare value rather than a Kubernetes object: apiVersion, kind and metadata mean nothing.
    pub bare: bool,
}

impl Schema {
    /// Takes a schema that stands alone; its own `definitions`, `$defs` or `components.schemas` may be referred to.
    pub fn from_json(schema: &Value) -> Self {
        let library = Library::build(standalone("", schema, false));
        let root = library.position("");
        Self {
            library: Arc::new(library),
            root,
        }
    }

    /// Takes one definition of a library; without a name everything is right.
    pub(crate) fn of(library: &Arc<Library>, definition: Option<&str>) -> Self {
        Self {
            library: Arc::clone(library),
            root: definition.and_then(|name| library.position(name)),
        }
    }

    /// Tells whether there is anything to check against.
    pub fn is_known(&self) -> bool {
        self.root.is_some()
    }

    /// Checks a Kubernetes object and reports each violation, in the order of the document.
    pub fn check(&self, object: &Value, report: &mut impl FnMut(Violation)) {
        self.check_with(object, Options::default(), report);
    }

    /// Checks an object or value in a given way.
    pub fn check_with(&self, value: &Value, options: Options, report: &mut impl FnMut(Violation)) {
        if let Some(root) = self.root {
            check::run(&self.library, root, value, options, report);
        }
    }

    /// Checks a Kubernetes object and collects the violations.
    pub fn violations(&self, object: &Value) -> Vec<Violation> {
        let mut found = Vec::new();
        self.check(object, &mut |violation| found.push(violation));
        found
    }

    /// Returns what could not be checked, such as patterns in a foreign syntax, as far as it was met until now.
    pub fn notes(&self) -> Vec<String> {
        self.library.notes()
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.root.and_then(|root| self.library.name(root));
        out.debug_tuple("Schema").field(&name).finish()
    }
}

/// A definition on its way into a library: name, JSON text, and whether the rules of custom resources apply.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) custom: bool,
}

/// Returns a schema that stands alone as the entries of a library, itself under the given name.
pub(crate) fn standalone(name: &str, schema: &Value, custom: bool) -> Vec<Entry> {
    let entry = |name: &str, schema: &Value| Entry {
        name: name.to_owned(),
        text: schema.to_string(),
        custom,
    };
    let mut entries = vec![entry(name, schema)];
    for pointer in ["/definitions", "/$defs", "/components/schemas"] {
        let definitions = schema.pointer(pointer).and_then(Value::as_object);
        for (inner, definition) in definitions.into_iter().flatten() {
            if inner != name {
                entries.push(entry(inner, definition));
            }
        }
    }
    entries
}

/// Definitions that may refer to one another, each compiled when it is first reached.
pub(crate) struct Library {
    text: String,
    /// Sorted by name.
    definitions: Vec<Definition>,
    notes: Mutex<Vec<String>>,
}

struct Definition {
    name: Box<str>,
    text: Range<usize>,
    custom: bool,
    node: OnceLock<Node>,
}

impl Library {
    /// Makes a library of definitions; of two with the same name the first stays.
    pub(crate) fn build(mut entries: Vec<Entry>) -> Self {
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        entries.dedup_by(|later, earlier| later.name == earlier.name);
        let mut text = String::with_capacity(entries.iter().map(|entry| entry.text.len()).sum());
        let definitions = entries
            .into_iter()
            .map(|entry| {
                let start = text.len();
                text.push_str(&entry.text);
                (entry.name, start..text.len(), entry.custom)
            })
            .collect();
        Self::new(text, definitions)
    }

    /// Makes a library of definitions that lie in one text. The caller has checked that the ranges do, and that
    /// the names ascend.
    pub(crate) fn new(text: String, definitions: Vec<(String, Range<usize>, bool)>) -> Self {
        let definitions = definitions
            .into_iter()
            .map(|(name, text, custom)| Definition {
                name: name.into(),
                text,
                custom,
                node: OnceLock::new(),
            })
            .collect();
        Self {
            text,
            definitions,
            notes: Mutex::default(),
        }
    }

    /// Returns name, JSON text and dialect of each definition, in the order of their names.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        self.definitions.iter().map(|definition| {
            let text = self.text.get(definition.text.clone()).unwrap_or("{}");
            (&*definition.name, text, definition.custom)
        })
    }

    /// Returns the JSON text of a definition.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let definition = self.definitions.get(self.position(name)? as usize)?;
        self.text.get(definition.text.clone())
    }

    /// Returns the number of a definition.
    fn position(&self, name: &str) -> Option<u32> {
        let at = self
            .definitions
            .binary_search_by(|definition| (*definition.name).cmp(name))
            .ok()?;
        u32::try_from(at).ok()
    }

    fn name(&self, position: u32) -> Option<&str> {
        Some(&self.definitions.get(position as usize)?.name)
    }

    /// Tells whether the rules of custom resources apply to a definition.
    fn is_custom(&self, position: u32) -> bool {
        self.definitions
            .get(position as usize)
            .is_some_and(|definition| definition.custom)
    }

    /// Returns a compiled definition.
    fn node(&self, position: u32) -> Option<&Node> {
        let definition = self.definitions.get(position as usize)?;
        Some(definition.node.get_or_init(|| {
            let text = self.text.get(definition.text.clone()).unwrap_or_default();
            match serde_json::from_str(text) {
                Ok(schema) => Compiler {
                    library: self,
                    custom: definition.custom,
                }
                .definition(&definition.name, &schema),
                Err(error) => {
                    self.note(format!(
                        "the definition {:?} cannot be read and is not checked: {error}",
                        definition.name
                    ));
                    Node::default()
                }
            }
        }))
    }

    /// Remembers something that cannot be checked.
    fn note(&self, note: String) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < NOTES && !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// Returns what could not be checked so far.
    pub(crate) fn notes(&self) -> Vec<String> {
        self.notes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl fmt::Debug for Library {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Library")
            .field("definitions", &self.definitions.len())
            .finish_non_exhaustive()
    }
}
