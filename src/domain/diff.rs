//! The difference between two designs or two sets of manifests, as changes of fields.
//!
//! Resources are matched by what they are (group, kind, namespace, name), list items by the key that they
//! merge by, where they have one. What would reach a cluster is kept apart from what only the document
//! says. Values of Secrets are compared, and masked in the result.

use std::borrow::Cow;
use std::collections::HashMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::component::{Component, Object};
use crate::design::{Design, Error, flatten};
use crate::merge_key::{item_name, naming};
use crate::ownership::Owner;
use crate::path::Path;
use crate::resource::canonical_group;
use crate::secret;

/// The difference between two designs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Diff {
    /// What would reach a cluster: in the order of the new design, then what it no longer has.
    pub resources: Vec<ResourceChange>,
    /// What only the document says: name, version, styles, models, annotations, relationships.
    pub design: Vec<FieldChange>,
}

impl Diff {
    /// Tells whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty() && self.design.is_empty()
    }
}

/// What happened to a resource or a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Only the new side has it.
    Added,
    /// Only the old side has it.
    Removed,
    /// Both have it, and it differs.
    Changed,
    /// A list whose items, matched by key, stand in another order; `old` and `new` are their keys.
    Reordered,
}

/// The change of one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceChange {
    /// What happened.
    pub action: Action,
    /// Its `apiVersion`, the new one if both sides have it.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace, if it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name; empty when the server makes it.
    pub name: String,
    /// The changed fields; none for what was added or removed as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

impl ResourceChange {
    /// Returns the resource's id; one without a name has as much of it as there is.
    pub fn id(&self) -> String {
        let group = canonical_group(group(&self.api_version), &self.kind);
        let namespace = self.namespace.as_deref().unwrap_or_default();
        let parts = [group, &self.kind, namespace, &self.name];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join("/")
    }
}

/// The change of one field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// What happened.
    pub action: Action,
    /// The place, such as `spec.containers[name=web].image`.
    pub path: String,
    /// The value before, if there was one.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub old: Option<Value>,
    /// The value after, if there is one.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub new: Option<Value>,
    /// Who holds the field, where the old side is a live object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Owner>,
}

/// A value that is there, `null` included.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Returns the difference between two designs.
pub fn designs(old: &Design, new: &Design) -> Diff {
    let pairs = Pairs::of(old, new);
    let mut diff = Diff::default();
    let documents = (document(old), document(new));
    if documents.0 != documents.1 {
        let (old, new) = (shown_document(old), shown_document(new));
        let sides = [(&documents.0, &old), (&documents.1, &new)];
        let sides = sides.map(|(real, shown)| Side { real, shown });
        compare_sides(sides, String::new(), &mut diff.design);
    }
    for (index, component) in new.components.iter().enumerate() {
        match pairs.old_of[index] {
            Some(before) => changed_component(&old.components[before], component, &mut diff),
            None => lone_component(component, Action::Added, &mut diff),
        }
    }
    for (index, component) in old.components.iter().enumerate() {
        if !pairs.old_taken[index] {
            lone_component(component, Action::Removed, &mut diff);
        }
    }
    diff
}

/// Returns the difference between two sets of manifests, lists among them taken apart, without `status`.
///
/// # Errors
/// When one of them is no mapping.
pub fn manifests(old: &[Value], new: &[Value]) -> Result<Vec<ResourceChange>, Error> {
    let (old, new) = (resources(old)?, resources(new)?);
    let mut by_identity: HashMap<Identity, Vec<usize>> = HashMap::new();
    for (index, manifest) in old.iter().enumerate().rev() {
        let places = by_identity.entry(Identity::of(manifest)).or_default();
        places.push(index);
    }
    let mut taken = vec![false; old.len()];
    let mut found = Vec::new();
    for manifest in &new {
        let before = by_identity
            .get_mut(&Identity::of(manifest))
            .and_then(Vec::pop);
        if let Some(before) = before {
            taken[before] = true;
            changed_resource(&old[before], manifest, &mut found);
        } else {
            found.push(resource(manifest, Action::Added));
        }
    }
    let removed = old.iter().zip(taken).filter(|(_, taken)| !taken);
    found.extend(removed.map(|(manifest, _)| resource(manifest, Action::Removed)));
    Ok(found)
}

fn resources(manifests: &[Value]) -> Result<Vec<Value>, Error> {
    let mut flat = flatten(manifests.to_vec())?;
    for manifest in flat.iter_mut().filter_map(Value::as_object_mut) {
        manifest.shift_remove("status");
    }
    Ok(flat)
}

/// What makes two objects the same one.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Identity {
    group: String,
    kind: String,
    namespace: String,
    name: String,
}

impl Identity {
    fn of(manifest: &Value) -> Self {
        let metadata = |key: &str| text(manifest.get("metadata"), key);
        Self {
            group: group(&text(Some(manifest), "apiVersion")).to_owned(),
            kind: text(Some(manifest), "kind"),
            namespace: metadata("namespace"),
            name: metadata("name"),
        }
    }

    fn of_component(component: &Component) -> Self {
        Self {
            group: group(component.api_version()).to_owned(),
            kind: component.kind().to_owned(),
            namespace: component.namespace().unwrap_or_default().to_owned(),
            name: component.name().unwrap_or_default().to_owned(),
        }
    }
}

fn text(value: Option<&Value>, key: &str) -> String {
    let found = value.and_then(|value| value.get(key));
    found.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

fn resource(manifest: &Value, action: Action) -> ResourceChange {
    let metadata = manifest.get("metadata");
    let namespace = text(metadata, "namespace");
    ResourceChange {
        action,
        api_version: text(Some(manifest), "apiVersion"),
        kind: text(Some(manifest), "kind"),
        namespace: (!namespace.is_empty()).then_some(namespace),
        name: text(metadata, "name"),
        fields: Vec::new(),
    }
}

fn changed_resource(old: &Value, new: &Value, found: &mut Vec<ResourceChange>) {
    let mut change = resource(new, Action::Changed);
    compare(old, new, String::new(), &mut change.fields);
    if !change.fields.is_empty() {
        found.push(change);
    }
}

/// Which component of the old design each one of the new design was.
struct Pairs {
    old_of: Vec<Option<usize>>,
    old_taken: Vec<bool>,
}

impl Pairs {
    /// By resource first, since an import makes new ids; then by id; then, what isn't deployed, by name.
    fn of(old: &Design, new: &Design) -> Self {
        let mut pairs = Self {
            old_of: vec![None; new.components.len()],
            old_taken: vec![false; old.components.len()],
        };
        pairs.add(old, new, |component| {
            let deployed = component.is_deployable() && component.name().is_some();
            deployed.then(|| Identity::of_component(component))
        });
        pairs.add(
            old,
            new,
            |component: &Component| -> Option<(Uuid, String)> {
                Some((component.id, component.kind().to_owned()))
            },
        );
        pairs.add(old, new, |component| {
            let names = (component.kind(), component.display_name.as_str());
            let names = (names.0.to_owned(), names.1.to_owned());
            (!component.is_deployable()).then_some(names)
        });
        pairs
    }

    fn add<K: std::hash::Hash + Eq>(
        &mut self,
        old: &Design,
        new: &Design,
        key: impl Fn(&Component) -> Option<K>,
    ) {
        let mut places: HashMap<K, Vec<usize>> = HashMap::new();
        for (index, component) in old.components.iter().enumerate().rev() {
            if let (false, Some(key)) = (self.old_taken[index], key(component)) {
                places.entry(key).or_default().push(index);
            }
        }
        for (component, pair) in new.components.iter().zip(&mut self.old_of) {
            if pair.is_none()
                && let Some(key) = key(component)
                && let Some(index) = places.get_mut(&key).and_then(Vec::pop)
            {
                *pair = Some(index);
                self.old_taken[index] = true;
            }
        }
    }
}

fn changed_component(old: &Component, new: &Component, diff: &mut Diff) {
    let deployed = (old.is_deployable(), new.is_deployable());
    let same_body = old.configuration == new.configuration
        && old.display_name == new.display_name
        && (old.api_version(), old.kind()) == (new.api_version(), new.kind());
    match deployed {
        (true, true) if same_body => {}
        (true, true) => changed_resource(&old.manifest(), &new.manifest(), &mut diff.resources),
        (true, false) => diff
            .resources
            .push(resource(&old.manifest(), Action::Removed)),
        (false, true) => diff
            .resources
            .push(resource(&new.manifest(), Action::Added)),
        (false, false) => {}
    }
    let is_drawn_alike = old.display_name == new.display_name
        && old.definition() == new.definition()
        && old.metadata() == new.metadata()
        && old.styles() == new.styles()
        && old.position() == new.position();
    let is_body_told = deployed == (true, true);
    if is_drawn_alike && (is_body_told || same_body) {
        return;
    }
    let place = place(new);
    let first = diff.design.len();
    compare(
        &drawing(old, is_body_told),
        &drawing(new, is_body_told),
        place.clone(),
        &mut diff.design,
    );
    if is_body_told {
        // Told with the resource already.
        let told = [
            format!("{place}.component.version"),
            format!("{place}.component.kind"),
        ];
        let changes = diff.design.split_off(first);
        let more = changes
            .into_iter()
            .filter(|change| !told.contains(&change.path));
        diff.design.extend(more);
    }
}

fn lone_component(component: &Component, action: Action, diff: &mut Diff) {
    if component.is_deployable() {
        let change = resource(&component.manifest(), action);
        diff.resources.push(change);
        return;
    }
    let mut value = component.to_value();
    secret::mask(&mut value);
    let (old, new) = match action {
        Action::Removed => (Some(value), None),
        _ => (None, Some(value)),
    };
    let path = place(component);
    diff.design.push(FieldChange {
        action,
        path,
        old,
        new,
        owners: Vec::new(),
    });
}

/// How a component is called in paths of the design.
fn place(component: &Component) -> String {
    format!(
        "components[{}/{}]",
        component.kind(),
        component.display_name
    )
}

/// A component without its ids, and without its body where that is compared as a resource.
fn drawing(component: &Component, without_body: bool) -> Value {
    let mut value = component.to_value();
    if let Some(map) = value.as_object_mut() {
        map.shift_remove("id");
        if without_body {
            map.shift_remove("configuration");
        }
    }
    value
}

/// A design without its components.
fn document(design: &Design) -> Value {
    let mut map = Object::new();
    map.insert("name".into(), design.name.as_str().into());
    map.insert("version".into(), design.version.as_str().into());
    if let Some(metadata) = &design.metadata {
        map.insert("metadata".into(), Value::Object(metadata.clone()));
    }
    for (key, value) in &design.extra {
        map.entry(key.clone()).or_insert_with(|| value.clone());
    }
    map.insert("relationships".into(), json!(design.relationships));
    Value::Object(map)
}

/// A design without its components as it may be shown. Which values are secret, its components tell.
fn shown_document(design: &Design) -> Value {
    let mut design = design.clone();
    secret::mask_design(&mut design);
    document(&design)
}

/// Compares two values, and adds what differs; secret values are masked.
pub(crate) fn compare(old: &Value, new: &Value, place: String, changes: &mut Vec<FieldChange>) {
    if old == new {
        // Items in another order are not equal, keys in another order are.
        return;
    }
    let (shown_old, shown_new) = (shown(old), shown(new));
    let sides = [(old, &*shown_old), (new, &*shown_new)];
    let sides = sides.map(|(real, shown)| Side { real, shown });
    compare_sides(sides, place, changes);
}

fn compare_sides([old, new]: [Side<'_>; 2], place: String, changes: &mut Vec<FieldChange>) {
    let mut walk = Walk {
        path: place,
        changes,
    };
    walk.values(old, new, "");
}

fn shown(value: &Value) -> Cow<'_, Value> {
    if !secret::holds_secrets(value) {
        return Cow::Borrowed(value);
    }
    let mut masked = value.clone();
    secret::mask(&mut masked);
    Cow::Owned(masked)
}

/// A value, and the form in which it may be shown: the same, but for masked leaves.
#[derive(Clone, Copy)]
struct Side<'a> {
    real: &'a Value,
    shown: &'a Value,
}

impl<'a> Side<'a> {
    /// Returns the fields, unless the whole is masked.
    fn object(self) -> Option<(&'a Object, &'a Object)> {
        self.real.as_object().zip(self.shown.as_object())
    }

    /// Returns the items, unless the whole is masked.
    fn items(self) -> Option<Vec<Self>> {
        let items = self.real.as_array()?.iter().zip(self.shown.as_array()?);
        Some(items.map(|(real, shown)| Side { real, shown }).collect())
    }
}

fn real<'a>(items: &[Side<'a>]) -> impl Iterator<Item = &'a Value> + Clone {
    items.iter().map(|item| item.real)
}

/// Recursion is bounded by the reader's depth.
struct Walk<'a> {
    path: String,
    changes: &'a mut Vec<FieldChange>,
}

impl Walk<'_> {
    /// Compares two values that stand under `key`.
    fn values(&mut self, old: Side<'_>, new: Side<'_>, key: &str) {
        if old.real == new.real {
            return;
        }
        if let (Some(old), Some(new)) = (old.object(), new.object()) {
            self.objects(old, new);
        } else if let (Some(old), Some(new)) = (old.items(), new.items()) {
            match naming(key, &[real(&old), real(&new)]) {
                Some(keys) => self.keyed(&old, &new, keys),
                None => self.indexed(&old, &new),
            }
        } else {
            self.change(Action::Changed, Some(old.shown), Some(new.shown));
        }
    }

    fn objects(&mut self, old: (&Object, &Object), new: (&Object, &Object)) {
        for (key, real) in old.0 {
            let Some(shown) = old.1.get(key) else {
                continue;
            };
            let after = new.0.get(key).zip(new.1.get(key));
            self.below_key(key, |walk| match after {
                Some(after) => {
                    let new = Side {
                        real: after.0,
                        shown: after.1,
                    };
                    walk.values(Side { real, shown }, new, key);
                }
                None => walk.change(Action::Removed, Some(shown), None),
            });
        }
        for (key, shown) in new.1 {
            if !old.0.contains_key(key) {
                self.below_key(key, |walk| walk.change(Action::Added, None, Some(shown)));
            }
        }
    }

    fn indexed(&mut self, old: &[Side<'_>], new: &[Side<'_>]) {
        for index in 0..old.len().max(new.len()) {
            let (old, new) = (old.get(index), new.get(index));
            self.below(&format!("[{index}]"), |walk| walk.ends(old, new));
        }
    }

    fn keyed(&mut self, old: &[Side<'_>], new: &[Side<'_>], keys: &[&str]) {
        let name = |side: &Side<'_>| item_name(side.real, keys).unwrap_or_default();
        let old_names: Vec<String> = old.iter().map(name).collect();
        let new_names: Vec<String> = new.iter().map(name).collect();
        let places = |names: &[String]| -> HashMap<String, usize> {
            names.iter().cloned().zip(0..).collect()
        };
        let (old_places, new_places) = (places(&old_names), places(&new_names));
        for (before, name) in old.iter().zip(&old_names) {
            let after = new_places.get(name).and_then(|index| new.get(*index));
            self.below(&format!("[{name}]"), |walk| walk.ends(Some(before), after));
        }
        for (after, name) in new.iter().zip(&new_names) {
            if !old_places.contains_key(name) {
                self.below(&format!("[{name}]"), |walk| walk.ends(None, Some(after)));
            }
        }
        let common = |names: &[String], other: &HashMap<String, usize>| -> Vec<String> {
            let names = names.iter().filter(|name| other.contains_key(*name));
            names.cloned().collect()
        };
        let before = common(&old_names, &new_places);
        let after = common(&new_names, &old_places);
        if before != after {
            self.change(Action::Reordered, Some(&json!(before)), Some(&json!(after)));
        }
    }

    fn ends(&mut self, old: Option<&Side<'_>>, new: Option<&Side<'_>>) {
        match (old, new) {
            (Some(old), Some(new)) => self.values(*old, *new, ""),
            (Some(old), None) => self.change(Action::Removed, Some(old.shown), None),
            (None, Some(new)) => self.change(Action::Added, None, Some(new.shown)),
            (None, None) => {}
        }
    }

    fn below_key(&mut self, key: &str, visit: impl FnOnce(&mut Self)) {
        let mut step = Path::root().join(key).to_string();
        if !step.starts_with('[') && !self.path.is_empty() {
            step.insert(0, '.');
        }
        self.below(&step, visit);
    }

    fn below(&mut self, step: &str, visit: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push_str(step);
        visit(self);
        self.path.truncate(length);
    }

    fn change(&mut self, action: Action, old: Option<&Value>, new: Option<&Value>) {
        self.changes.push(FieldChange {
            action,
            path: self.path.clone(),
            old: old.cloned(),
            new: new.cloned(),
            owners: Vec::new(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::MASK;

    fn lines(changes: &[FieldChange]) -> Vec<String> {
        let line = |change: &FieldChange| {
            let text = |value: &Option<Value>| value.as_ref().map_or("-".into(), Value::to_string);
            let (old, new) = (text(&change.old), text(&change.new));
            format!("{:?} {} {old} {new}", change.action, change.path)
        };
        changes.iter().map(line).collect()
    }

    fn fields(old: &Value, new: &Value) -> Vec<String> {
        let mut changes = Vec::new();
        compare(old, new, String::new(), &mut changes);
        lines(&changes)
    }

    #[test]
    fn fields_are_compared_with_their_paths() {
        let container = |name: &str, image: &str| json!({"name": name, "image": image});
        let cases: Vec<(Value, Value, Vec<&str>)> = vec![
            (json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1}), vec![]),
            (
                json!({"spec": {"replicas": 1}}),
                json!({"spec": {"replicas": 3}}),
                vec!["Changed spec.replicas 1 3"],
            ),
            (
                json!({"a": null, "b": {"x.y/z": 1}}),
                json!({"b": {"c": []}, "d": {}}),
                vec![
                    "Removed a null -",
                    r#"Removed b["x.y/z"] 1 -"#,
                    "Added b.c - []",
                    "Added d - {}",
                ],
            ),
            (json!({"a": {}}), json!({"a": []}), vec!["Changed a {} []"]),
            (
                json!({"args": ["a", "b", "c"]}),
                json!({"args": ["a", "x"]}),
                vec![r#"Changed args[1] "b" "x""#, r#"Removed args[2] "c" -"#],
            ),
            (
                json!({"containers": [container("a", "1"), container("b", "1")]}),
                json!({"containers": [container("c", "1"), container("a", "2")]}),
                vec![
                    r#"Changed containers[name=a].image "1" "2""#,
                    r#"Removed containers[name=b] {"name":"b","image":"1"} -"#,
                    r#"Added containers[name=c] - {"name":"c","image":"1"}"#,
                ],
            ),
            (
                json!({"env": [{"name": "A", "value": "1"}, {"name": "B"}, {"name": "C"}]}),
                json!({"env": [{"name": "C"}, {"name": "A", "value": "2"}]}),
                vec![
                    r#"Changed env[name=A].value "1" "2""#,
                    r#"Removed env[name=B] {"name":"B"} -"#,
                    r#"Reordered env ["name=A","name=C"] ["name=C","name=A"]"#,
                ],
            ),
            // The same name twice: by index.
            (
                json!({"env": [{"name": "A", "value": "1"}, {"name": "A"}]}),
                json!({"env": [{"name": "A", "value": "2"}, {"name": "A"}]}),
                vec![r#"Changed env[0].value "1" "2""#],
            ),
            (
                json!({"ports": [{"containerPort": 80}, {"containerPort": 53, "protocol": "UDP"}]}),
                json!({"ports": [{"containerPort": 53, "protocol": "TCP"}]}),
                vec![
                    r#"Removed ports[containerPort=80] {"containerPort":80} -"#,
                    r#"Changed ports[containerPort=53].protocol "UDP" "TCP""#,
                ],
            ),
            (
                json!({"ports": [{"name": "http", "port": 80}]}),
                json!({"ports": [{"name": "http", "port": 81}]}),
                vec!["Changed ports[name=http].port 80 81"],
            ),
            (
                json!({"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}),
                json!({"ports": [{"port": 53, "protocol": "TCP", "x": 1}]}),
                vec![
                    r#"Removed ports[port=53,protocol=UDP] {"port":53,"protocol":"UDP"} -"#,
                    "Added ports[port=53,protocol=TCP].x - 1",
                ],
            ),
            (
                json!({"volumeMounts": [{"name": "v", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}]}),
                json!({"volumeMounts": [{"name": "w", "mountPath": "/a"}, {"name": "v", "mountPath": "/b"}]}),
                vec![r#"Changed volumeMounts[mountPath=/a].name "v" "w""#],
            ),
            (
                json!({"volumes": []}),
                json!({"volumes": [{"name": "v"}]}),
                vec![r#"Added volumes[name=v] - {"name":"v"}"#],
            ),
            (json!([1]), json!([2]), vec!["Changed [0] 1 2"]),
        ];
        for (old, new, expected) in cases {
            assert_eq!(fields(&old, &new), expected, "{old} {new}");
            assert_eq!(fields(&new, &new), [""; 0]);
        }
    }

    fn object(kind: &str, name: &str, more: &Value) -> Value {
        let mut value = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
        for (key, field) in more.as_object().unwrap() {
            value[key] = field.clone();
        }
        value
    }

    fn told(changes: &[ResourceChange]) -> Vec<String> {
        let tell = |change: &ResourceChange| {
            let fields = lines(&change.fields).join("; ");
            format!(
                "{:?} {}/{} {fields}",
                change.action, change.kind, change.name
            )
        };
        changes.iter().map(tell).collect()
    }

    #[test]
    fn manifests_are_matched_by_what_they_are() {
        let none = json!({});
        let old = vec![
            object(
                "ConfigMap",
                "a",
                &json!({"data": {"x": "1"}, "status": {"seen": 1}}),
            ),
            object("ConfigMap", "b", &none),
            json!({"apiVersion": "v1", "kind": "List", "items": [object("Pod", "a", &none)]}),
            json!({"apiVersion": "apps/v1beta1", "kind": "Deployment", "metadata": {"name": "a"}}),
        ];
        let new = vec![
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}),
            object("Pod", "a", &none),
            object("ConfigMap", "c", &none),
            object(
                "ConfigMap",
                "a",
                &json!({"data": {"x": "2"}, "status": {"seen": 2}}),
            ),
            object(
                "ConfigMap",
                "a",
                &json!({"metadata": {"name": "a", "namespace": "n"}}),
            ),
        ];
        let changes = manifests(&old, &new).unwrap();
        assert_eq!(
            told(&changes),
            [
                r#"Changed Deployment/a Changed apiVersion "apps/v1beta1" "apps/v1""#,
                "Added ConfigMap/c ",
                r#"Changed ConfigMap/a Changed data.x "1" "2""#,
                "Added ConfigMap/a ",
                "Removed ConfigMap/b ",
            ]
        );
        assert_eq!(manifests(&new, &new).unwrap(), []);
        assert!(manifests(&[json!(1)], &[]).is_err());
    }

    #[test]
    fn secret_values_are_compared_and_not_shown() {
        let secret = |data: &Value| object("Secret", "s", &json!({"data": data, "type": "Opaque"}));
        let changes = manifests(
            &[secret(
                &json!({"same": "CANARY", "old": "CANARY", "p": "CANARY-1", "whole": ["CANARY"]}),
            )],
            &[secret(
                &json!({"same": "CANARY", "p": "CANARY-2", "new": "CANARY", "whole": ["CANARY-3"]}),
            )],
        )
        .unwrap();
        let written = serde_json::to_string(&changes).unwrap();
        assert!(!written.contains("CANARY"), "{written}");
        let mask = format!("{MASK:?}");
        assert_eq!(
            lines(&changes[0].fields),
            [
                format!("Removed data.old {mask} -"),
                format!("Changed data.p {mask} {mask}"),
                format!("Changed data.whole {mask} {mask}"),
                format!("Added data.new - {mask}"),
            ]
        );
        let changes =
            manifests(&[secret(&Value::Null)], &[secret(&json!({"a": "CANARY"}))]).unwrap();
        assert!(!serde_json::to_string(&changes).unwrap().contains("CANARY"));
        let changes = manifests(&[], &[secret(&json!({"a": "CANARY"}))]).unwrap();
        assert!(!serde_json::to_string(&changes).unwrap().contains("CANARY"));
    }

    fn design(components: &Value, more: &Value) -> Design {
        let mut value = json!({"schemaVersion": crate::design::SCHEMA_VERSION, "name": "d",
            "id": Uuid::from_u128(1), "components": components});
        for (key, field) in more.as_object().unwrap() {
            value[key] = field.clone();
        }
        let mut next = 1000;
        Design::read(value, &mut || {
            next += 1;
            Uuid::from_u128(next)
        })
        .unwrap()
    }

    #[test]
    fn designs_tell_what_reaches_a_cluster_apart() {
        let pod = |id: u128, name: &str, image: &str, x: u32| {
            json!({"id": Uuid::from_u128(id), "displayName": name,
                "component": {"version": "v1", "kind": "Pod"},
                "configuration": {"spec": {"containers": [{"name": "c", "image": image}]}},
                "styles": {"position": {"x": x, "y": 0}}})
        };
        let note = |text: &str| {
            json!({"displayName": "note", "component": {"kind": "Comment"},
                "metadata": {"isAnnotation": true}, "styles": {"bodyText": text}})
        };
        let secret = json!({"displayName": "s", "component": {"version": "v1", "kind": "Secret"},
            "status": "ignored", "configuration": {"data": {"a": "CANARY"}}});
        let old = design(
            &json!([
                pod(10, "a", "1", 0),
                pod(11, "b", "1", 0),
                pod(12, "gone", "1", 0),
                note("x")
            ]),
            &json!({"version": "0.0.1", "relationships": [{"id": "r1", "kind": "edge"}]}),
        );
        let new = design(
            &json!([
                note("y"),
                pod(20, "a", "2", 0),
                pod(11, "renamed", "1", 5),
                pod(21, "new", "1", 0),
                secret
            ]),
            &json!({"version": "0.0.2", "relationships": [{"id": "r1", "kind": "sibling"}], "x": 1}),
        );
        let diff = designs(&old, &new);
        assert_eq!(
            told(&diff.resources),
            [
                r#"Changed Pod/a Changed spec.containers[name=c].image "1" "2""#,
                r#"Changed Pod/renamed Changed metadata.name "b" "renamed""#,
                "Added Pod/new ",
                "Removed Pod/gone ",
            ]
        );
        let told = lines(&diff.design);
        assert_eq!(
            &told[..6],
            [
                r#"Changed version "0.0.1" "0.0.2""#,
                r#"Changed relationships[id=r1].kind "edge" "sibling""#,
                "Added x - 1",
                r#"Changed components[Comment/note].styles.bodyText "x" "y""#,
                r#"Changed components[Pod/renamed].displayName "b" "renamed""#,
                "Changed components[Pod/renamed].styles.position.x 0 5",
            ]
        );
        assert_eq!(told.len(), 7);
        assert!(
            told[6].starts_with("Added components[Secret/s] - "),
            "{}",
            told[6]
        );
        assert!(!serde_json::to_string(&diff).unwrap().contains("CANARY"));
        assert!(designs(&new, &new).is_empty());
        assert_eq!(designs(&old, &new), diff);
    }

    #[test]
    fn what_becomes_an_annotation_leaves_the_cluster() {
        let component = |annotation: bool| {
            json!([{"id": Uuid::from_u128(5), "displayName": "a",
                "component": {"version": "v1", "kind": "Pod"}, "metadata": {"isAnnotation": annotation}}])
        };
        let (old, new) = (component(false), component(true));
        let diff = designs(&design(&old, &json!({})), &design(&new, &json!({})));
        assert_eq!(told(&diff.resources), ["Removed Pod/a "]);
        assert_eq!(
            lines(&diff.design),
            ["Changed components[Pod/a].metadata.isAnnotation false true"]
        );
    }

    #[test]
    fn the_written_form_comes_back_with_its_nulls() {
        let change = FieldChange {
            action: Action::Changed,
            path: "a".into(),
            old: Some(Value::Null),
            new: None,
            owners: Vec::new(),
        };
        let diff = Diff {
            resources: vec![resource(&object("Pod", "a", &json!({})), Action::Added)],
            design: vec![change],
        };
        let written = serde_json::to_value(&diff).unwrap();
        assert_eq!(
            written,
            json!({"resources": [{"action": "added", "apiVersion": "v1", "kind": "Pod", "name": "a"}],
                "design": [{"action": "changed", "path": "a", "old": null}]})
        );
        assert_eq!(serde_json::from_value::<Diff>(written).unwrap(), diff);
        let schema = serde_json::to_string(&schemars::schema_for!(Diff)).unwrap();
        assert!(schema.contains("apiVersion"));
    }
}
