//! Rows × forms: which objects there shall be.
//!
//! Every active row is crossed with every form of its hub. A row, or an entry of a form for one row, that
//! can't be used is withheld: what there is of it stays as it is, and everything else goes on. Templates are
//! evaluated once, and what they are given is never evaluated.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Number, Value};

use super::form::{Entry, Form, Node, Text};
use super::is_active;
use super::row::Row;
use crate::path::Path;
use crate::resource::{
    DEPENDS_ON, ENTRY, FORM, Origin, Part, ROW, Scope, Withheld, split_api_version,
};
use crate::template::{Leaf, Problem, RenderError, Source, Variables};

/// Why a row, or an entry of a form for it, can't be used.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct RowProblem {
    /// The uid of the row; empty where it has none.
    pub row: String,
    /// The form; empty where the row as a whole can't be used.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub form: String,
    /// The id of the entry; empty where all of them are meant.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub entry: String,
    /// The field of the form.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// Where the entry is written.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// The field, for looking it up in the text.
    #[serde(skip)]
    pub place: Path,
    /// The variable that is missing, where that is what is wrong.
    #[serde(skip)]
    pub missing: Option<String>,
}

impl fmt::Display for RowProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {:?}", self.row)?;
        for (before, part) in [(", ", &self.form), ("/", &self.entry), (", ", &self.field)] {
            if !part.is_empty() {
                write!(f, "{before}{part}")?;
            }
        }
        write!(f, ": {}", self.message)
    }
}

/// How many rows there are of which sort.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct RowCounts {
    /// Those that were read.
    pub read: usize,
    /// Those that count.
    pub active: usize,
    /// Those that are switched off.
    pub inactive: usize,
    /// Those that can't be used.
    pub invalid: usize,
}

/// What rows and forms make.
#[derive(Debug, Default)]
pub struct Made {
    /// The objects, each with the place of its entry.
    pub objects: Vec<(Value, Origin)>,
    /// What could not be made.
    pub withheld: Withheld,
    /// Why not.
    pub problems: Vec<RowProblem>,
    /// The rows.
    pub rows: RowCounts,
}

/// Where objects go that don't say it.
#[derive(Clone, Copy)]
pub struct Setting<'a> {
    /// The name of the hub.
    pub hub: &'a str,
    /// The namespace for what names none.
    pub namespace: &'a str,
    /// Which kinds have a namespace.
    pub scope: Scope<'a>,
}

/// A row that can be used, or one that can't: its uid, as far as it has one, and why.
pub type Read = Result<Row, (String, String)>;

/// Makes the objects of rows. `source` is for functions that need a clock or randomness.
pub fn made(
    forms: &[Form],
    rows: impl IntoIterator<Item = Read>,
    setting: Setting<'_>,
    source: &mut dyn Source,
) -> Made {
    let mut made = Made::default();
    let active = made.active(rows);
    for row in active.values() {
        for form in forms {
            Making {
                form,
                row,
                setting,
                variables: row.variables(setting.hub, &form.name),
                source,
                made: &mut made,
            }
            .objects();
        }
    }
    made
}

impl Made {
    /// Sorts rows out: those that count, by uid. A uid that several rows have says nothing of any of them.
    fn active(&mut self, rows: impl IntoIterator<Item = Read>) -> BTreeMap<String, Row> {
        let mut found: BTreeMap<String, (usize, Option<Row>)> = BTreeMap::new();
        for row in rows {
            self.rows.read += 1;
            match row {
                Ok(row) if row.uid.is_empty() => {
                    // One that is switched off needs no name.
                    if is_active(&row.activate) {
                        let message = "it has no uid, by which its objects would be known";
                        self.row_fails(String::new(), message.to_owned(), 1);
                    } else {
                        self.rows.inactive += 1;
                    }
                }
                Ok(row) => {
                    let known = found.entry(row.uid.clone()).or_default();
                    known.0 += 1;
                    known.1 = Some(row);
                }
                Err((uid, why)) => {
                    found.entry(uid.clone()).or_default();
                    self.row_fails(uid, why, 1);
                }
            }
        }
        let mut active = BTreeMap::new();
        for (uid, (count, row)) in found {
            match row {
                _ if count > 1 => {
                    let message = format!("{count} rows have this uid");
                    self.row_fails(uid, message, count);
                }
                Some(row) if is_active(&row.activate) => {
                    self.rows.active += 1;
                    active.insert(uid, row);
                }
                Some(_) => self.rows.inactive += 1,
                None => {}
            }
        }
        active
    }

    fn row_fails(&mut self, row: String, message: String, count: usize) {
        self.rows.invalid += count;
        self.withheld.row(row.as_str(), message.as_str());
        self.problems.push(RowProblem {
            row,
            form: String::new(),
            entry: String::new(),
            field: String::new(),
            file: String::new(),
            message,
            place: Path::default(),
            missing: None,
        });
    }

    /// Withholds entries that are found wrong after they were made, and what depends on them.
    pub fn withhold(&mut self, forms: &[Form], part: &Part, message: String) {
        let form = forms.iter().find(|form| form.name == part.form);
        let place = form.and_then(|form| form.entries.iter().position(|e| e.id == part.entry));
        let (Some(form), Some(place)) = (form, place) else {
            return;
        };
        self.fails(form, place, &part.row, Fault::of(None, message));
        for (other, why) in dependents(form, &[place]) {
            let part = part_of(form, &form.entries[other], &part.row);
            self.withheld.part(part, why);
        }
    }

    fn fails(&mut self, form: &Form, place: usize, row: &str, fault: Fault) {
        let Some(entry) = form.entries.get(place) else {
            return;
        };
        let Fault {
            at,
            message,
            missing,
        } = fault;
        let place = at.unwrap_or_else(|| entry.at.clone());
        self.withheld
            .part(part_of(form, entry, row), message.as_str());
        self.problems.push(RowProblem {
            row: row.to_owned(),
            form: form.name.clone(),
            entry: entry.id.clone(),
            field: place.to_string(),
            file: form.origin.to_string(),
            message,
            place,
            missing,
        });
    }
}

fn part_of(form: &Form, entry: &Entry, row: &str) -> Part {
    Part {
        form: form.name.clone(),
        row: row.to_owned(),
        entry: entry.id.clone(),
    }
}

/// Returns the entries that can't be made because others can't, each with the reason.
fn dependents(form: &Form, failed: &[usize]) -> Vec<(usize, String)> {
    let mut out: Vec<usize> = failed.to_vec();
    let mut found = Vec::new();
    loop {
        let next = form.entries.iter().enumerate().find_map(|(place, entry)| {
            let on = entry.depends_on.iter().find(|on| out.contains(on))?;
            let is_new = !entry.proceeds && !out.contains(&place);
            is_new.then(|| (place, form.entries[*on].id.clone()))
        });
        let Some((place, on)) = next else {
            return found;
        };
        out.push(place);
        found.push((place, format!("it depends on {on}, which cannot be made")));
    }
}

/// Makes the objects of one row by one form.
struct Making<'a> {
    form: &'a Form,
    row: &'a Row,
    setting: Setting<'a>,
    variables: Variables,
    source: &'a mut dyn Source,
    made: &'a mut Made,
}

impl Making<'_> {
    fn objects(mut self) {
        let form = self.form;
        let mut objects: HashMap<usize, Value> = HashMap::with_capacity(form.entries.len());
        let mut failed = Vec::new();
        for (place, entry) in form.entries.iter().enumerate() {
            match self.object(entry) {
                Ok(object) => _ = objects.insert(place, object),
                Err(fault) => {
                    failed.push(place);
                    self.made.fails(form, place, &self.row.uid, fault);
                }
            }
        }
        if !failed.is_empty() {
            for (place, why) in dependents(form, &failed) {
                objects.remove(&place);
                let part = part_of(form, &form.entries[place], &self.row.uid);
                self.made.withheld.part(part, why);
            }
        }
        let names: HashMap<usize, String> = objects
            .iter()
            .filter_map(|(place, object)| Some((*place, self.named(object)?)))
            .collect();
        for (place, entry) in form.entries.iter().enumerate() {
            let Some(mut object) = objects.remove(&place) else {
                continue;
            };
            let on = entry.depends_on.iter().filter_map(|on| names.get(on));
            let on: Vec<&str> = on.map(String::as_str).collect();
            if !on.is_empty() {
                set(&mut object, "annotations", DEPENDS_ON, on.join(","));
            }
            let origin = Origin {
                inside: form.origin.inside.under(&entry.at).join("spec"),
                part: Some(Arc::new(part_of(form, entry, &self.row.uid))),
                ..form.origin.clone()
            };
            self.made.objects.push((object, origin));
        }
    }

    /// Returns what others depend on it by; nothing for what has no name, which is found out later.
    fn named(&self, object: &Value) -> Option<String> {
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let (api_version, kind) = (text(object.get("apiVersion"))?, text(object.get("kind"))?);
        let metadata = object.get("metadata")?;
        let name = text(metadata.get("name"))?;
        let (group, _) = split_api_version(&api_version);
        let mut parts = Vec::new();
        if !group.is_empty() {
            parts.push(group.to_owned());
        }
        parts.push(kind.clone());
        if (self.setting.scope)(&api_version, &kind) != Some(false) {
            let namespace = text(metadata.get("namespace"));
            parts.push(namespace.unwrap_or_else(|| self.setting.namespace.to_owned()));
        }
        parts.push(name);
        Some(parts.join("/"))
    }

    /// Makes one object, or says where and why it can't.
    fn object(&mut self, entry: &Entry) -> Result<Value, Fault> {
        let mut object = self.value(&entry.object)?;
        if let Some(name) = &entry.name {
            let name = self.text(name)?;
            if !name.is_empty() {
                set_metadata(&mut object, "name", name);
            }
        }
        if let Some(namespace) = &entry.namespace {
            let namespace = self.text(namespace)?;
            if !namespace.is_empty() {
                set_metadata(&mut object, "namespace", namespace);
            }
        }
        for (field, texts) in [
            ("labels", &entry.labels),
            ("annotations", &entry.annotations),
        ] {
            for (key, text) in texts {
                let text = self.text(text)?;
                set(&mut object, field, key, text);
            }
        }
        for (key, value) in &entry.policies {
            set(&mut object, "annotations", key, value.clone());
        }
        let part = [
            (FORM, &self.form.name),
            (ROW, &self.row.uid),
            (ENTRY, &entry.id),
        ];
        for (key, value) in part {
            set(&mut object, "annotations", key, value.clone());
        }
        Ok(object)
    }

    fn value(&mut self, node: &Node) -> Result<Value, Fault> {
        match node {
            Node::Plain(value) => Ok(value.clone()),
            Node::Text(text) => self.leaf(text),
            Node::List(nodes) => {
                let values = nodes.iter().map(|node| self.value(node));
                values.collect::<Result<Vec<_>, _>>().map(Value::Array)
            }
            Node::Mapping(nodes) => {
                let mut map = Map::with_capacity(nodes.len());
                for (key, node) in nodes {
                    map.insert(key.clone(), self.value(node)?);
                }
                Ok(Value::Object(map))
            }
        }
    }

    fn text(&mut self, text: &Text) -> Result<String, Fault> {
        let rendered = text.template.render_with(&self.variables, self.source);
        rendered
            .map(std::borrow::Cow::into_owned)
            .map_err(|error| Fault::of_template(text, &error))
    }

    fn leaf(&mut self, text: &Text) -> Result<Value, Fault> {
        if text.stays {
            return self.text(text).map(Value::String);
        }
        let leaf = text
            .template
            .render_leaf(&self.variables, Some(&mut *self.source));
        match leaf {
            Ok(Leaf::Text(text)) => Ok(Value::String(text)),
            Ok(Leaf::Integer(number)) => Ok(number.into()),
            Ok(Leaf::Boolean(value)) => Ok(value.into()),
            Ok(Leaf::Float(number)) => {
                let is_none = || {
                    let at = Some(text.at.clone());
                    Fault::of(at, format!("{number} is not a number"))
                };
                let number = Number::from_f64(number).ok_or_else(is_none)?;
                Ok(Value::Number(number))
            }
            Err(error) => Err(Fault::of_template(text, &error)),
        }
    }
}

/// Why an entry can't be made for a row.
struct Fault {
    /// The field; none where the entry as a whole is meant.
    at: Option<Path>,
    message: String,
    /// The variable that is missing, where that is it.
    missing: Option<String>,
}

impl Fault {
    fn of(at: Option<Path>, message: String) -> Self {
        Self {
            at,
            message,
            missing: None,
        }
    }

    fn of_template(text: &Text, error: &RenderError) -> Self {
        let missing = match &error.problem {
            Problem::Missing { key, .. } => Some(key.clone()),
            _ => None,
        };
        Self {
            missing,
            ..Self::of(Some(text.at.clone()), error.to_string())
        }
    }
}

/// Returns a mapping below another, made where there is none; what is no mapping is left for the checks.
fn below<'a>(map: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    let value = map.entry(key).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

fn metadata(object: &mut Value) -> Option<&mut Map<String, Value>> {
    below(object.as_object_mut()?, "metadata")
}

fn set_metadata(object: &mut Value, key: &str, text: String) {
    if let Some(metadata) = metadata(object) {
        metadata.insert(key.to_owned(), Value::String(text));
    }
}

/// Sets a label or an annotation.
fn set(object: &mut Value, field: &str, key: &str, text: String) {
    if let Some(texts) = metadata(object).and_then(|metadata| below(metadata, field)) {
        texts.insert(key.to_owned(), Value::String(text));
    }
}

#[cfg(test)]
mod tests;
