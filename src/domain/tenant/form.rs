//! A form: which objects one row yields.
//!
//! It is read from one manifest, a `LynqForm` or, under its old name, a `TenantTemplate`, or with others from
//! a `TenantSet`, where it has one list. The sixteen lists of the others are for the eye only: what an entry
//! makes, its `apiVersion` and `kind` say. Every text of an entry may be
//! a template; all of them are parsed here, once for all rows. The policies of an entry become the
//! annotations that steer our own objects (`weftctl help annotations`), with two differences from the
//! operator: `conflictPolicy: Force` also takes over an object that exists without us, which would be taken
//! silently there, and a claim whose entry gives no `deletionPolicy` is retained as all claims are.

use std::collections::{HashMap, HashSet, hash_map};
use std::time::Duration;

use serde_json::{Map, Value};

use super::fields::{self, Fields, Found, Head};
use super::hub::{FORMS, TENANT_SET};
use super::operator::OPERATORS;
use crate::check::{Finding, Rule};
use crate::ownership::IgnorePath;
use crate::path::{Path, Segment};
use crate::resource::{
    ADOPT, CONFLICT_POLICY, CREATION_POLICY, DEADLINE, DELETION_POLICY, IGNORE_FIELDS,
    ON_DEPENDENCY_FAILURE, Origin, PATCH_STRATEGY, WAIT,
};
use crate::template::Template;

/// Group and version, kind, and the field that names the hub.
const KINDS: [(&str, &str, &str); 2] = [
    (
        OPERATORS[0].api_version,
        OPERATORS[0].form,
        OPERATORS[0].hub_field,
    ),
    (
        OPERATORS[1].api_version,
        OPERATORS[1].form,
        OPERATORS[1].hub_field,
    ),
];

/// The lists of a form, in the order in which their entries are taken.
pub const LISTS: [&str; 16] = [
    "serviceAccounts",
    "deployments",
    "statefulSets",
    "daemonSets",
    "services",
    "ingresses",
    "configMaps",
    "secrets",
    "persistentVolumeClaims",
    "jobs",
    "cronJobs",
    "podDisruptionBudgets",
    "networkPolicies",
    "horizontalPodAutoscalers",
    "namespaces",
    "manifests",
];

/// The list of a form that is in a `TenantSet`.
const RESOURCES: &str = "resources";

/// How long an object may take to become ready where its entry does not say it: `timeoutSeconds` of the operator.
pub const READY_WITHIN: Duration = Duration::from_mins(5);

/// How long a rollout may stand still, unless its form says otherwise.
const PROGRESS_DEADLINE: u64 = 600;

/// Which objects one row yields.
#[derive(Debug)]
pub struct Form {
    /// Its name.
    pub name: String,
    /// Its namespace; none where the manifest names none.
    pub namespace: Option<String>,
    /// The name of its hub.
    pub hub: String,
    /// How many rows change at a time.
    pub rollout: Rollout,
    /// What is made of a row, in the order in which it was read.
    pub entries: Vec<Entry>,
    /// What findings call it, such as `LynqForm/web`.
    pub subject: String,
    /// Where its hub is named.
    pub hub_at: Path,
    /// Where it was read.
    pub origin: Origin,
}

/// What was read of a form.
#[derive(Debug)]
pub struct ReadForm {
    /// The name that its manifest gives it; empty where there is none.
    pub name: String,
    /// The hub that its manifest names, as far as it does.
    pub hub: Option<String>,
    /// What findings call it.
    pub subject: String,
    /// The form; none where a finding is an error.
    pub form: Option<Form>,
    /// What is wrong with it, or looks wrong.
    pub findings: Vec<Finding>,
}

/// How many rows change at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollout {
    /// So many; none means all.
    pub max_skew: Option<usize>,
    /// How long one may take to become ready before no further one begins.
    pub progress_deadline: Duration,
}

/// One object of a form.
#[derive(Debug)]
pub struct Entry {
    /// Its id, which no other entry of the form has.
    pub id: String,
    /// Where it is in the form: `spec.deployments[0]`.
    pub at: Path,
    /// The object.
    pub(super) object: Node,
    /// Its name, where that isn't in the object.
    pub(super) name: Option<Text>,
    /// Its namespace, likewise.
    pub(super) namespace: Option<Text>,
    /// Labels that are added to those of the object.
    pub(super) labels: Vec<(String, Text)>,
    /// Annotations, likewise.
    pub(super) annotations: Vec<(String, Text)>,
    /// The policies, as annotations.
    pub(super) policies: Vec<(&'static str, String)>,
    /// The places of the entries that it depends on.
    pub depends_on: Vec<usize>,
    /// Whether it is made although one of those has failed.
    pub proceeds: bool,
}

impl Entry {
    /// Returns where it says what is at a place of its object.
    pub fn place_of(&self, path: &Path) -> Path {
        let keys: Option<Vec<&str>> = path.segments().iter().map(Segment::key).collect();
        let given = |texts: &[(String, Text)], key: &str| {
            let text = texts.iter().find(|(known, _)| known == key);
            text.map(|(_, text)| text.at.clone())
        };
        let beside = match keys.as_deref() {
            Some(["metadata", "name"]) => self.name.as_ref().map(|text| text.at.clone()),
            Some(["metadata", "namespace"]) => self.namespace.as_ref().map(|text| text.at.clone()),
            Some(["metadata", "labels", key]) => given(&self.labels, key),
            Some(["metadata", "annotations", key]) => given(&self.annotations, key),
            _ => None,
        };
        beside.unwrap_or_else(|| self.at.join("spec").under(path))
    }

    /// Lists its texts that may have actions.
    pub(super) fn texts(&self) -> Vec<&Text> {
        let mut texts: Vec<&Text> = self.name.iter().chain(&self.namespace).collect();
        let more = self.labels.iter().chain(&self.annotations);
        texts.extend(more.map(|(_, text)| text));
        let mut nodes = vec![&self.object];
        while let Some(node) = nodes.pop() {
            match node {
                Node::Plain(_) => {}
                Node::Text(text) => texts.push(text),
                Node::List(list) => nodes.extend(list.iter().rev()),
                Node::Mapping(map) => nodes.extend(map.iter().rev().map(|(_, node)| node)),
            }
        }
        texts
    }
}

/// A value of an object whose texts are templates.
#[derive(Debug)]
pub(super) enum Node {
    /// A value without actions.
    Plain(Value),
    /// A text with actions.
    Text(Text),
    /// A list.
    List(Vec<Node>),
    /// A mapping; its keys are no templates.
    Mapping(Vec<(String, Node)>),
}

/// A text that may contain actions, and where it is in the form.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) template: Template,
    pub(super) at: Path,
    /// Whether it stays a text, whatever its actions yield.
    pub(super) stays: bool,
}

impl Form {
    /// Whether a manifest has forms, or means to have some.
    pub fn is_form(object: &Value) -> bool {
        let kind = object.get("kind").and_then(Value::as_str);
        kind == Some(TENANT_SET.1) || KINDS.iter().any(|(_, known, _)| kind == Some(known))
    }

    /// Reads the forms of a manifest.
    pub fn read(object: &Value, origin: &Origin) -> Vec<ReadForm> {
        if object.get("kind").and_then(Value::as_str) == Some(TENANT_SET.1) {
            return forms_of_set(object, origin);
        }
        let mut found = Found::new(object, origin);
        let form = read(object, origin, &mut found);
        let subject = found.subject.clone();
        let (form, findings) = found.sound(form);
        let text = |place: &Value, key: &str| place.get(key)?.as_str().map(str::to_owned);
        let name = object
            .get("metadata")
            .and_then(|metadata| text(metadata, "name"));
        let spec = object.get("spec");
        let hub = spec.and_then(|spec| KINDS.iter().find_map(|(.., key)| text(spec, key)));
        vec![ReadForm {
            name: name.unwrap_or_default(),
            hub,
            subject,
            form,
            findings,
        }]
    }

    /// Says that the form names a hub that isn't one of some.
    pub fn without_hub<'a>(&self, hubs: impl Iterator<Item = &'a str> + Clone) -> Finding {
        let known: Vec<&str> = hubs.clone().collect();
        let message = format!("there is no hub {:?}, only {}", self.hub, known.join(", "));
        let mut found = Found::about(self.subject.clone(), &self.origin);
        let near = crate::near::nearest(&self.hub, hubs);
        let hint = near.map(|near| format!("did you mean {near:?}?"));
        found.add_with(Rule::UnknownHub, self.hub_at.clone(), message, hint);
        found.findings.remove(0)
    }
}

fn read(object: &Value, origin: &Origin, found: &mut Found<'_>) -> Option<Form> {
    let kind = object.get("kind").and_then(Value::as_str);
    let (expected, _, hub) = KINDS.iter().find(|(_, known, _)| kind == Some(known))?;
    let Head {
        name,
        namespace,
        mut spec,
    } = fields::head(object, expected, found)?;
    let hub_at = spec.path.join(*hub);
    let hub = spec.required(hub, found);
    let (rollout, entries) = body(spec, &LISTS, found);
    Some(Form {
        name: name?,
        namespace,
        hub: hub?,
        rollout,
        entries,
        subject: found.subject.clone(),
        hub_at,
        origin: origin.clone(),
    })
}

/// Reads the forms of a `TenantSet`. What is wrong with the set itself is found with its hub.
fn forms_of_set(object: &Value, origin: &Origin) -> Vec<ReadForm> {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
    let (name, namespace) = (text("/metadata/name"), text("/metadata/namespace"));
    let mut of_set = Found::new(object, origin);
    let spec = object.get("spec").and_then(Value::as_object);
    let spec = spec.map(|spec| Fields::new(spec, Path::root().join("spec")));
    let forms = spec.and_then(|mut spec| spec.object(FORMS, &mut of_set, true));
    let hub = name.map(str::to_owned);
    let Some(mut forms) = forms else {
        return vec![ReadForm {
            name: String::new(),
            hub,
            subject: of_set.subject,
            form: None,
            findings: of_set.findings,
        }];
    };
    let names: Vec<&String> = forms.map.keys().collect();
    let forms = names.into_iter().map(|form| {
        let mut found = Found::new(object, origin);
        let is_inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        if form.is_empty() || !form.chars().all(is_inside) {
            let message =
                format!("{form:?} is no name of a form, which has only a-z, 0-9, - and .");
            found.add(Rule::InvalidName, forms.path.join(form.as_str()), message);
        }
        let read = forms.object(form, &mut found, true).map(|fields| {
            let (rollout, entries) = body(fields, &[RESOURCES], &mut found);
            Form {
                name: form.clone(),
                namespace: namespace.map(str::to_owned),
                hub: name.unwrap_or_default().to_owned(),
                rollout,
                entries,
                subject: found.subject.clone(),
                hub_at: Path::root().join("metadata").join("name"),
                origin: origin.clone(),
            }
        });
        let subject = found.subject.clone();
        let (read, findings) = found.sound(read);
        ReadForm {
            name: form.clone(),
            hub: hub.clone(),
            subject,
            form: read,
            findings,
        }
    });
    forms.collect()
}

/// Reads what a form says beside its hub: its rollout, and the entries of its lists.
fn body(mut spec: Fields<'_>, lists: &[&str], found: &mut Found<'_>) -> (Rollout, Vec<Entry>) {
    let rollout = rollout(&mut spec, found);
    let (mut entries, mut wanted) = (Vec::new(), Vec::new());
    for list in lists {
        for fields in spec.objects(list, found) {
            if let Some((entry, depends_on)) = entry(fields, found) {
                entries.push(entry);
                wanted.push(depends_on);
            }
        }
    }
    spec.end(found);
    link(&mut entries, &wanted, found);
    (rollout, entries)
}

fn rollout(spec: &mut Fields<'_>, found: &mut Found<'_>) -> Rollout {
    let fields = spec.object("rollout", found, false);
    let (mut skew, mut deadline) = (None, None);
    if let Some(mut fields) = fields {
        skew = fields.number("maxSkew", 0..=1_000_000, found);
        deadline = fields.number("progressDeadlineSeconds", 60..=3600, found);
        let is_changed = deadline.is_some_and(|deadline| deadline != PROGRESS_DEADLINE);
        if is_changed && skew.unwrap_or_default() == 0 {
            let message = "counts only with a maxSkew: without one no row waits for another";
            let at = fields.path.join("progressDeadlineSeconds");
            found.add(Rule::NotHeeded, at, message.to_owned());
        }
        fields.end(found);
    }
    let skew = skew.filter(|skew| *skew > 0);
    Rollout {
        max_skew: skew.and_then(|skew| usize::try_from(skew).ok()),
        progress_deadline: Duration::from_secs(deadline.unwrap_or(PROGRESS_DEADLINE)),
    }
}

/// Reads the policies of an entry, as annotations.
fn policies(fields: &mut Fields<'_>, found: &mut Found<'_>) -> Vec<(&'static str, String)> {
    let mut policies = Vec::new();
    let mut choice = |field: &str, allowed: &[&str], found: &mut Found<'_>| {
        let chosen = fields.text(field, found)?;
        if !allowed.contains(&chosen.as_str()) {
            found.not_one_of(fields.path.join(field), &chosen, allowed);
            return None;
        }
        Some(chosen)
    };
    if choice("creationPolicy", &["WhenNeeded", "Once"], found).as_deref() == Some("Once") {
        policies.push((CREATION_POLICY, "Once".to_owned()));
    }
    if let Some(chosen) = choice("deletionPolicy", &["Delete", "Retain"], found) {
        policies.push((DELETION_POLICY, chosen));
    }
    if choice("conflictPolicy", &["Stuck", "Force"], found).as_deref() == Some("Force") {
        policies.push((CONFLICT_POLICY, "Force".to_owned()));
        policies.push((ADOPT, "true".to_owned()));
    }
    if let Some(chosen) = choice("patchStrategy", &["apply", "merge", "replace"], found)
        && chosen != "apply"
    {
        policies.push((PATCH_STRATEGY, chosen));
    }
    if fields.flag("skipOnDependencyFailure", found) == Some(false) {
        policies.push((ON_DEPENDENCY_FAILURE, "Proceed".to_owned()));
    }
    if fields.flag("waitForReady", found) == Some(false) {
        policies.push((WAIT, "false".to_owned()));
    }
    if let Some(seconds) = fields.number("timeoutSeconds", 1..=3600, found) {
        policies.push((DEADLINE, format!("{seconds}s")));
    }
    let ignored = fields.texts("ignoreFields", found);
    for (path, place) in &ignored {
        if let Err(problem) = IgnorePath::parse(path) {
            found.add(Rule::InvalidValue, place.clone(), problem.to_string());
        }
    }
    if !ignored.is_empty() {
        let paths: Vec<&str> = ignored.iter().map(|(path, _)| path.as_str()).collect();
        policies.push((IGNORE_FIELDS, paths.join(",")));
    }
    policies
}

/// Reads an entry, and the ids that it depends on with their places.
fn entry(mut fields: Fields<'_>, found: &mut Found<'_>) -> Option<(Entry, Vec<(String, Path)>)> {
    let at = fields.path.clone();
    let id = fields.required("id", found);
    let name = fields.text_or_empty("nameTemplate", found);
    let namespace = fields.text_or_empty("targetNamespace", found);
    let labels = texts(&mut fields, "labelsTemplate", found);
    let annotations = texts(&mut fields, "annotationsTemplate", found);
    let depends_on = fields.texts("dependIds", found);
    let policies = policies(&mut fields, found);
    let has = |key: &str, value: &str| {
        policies
            .iter()
            .any(|(known, set)| *known == key && set == value)
    };
    let (is_once, proceeds) = (
        has(CREATION_POLICY, "Once"),
        has(ON_DEPENDENCY_FAILURE, "Proceed"),
    );
    let object = fields.object("spec", found, true);
    fields.end(found);
    let object = object?;
    for field in ["apiVersion", "kind"] {
        if !object.map.contains_key(field) {
            found.missing(object.path.clone(), field);
        }
    }
    let kind = object.map.get("kind").and_then(Value::as_str);
    let holds_texts = matches!(kind, Some("ConfigMap" | "Secret"));
    let root = object.path.segments().len();
    let mut reader = Reader {
        holds_texts,
        root,
        is_once,
        found,
    };
    let node = reader.mapping(object.map, &object.path, false);
    // Another name is another object, however often that one is created.
    reader.is_once = false;
    let mut text = |text: Option<String>, field: &str| {
        let text = text?;
        reader.text(&text, at.join(field), true)
    };
    let (name, namespace) = (
        text(name, "nameTemplate"),
        text(namespace, "targetNamespace"),
    );
    reader.is_once = is_once;
    let mut pairs = |pairs: Vec<(String, String)>, field: &str| {
        let at = at.join(field);
        let pairs = pairs.into_iter().filter_map(|(key, text)| {
            let text = reader.text(&text, at.join(key.as_str()), true)?;
            Some((key, text))
        });
        pairs.collect::<Vec<_>>()
    };
    let labels = pairs(labels, "labelsTemplate");
    let annotations = pairs(annotations, "annotationsTemplate");
    let entry = Entry {
        id: id?,
        at,
        object: node,
        name,
        namespace,
        labels,
        annotations,
        policies,
        depends_on: Vec::new(),
        proceeds,
    };
    Some((entry, depends_on))
}

/// Reads a mapping of texts.
fn texts(fields: &mut Fields<'_>, key: &str, found: &mut Found<'_>) -> Vec<(String, String)> {
    let Some(mut fields) = fields.object(key, found, false) else {
        return Vec::new();
    };
    let keys: Vec<&String> = fields.map.keys().collect();
    let texts = keys.into_iter().filter_map(|key| {
        let text = fields.text_or_empty(key, found)?;
        Some((key.clone(), text))
    });
    texts.collect()
}

/// Resolves what entries depend on.
fn link(entries: &mut [Entry], wanted: &[Vec<(String, Path)>], found: &mut Found<'_>) {
    let mut places = HashMap::new();
    for (place, entry) in entries.iter().enumerate() {
        match places.entry(entry.id.clone()) {
            hash_map::Entry::Vacant(slot) => _ = slot.insert(place),
            hash_map::Entry::Occupied(first) => {
                let first = entries.get(*first.get()).map(|first| first.at.to_string());
                let message = format!(
                    "the id {:?} is that of {}, too",
                    entry.id,
                    first.unwrap_or_default()
                );
                found.add(Rule::DuplicateIdentity, entry.at.join("id"), message);
            }
        }
    }
    for (place, wanted) in wanted.iter().enumerate() {
        let mut resolved = Vec::new();
        for (id, at) in wanted {
            if let Some(on) = places.get(id) {
                resolved.push(*on);
                continue;
            }
            let known = places.keys().map(String::as_str);
            let near = crate::near::nearest(id, known);
            let hint = near.map(|near| format!("did you mean {near:?}?"));
            let message = format!("depends on {id:?}, which the form does not have");
            found.add_with(Rule::UnknownDependency, at.clone(), message, hint);
        }
        if let Some(entry) = entries.get_mut(place) {
            entry.depends_on = resolved;
        }
    }
    if let Some(circle) = circle(entries) {
        let ids: Vec<&str> = circle
            .iter()
            .map(|place| entries[*place].id.as_str())
            .collect();
        let first = &entries[circle[0]];
        let message = format!("depends on itself: {} → {}", ids.join(" → "), ids[0]);
        found.add(Rule::DependencyCycle, first.at.join("dependIds"), message);
    }
}

/// Returns entries that depend on each other in a circle, the first of them once.
fn circle(entries: &[Entry]) -> Option<Vec<usize>> {
    let mut done = HashSet::new();
    for start in 0..entries.len() {
        // The way from the start, with how many dependencies of each were followed.
        let mut way: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((place, followed)) = way.last_mut() {
            let place = *place;
            let next = entries.get(place)?.depends_on.get(*followed);
            *followed += 1;
            let Some(next) = next else {
                done.insert(place);
                way.pop();
                continue;
            };
            if let Some(at) = way.iter().position(|(before, _)| before == next) {
                return Some(way[at..].iter().map(|(place, _)| *place).collect());
            }
            if !done.contains(next) {
                way.push((*next, 0));
            }
        }
    }
    None
}

/// The keys below which values stay texts, whatever their actions yield.
const TEXTS: [&str; 4] = ["labels", "annotations", "matchLabels", "nodeSelector"];

/// Parses the templates of an object.
struct Reader<'f, 'o> {
    /// Whether it is a `ConfigMap` or a `Secret`, whose data are texts.
    holds_texts: bool,
    /// How many steps below the document the object is.
    root: usize,
    /// Whether the object is written once, and then for good.
    is_once: bool,
    found: &'f mut Found<'o>,
}

impl Reader<'_, '_> {
    fn mapping(&mut self, map: &Map<String, Value>, at: &Path, stays: bool) -> Node {
        let is_root = at.segments().len() == self.root;
        let nodes = map.iter().map(|(key, value)| {
            let is_data = self.holds_texts
                && is_root
                && matches!(key.as_str(), "data" | "stringData" | "binaryData");
            let is_name = is_root && matches!(key.as_str(), "apiVersion" | "kind");
            let stays = stays || is_data || is_name || TEXTS.contains(&key.as_str());
            (key.clone(), self.node(value, &at.join(key.as_str()), stays))
        });
        let nodes: Vec<(String, Node)> = nodes.collect();
        let is_plain = nodes.iter().all(|(_, node)| matches!(node, Node::Plain(_)));
        if is_plain && !is_root {
            return Node::Plain(Value::Object(map.clone()));
        }
        Node::Mapping(nodes)
    }

    fn node(&mut self, value: &Value, at: &Path, stays: bool) -> Node {
        match value {
            Value::String(text) if text.contains("{{") => {
                match self.text(text, at.clone(), stays) {
                    Some(text) => Node::Text(text),
                    None => Node::Plain(Value::Null),
                }
            }
            Value::Array(list) => {
                let nodes = list.iter().enumerate();
                let nodes = nodes.map(|(index, value)| self.node(value, &at.join(index), stays));
                let nodes: Vec<Node> = nodes.collect();
                if nodes.iter().all(|node| matches!(node, Node::Plain(_))) {
                    return Node::Plain(value.clone());
                }
                Node::List(nodes)
            }
            Value::Object(map) => self.mapping(map, at, stays),
            plain => Node::Plain(plain.clone()),
        }
    }

    /// Parses a template; what is wrong with it is reported.
    fn text(&mut self, text: &str, at: Path, stays: bool) -> Option<Text> {
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(error) => {
                self.found.add(Rule::InvalidTemplate, at, error.to_string());
                return None;
            }
        };
        let functions = template.nondeterministic_functions();
        if !functions.is_empty() && !self.is_once {
            let message = format!(
                "yields something else each time, by {}, so that the object changes with every pass",
                functions.join(", ")
            );
            self.found.add(Rule::NotDeterministic, at.clone(), message);
        }
        Some(Text {
            template,
            at,
            stays,
        })
    }
}
