//! What is wrong, or looks wrong, between a hub and its forms, before any row is looked at.
//!
//! Variables are judged by what the hub maps, not by samples: a template may use all that there is, and
//! nothing else. What a table has is held against the hub as well.

use std::collections::{HashMap, HashSet};

use super::fields::Found;
use super::form::{Entry, Form};
use super::hub::{Engine, Hub};
use super::render::RowProblem;
use crate::check::{Finding, Rule, Severity};
use crate::near;
use crate::path::{Path, Segment};
use crate::template::References;

/// Holds forms against the variables of their hub. `is_all` tells that no form was left out: only then a
/// column that none of them uses is useless.
pub fn lint(hub: &Hub, forms: &[Form], is_all: bool) -> Vec<Finding> {
    let known = variables(hub);
    let mut used = Used::default();
    let mut findings = Vec::new();
    for form in forms {
        let mut found = Found::about(form.subject.clone(), &form.origin);
        for entry in &form.entries {
            for text in entry.texts() {
                let references = text.template.references();
                for (name, is_always) in unfilled(&references, &known) {
                    unknown(&mut found, &known, name, &text.at, is_always);
                }
                used.add(references);
            }
        }
        findings.append(&mut found.findings);
    }
    if is_all {
        findings.extend(unused(hub, forms, &used));
    }
    findings
}

/// Lists what templates may refer to.
fn variables(hub: &Hub) -> Vec<&str> {
    let mut known = vec!["uid", "activate", "hubId", "templateRef"];
    if hub.mappings.host_or_url.is_some() {
        known.extend(["hostOrUrl", "host"]);
    }
    known.extend(hub.mappings.extra.keys().map(String::as_str));
    known
}

/// Lists what a template requires and nothing fills, each with whether it is reached in any case.
fn unfilled<'r>(
    references: &'r References,
    known: &[&str],
) -> impl Iterator<Item = (&'r str, bool)> {
    let required = references.required.iter();
    let required = required.map(|(name, always)| (name.as_str(), *always));
    required.filter(|(name, _)| !known.contains(name))
}

fn unknown(found: &mut Found<'_>, known: &[&str], name: &str, at: &Path, is_always: bool) {
    let message = format!("no column fills {name:?}; there are {}", known.join(", "));
    let near = near::nearest(name, known.iter().copied());
    let hint = match near {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("map a column to it: extraValueMappings: {{{name}: COLUMN}}"),
    };
    found.add_with(Rule::UnknownVariable, at.clone(), message, Some(hint));
    // What is never reached does no harm.
    if let Some(finding) = found.findings.last_mut().filter(|_| !is_always) {
        finding.severity = Severity::Warning;
    }
}

/// What all templates together refer to.
#[derive(Default)]
struct Used(Vec<References>);

impl Used {
    fn add(&mut self, references: References) {
        if references != References::default() && !self.0.contains(&references) {
            self.0.push(references);
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|references| references.uses(name))
    }
}

fn unused(hub: &Hub, forms: &[Form], used: &Used) -> Vec<Finding> {
    let mut found = Found::about(hub.subject.clone(), &hub.origin);
    if forms.is_empty() {
        let message = "no form refers to this hub, so that its rows make nothing";
        let at = Path::root().join("metadata").join("name");
        found.add(Rule::UnknownHub, at, message.to_owned());
        found.findings[0].severity = Severity::Warning;
        return found.findings;
    }
    let spec = Path::root().join("spec");
    let extra = spec.join("extraValueMappings");
    for variable in hub.mappings.extra.keys() {
        if !used.has(variable) {
            let message =
                format!("no template uses {variable:?}, and its column is read nevertheless");
            found.add(Rule::UnusedMapping, extra.join(variable.as_str()), message);
        }
    }
    if hub.mappings.host_or_url.is_some() && !used.has("hostOrUrl") && !used.has("host") {
        let message = "no template uses hostOrUrl or host, and the column is read nevertheless";
        let at = spec.join("valueMappings").join("hostOrUrl");
        found.add(Rule::UnusedMapping, at, message.to_owned());
    }
    found.findings
}

/// Says that the table of a hub lacks a column.
pub fn missing_column(hub: &Hub, column: &str, near: Option<&str>) -> Vec<Finding> {
    let mut found = Found::about(hub.subject.clone(), &hub.origin);
    for (_, at) in mapped(hub).iter().filter(|(name, _)| *name == column) {
        let message = format!("the table {} has no column {column:?}", hub.source.table());
        let hint = near.map(|near| format!("did you mean {near:?}?"));
        found.add_with(Rule::MissingColumn, at.clone(), message, hint);
    }
    found.findings
}

/// Holds the type of a column, as the database writes it, against what the column is mapped to.
pub fn column_type(hub: &Hub, column: &str, type_name: &str) -> Vec<Finding> {
    let engine = hub.source.engine();
    let same = |name: &str| {
        name == column || (engine.ignores_case() && name.to_lowercase() == column.to_lowercase())
    };
    let mut found = Found::about(hub.subject.clone(), &hub.origin);
    let sort = Sort::of(engine, type_name);
    for (name, at) in mapped(hub) {
        let field = at.segments().last().and_then(Segment::key);
        let why = match (sort, field) {
            (Sort::Bytes, _) => {
                "whose values are bytes: a row with one that is no UTF-8 can't be used"
            }
            (Sort::Bits, Some("activate")) => "whose text is a byte: no row will ever be active",
            (Sort::Other, Some("activate")) => {
                "whose texts are neither yes nor no: no row will ever be active"
            }
            (Sort::Inexact, Some("uid")) => {
                "whose texts may change while the number stays: objects would be made anew"
            }
            _ => continue,
        };
        if same(name) {
            let message = format!("column {column:?} is of the type {type_name}, {why}");
            found.add(Rule::UnfitColumn, at, message);
        }
    }
    found.findings
}

/// Says that some rows are off whose `activate` says neither yes nor no.
pub fn unclear_activation(hub: &Hub, texts: &[String]) -> Option<Finding> {
    if texts.is_empty() {
        return None;
    }
    let column = &hub.mappings.activate;
    let shown: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
    let message = format!(
        "column {column:?} says {}, which is neither yes nor no: such rows are off",
        shown.join(", ")
    );
    let hint = "let a view decide: CASE WHEN … THEN '1' ELSE '0' END";
    let mut found = Found::about(hub.subject.clone(), &hub.origin);
    let at = Path::root()
        .join("spec")
        .join("valueMappings")
        .join("activate");
    found.add_with(Rule::UnclearActivation, at, message, Some(hint.to_owned()));
    found.findings.pop()
}

/// Turns what was found about rows and the objects that were made of them into findings about the hub and
/// its forms; what is alike for several rows is one finding with the first of them, and of what is wrong
/// at one place in other words each time a few are told. That a variable is missing in any case [`lint`]
/// has said already.
pub fn of_rows(
    hub: &Hub,
    forms: &[Form],
    problems: &[RowProblem],
    objects: &[Finding],
) -> Vec<Finding> {
    let mut rows = OfRows::default();
    let known = always_missing(hub, forms);
    for problem in problems {
        let form = forms.iter().find(|form| form.name == problem.form);
        let (subject, origin, place) = match form {
            Some(form) => (&form.subject, &form.origin, problem.place.clone()),
            None => (
                &hub.subject,
                &hub.origin,
                Path::root().join("spec").join("valueMappings").join("uid"),
            ),
        };
        let is_known = problem.missing.as_deref().is_some_and(|variable| {
            known.contains(&(problem.form.as_str(), &problem.place, variable.to_owned()))
        });
        if !is_known {
            let finding = Finding::new(Rule::InvalidRow, problem.message.clone());
            rows.add(
                &problem.row,
                finding.subject(subject).from(origin).at_path(place),
            );
        }
    }
    for finding in objects {
        let part = finding
            .origin
            .as_ref()
            .and_then(|origin| origin.part.as_deref());
        let form = part.and_then(|part| forms.iter().find(|form| form.name == part.form));
        let (Some(part), Some(form)) = (part, form) else {
            rows.findings.push((String::new(), finding.clone(), 1));
            continue;
        };
        let entry = form.entries.iter().find(|entry| entry.id == part.entry);
        let place = entry
            .map(|entry| entry.place_of(&finding.place))
            .unwrap_or_default();
        let moved = Finding {
            hint: finding.hint.clone(),
            severity: finding.severity,
            ..Finding::new(finding.rule, finding.message.clone())
        };
        rows.add(
            &part.row,
            moved
                .subject(&form.subject)
                .from(&form.origin)
                .at_path(place),
        );
    }
    rows.end()
}

/// What no row can have, by form and field.
fn always_missing<'f>(hub: &Hub, forms: &'f [Form]) -> HashSet<(&'f str, &'f Path, String)> {
    let known = variables(hub);
    let texts = forms.iter().flat_map(|form| {
        let texts = form.entries.iter().flat_map(Entry::texts);
        texts.map(move |text| (form, text))
    });
    let missing = texts.flat_map(|(form, text)| {
        let references = text.template.references();
        let missing = unfilled(&references, &known).filter(|(_, always)| *always);
        missing
            .map(|(name, _)| (form.name.as_str(), &text.at, name.to_owned()))
            .collect::<Vec<_>>()
    });
    missing.collect()
}

/// Findings with the first row, and how many rows there are.
#[derive(Default)]
struct OfRows {
    findings: Vec<(String, Finding, usize)>,
    known: HashMap<(Rule, Option<String>, Path, String), usize>,
    /// How many there are of a rule at a place, and where the last of them that is told is.
    places: HashMap<(Rule, Option<String>, Path), (usize, usize)>,
}

/// How many findings of one rule at one place are told.
const TOLD: usize = 20;

impl OfRows {
    fn add(&mut self, row: &str, finding: Finding) {
        let key = (
            finding.rule,
            finding.resource.clone(),
            finding.place.clone(),
            finding.message.clone(),
        );
        let at = if let Some(at) = self.known.get(&key) {
            *at
        } else {
            let (rule, subject, path, _) = key.clone();
            let next = self.findings.len();
            let place = self.places.entry((rule, subject, path));
            let (count, last) = place.or_insert((0, next));
            *count += 1;
            if *count <= TOLD {
                *last = next;
                self.known.insert(key, next);
            }
            *last
        };
        match self.findings.get_mut(at) {
            Some((_, _, count)) => *count += 1,
            None => self.findings.push((row.to_owned(), finding, 1)),
        }
    }

    fn end(self) -> Vec<Finding> {
        let findings = self.findings.into_iter();
        let findings = findings.map(|(row, mut finding, count)| {
            if !row.is_empty() || finding.rule == Rule::InvalidRow {
                finding.message = format!("row {row:?}: {}", finding.message);
            }
            if count > 1 {
                let more = count - 1;
                let rows = if more == 1 { "row" } else { "rows" };
                finding.message = format!("{}; so it is with {more} more {rows}", finding.message);
            }
            finding
        });
        findings.collect()
    }
}

/// Lists the columns that a hub names, each with the place where it does.
fn mapped(hub: &Hub) -> Vec<(&str, Path)> {
    let spec = Path::root().join("spec");
    let (values, extra) = (spec.join("valueMappings"), spec.join("extraValueMappings"));
    let mappings = &hub.mappings;
    let mut mapped = vec![
        (mappings.uid.as_str(), values.join("uid")),
        (mappings.activate.as_str(), values.join("activate")),
    ];
    if let Some(column) = &mappings.host_or_url {
        mapped.push((column, values.join("hostOrUrl")));
    }
    let more = mappings.extra.iter();
    mapped.extend(more.map(|(variable, column)| (column.as_str(), extra.join(variable.as_str()))));
    if let Some(updated_at) = &hub.updated_at {
        mapped.push((
            &updated_at.column,
            spec.join("source").join("updatedAtColumn"),
        ));
    }
    mapped
}

/// What the texts of a type look like, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    /// Text, whole numbers, booleans: whatever is wanted.
    Fine,
    /// Numbers that are rounded.
    Inexact,
    /// Bytes.
    Bytes,
    /// Bits that arrive as bytes.
    Bits,
    /// Times, documents, lists: never a plain yes.
    Other,
}

impl Sort {
    fn of(engine: Engine, type_name: &str) -> Self {
        let name = type_name.to_lowercase();
        let is_list = name.ends_with("[]");
        let word = name.split(['(', ' ']).next().unwrap_or_default();
        match word {
            _ if is_list => Self::Other,
            "bit" if engine == Engine::MySql => Self::Bits,
            "bytea" | "blob" | "tinyblob" | "mediumblob" | "longblob" | "binary" | "varbinary"
            | "geometry" => Self::Bytes,
            "float" | "double" | "real" | "float4" | "float8" => Self::Inexact,
            "date" | "time" | "timetz" | "datetime" | "timestamp" | "timestamptz" | "interval"
            | "json" | "jsonb" | "uuid" | "year" | "inet" | "cidr" | "macaddr" | "xml"
            | "point" => Self::Other,
            _ => Self::Fine,
        }
    }
}

#[cfg(test)]
mod tests;
