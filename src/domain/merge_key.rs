//! How the items of a list are told apart: the one table of keys.
//!
//! There are two questions to it. [`naming`] says how a reader calls the items of a list, wherever the
//! list stands, as in `containers[name=web]`. [`merge_type`] says by which key the API merges a list of
//! a built-in kind; the same name may mean another thing elsewhere (`ports`), so that is asked step by
//! step from the root of the object. What has no key there is replaced as a whole.
//!
//! Source: the `patchStrategy` and `patchMergeKey` tags of the types of `k8s.io/api` v0.36. Where one
//! key doesn't tell the items apart, the second one of `x-kubernetes-list-map-keys` is taken too.

use std::collections::HashSet;
use std::fmt::Write;

use serde_json::{Map, Value};

use crate::resource::is_built_in_group;

/// The keys that name the items of a list of this name, the best ones first.
fn naming_keys(list: &str) -> &'static [&'static [&'static str]] {
    match list {
        "ports" => &[
            &["name"],
            &["containerPort", "protocol"],
            &["containerPort"],
            &["port", "protocol"],
            &["port"],
        ],
        "volumeMounts" => &[&["mountPath"]],
        "volumeDevices" => &[&["devicePath"]],
        "hostAliases" => &[&["ip"]],
        "topologySpreadConstraints" => &[&["topologyKey", "whenUnsatisfiable"]],
        "conditions" => &[&["type"]],
        "ownerReferences" => &[&["uid"]],
        "subjects" => &[&["kind", "namespace", "name"], &["kind", "name"]],
        "paths" => &[&["path"]],
        "matchExpressions" => &[&["key"]],
        "relationships" => &[&["id"]],
        _ => &[&["name"]],
    }
}

/// Returns the keys by which the items of a list are named, if all have them and none of one side has
/// them twice.
pub(crate) fn naming<'a, I>(list: &str, sides: &[I]) -> Option<&'static [&'static str]>
where
    I: Iterator<Item = &'a Value> + Clone,
{
    let fits = |keys: &[&str]| {
        sides.iter().all(|side| {
            let mut seen = HashSet::new();
            side.clone()
                .all(|item| item_name(item, keys).is_some_and(|name| seen.insert(name)))
        })
    };
    let mut candidates = naming_keys(list).iter();
    candidates.find(|keys| fits(keys)).copied()
}

/// Returns everything that an item of a list may be called, the best name first.
pub(crate) fn item_names(list: &str, item: &Value) -> Vec<String> {
    let candidates = naming_keys(list).iter();
    let names = candidates.filter_map(|keys| item_name(item, keys));
    names.collect()
}

/// Returns what an item is called by its keys, as in `name=web`.
pub(crate) fn item_name(item: &Value, keys: &[&str]) -> Option<String> {
    let mut name = String::new();
    for key in keys {
        let comma = if name.is_empty() { "" } else { "," };
        // Writing into a string does not fail.
        let _ = match item.get(key)? {
            Value::String(text) => write!(name, "{comma}{key}={text}"),
            Value::Number(number) => write!(name, "{comma}{key}={number}"),
            _ => return None,
        };
    }
    Some(name)
}

/// What is known of a mapping: those of its fields that aren't merged the plain way.
#[derive(Debug)]
pub(crate) struct Type(&'static [(&'static str, Field)]);

/// How a field is merged.
#[derive(Debug)]
pub(crate) enum Field {
    /// A mapping with known fields.
    Mapping(&'static Type),
    /// A mapping that is replaced as a whole.
    Whole,
    /// A list whose items are merged by their key.
    Keyed(Key, &'static Type),
    /// A list of scalars, each of which it has once.
    Set,
}

/// The key of the items of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// The field that every item has.
    pub(crate) first: &'static str,
    /// The field that tells apart what has the first one in common.
    second: Option<Second>,
}

#[derive(Debug, Clone, Copy)]
struct Second {
    field: &'static str,
    /// What it is when it isn't written; without that it only chooses among several items.
    default: Option<&'static str>,
}

impl Type {
    /// Returns how a field is merged; nothing where that is the plain way.
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        let known = self.0.iter().find(|known| known.0 == name);
        known.map(|(_, field)| field)
    }
}

impl Key {
    const fn of(first: &'static str) -> Self {
        Self {
            first,
            second: None,
        }
    }

    const fn and(self, field: &'static str, default: Option<&'static str>) -> Self {
        Self {
            second: Some(Second { field, default }),
            ..self
        }
    }

    /// Tells whether two items have the same key.
    pub(crate) fn is_same(&self, a: &Value, b: &Value) -> bool {
        let second = |item: &Value| {
            let second = self.second?;
            let written = item.get(second.field).and_then(Value::as_str);
            written.or(second.default).map(str::to_owned)
        };
        a.get(self.first) == b.get(self.first) && second(a) == second(b)
    }

    /// Returns the place of the item that another one is merged into; nothing when that is new.
    ///
    /// An item that doesn't say its second key means the one with the default, or else the only one.
    pub(crate) fn find(&self, items: &[Value], wanted: &Map<String, Value>) -> Option<usize> {
        let value = wanted.get(self.first)?;
        let items = items.iter().enumerate();
        let mut same = items.filter(|(_, item)| item.get(self.first) == Some(value));
        let Some(second) = self.second else {
            return same.next().map(|(index, _)| index);
        };
        let said = wanted.get(second.field).and_then(Value::as_str);
        let meant = said.or(second.default);
        let mut others = Vec::new();
        for (index, item) in same {
            let written = item.get(second.field).and_then(Value::as_str);
            if written.or(second.default) == meant && meant.is_some() {
                return Some(index);
            }
            others.push(index);
        }
        match (said, second.default) {
            (Some(_), Some(_)) => None,
            (None, Some(_)) if others.len() > 1 => None,
            _ => others.first().copied(),
        }
    }
}

const NAME: Key = Key::of("name");
const CONTAINER_PORT: Key = Key::of("containerPort").and("protocol", Some("TCP"));
const SERVICE_PORT: Key = Key::of("port").and("protocol", Some("TCP"));
const SPREAD: Key = Key::of("topologyKey").and("whenUnsatisfiable", None);

static PLAIN: Type = Type(&[]);

static METADATA: Type = Type(&[
    ("ownerReferences", Field::Keyed(Key::of("uid"), &PLAIN)),
    ("finalizers", Field::Set),
]);

static STATUS: Type = Type(&[("conditions", Field::Keyed(Key::of("type"), &PLAIN))]);

static CONTAINER: Type = Type(&[
    ("ports", Field::Keyed(CONTAINER_PORT, &PLAIN)),
    ("env", Field::Keyed(NAME, &PLAIN)),
    ("volumeMounts", Field::Keyed(Key::of("mountPath"), &PLAIN)),
    ("volumeDevices", Field::Keyed(Key::of("devicePath"), &PLAIN)),
]);

static POD_SPEC: Type = Type(&[
    ("containers", Field::Keyed(NAME, &CONTAINER)),
    ("initContainers", Field::Keyed(NAME, &CONTAINER)),
    ("ephemeralContainers", Field::Keyed(NAME, &CONTAINER)),
    ("volumes", Field::Keyed(NAME, &PLAIN)),
    ("imagePullSecrets", Field::Keyed(NAME, &PLAIN)),
    ("hostAliases", Field::Keyed(Key::of("ip"), &PLAIN)),
    ("topologySpreadConstraints", Field::Keyed(SPREAD, &PLAIN)),
    ("schedulingGates", Field::Keyed(NAME, &PLAIN)),
    ("resourceClaims", Field::Keyed(NAME, &PLAIN)),
]);

/// An object, or a template of one, with what every object has.
macro_rules! object {
    ($name:ident, $($field:expr),* $(,)?) => {
        static $name: Type = Type(&[
            ("metadata", Field::Mapping(&METADATA)),
            ("status", Field::Mapping(&STATUS)),
            $($field,)*
        ]);
    };
}

object!(BUILT_IN,);
object!(POD, ("spec", Field::Mapping(&POD_SPEC)));
object!(POD_TEMPLATE, ("template", Field::Mapping(&POD)));

static WORKLOAD_SPEC: Type = Type(&[("template", Field::Mapping(&POD))]);
object!(WORKLOAD, ("spec", Field::Mapping(&WORKLOAD_SPEC)));

static CRON_JOB_SPEC: Type = Type(&[("jobTemplate", Field::Mapping(&WORKLOAD))]);
object!(CRON_JOB, ("spec", Field::Mapping(&CRON_JOB_SPEC)));

static SERVICE_SPEC: Type = Type(&[("ports", Field::Keyed(SERVICE_PORT, &PLAIN))]);
object!(SERVICE, ("spec", Field::Mapping(&SERVICE_SPEC)));

object!(SERVICE_ACCOUNT, ("secrets", Field::Keyed(NAME, &PLAIN)));

static NODE_SPEC: Type = Type(&[("podCIDRs", Field::Set)]);
object!(NODE, ("spec", Field::Mapping(&NODE_SPEC)));

static CSI_NODE_SPEC: Type = Type(&[("drivers", Field::Keyed(NAME, &PLAIN))]);
object!(CSI_NODE, ("spec", Field::Mapping(&CSI_NODE_SPEC)));

static BUDGET_SPEC: Type = Type(&[("selector", Field::Whole)]);
object!(BUDGET, ("spec", Field::Mapping(&BUDGET_SPEC)));

static WEBHOOK: Type = Type(&[("matchConditions", Field::Keyed(NAME, &PLAIN))]);
object!(WEBHOOKS, ("webhooks", Field::Keyed(NAME, &WEBHOOK)));

static VALIDATING_SPEC: Type = Type(&[
    ("matchConditions", Field::Keyed(NAME, &PLAIN)),
    ("variables", Field::Keyed(NAME, &PLAIN)),
]);
object!(VALIDATING, ("spec", Field::Mapping(&VALIDATING_SPEC)));

object!(MUTATING, ("spec", Field::Mapping(&WEBHOOK)));

/// The kinds with lists that are merged, by group.
static KINDS: &[(&str, &str, &Type)] = &[
    ("", "Pod", &POD),
    ("", "PodTemplate", &POD_TEMPLATE),
    ("", "ReplicationController", &WORKLOAD),
    ("", "Service", &SERVICE),
    ("", "ServiceAccount", &SERVICE_ACCOUNT),
    ("", "Node", &NODE),
    ("apps", "Deployment", &WORKLOAD),
    ("apps", "ReplicaSet", &WORKLOAD),
    ("apps", "StatefulSet", &WORKLOAD),
    ("apps", "DaemonSet", &WORKLOAD),
    ("batch", "Job", &WORKLOAD),
    ("batch", "CronJob", &CRON_JOB),
    ("policy", "PodDisruptionBudget", &BUDGET),
    ("storage.k8s.io", "CSINode", &CSI_NODE),
    (
        "admissionregistration.k8s.io",
        "MutatingWebhookConfiguration",
        &WEBHOOKS,
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingWebhookConfiguration",
        &WEBHOOKS,
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicy",
        &VALIDATING,
    ),
    (
        "admissionregistration.k8s.io",
        "MutatingAdmissionPolicy",
        &MUTATING,
    ),
];

/// Returns how the objects of a kind are merged; nothing where that isn't known, as of custom resources.
pub(crate) fn merge_type(group: &str, kind: &str) -> Option<&'static Type> {
    let known = KINDS
        .iter()
        .find(|known| known.0 == group && known.1 == kind);
    match known {
        Some((.., of)) => Some(of),
        None => is_built_in_group(group).then_some(&BUILT_IN),
    }
}

/// Returns the type of a mapping of which nothing is known.
pub(crate) fn plain() -> &'static Type {
    &PLAIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Visits every keyed list below a type.
    fn lists(of: &'static Type, found: &mut Vec<(&'static str, Key)>) {
        for (name, field) in of.0 {
            match field {
                Field::Mapping(of) => lists(of, found),
                Field::Keyed(key, of) => {
                    found.push((name, *key));
                    lists(of, found);
                }
                Field::Whole | Field::Set => {}
            }
        }
    }

    #[test]
    fn every_key_that_merges_also_names() {
        let mut found = Vec::new();
        for (_, _, of) in KINDS {
            lists(of, &mut found);
        }
        assert!(found.len() > 20);
        for (list, key) in found {
            let keys: Vec<&str> = std::iter::once(key.first)
                .chain(key.second.map(|second| second.field))
                .collect();
            assert!(naming_keys(list).contains(&keys.as_slice()), "{list}");
        }
    }

    #[test]
    fn the_same_name_may_mean_another_list() {
        let spec = |group, kind| match merge_type(group, kind)?.field("spec")? {
            Field::Mapping(of) => Some(*of),
            _ => None,
        };
        let ports = |of: Option<&Type>| match of?.field("ports")? {
            Field::Keyed(key, _) => Some(key.first),
            _ => None,
        };
        assert_eq!(ports(spec("", "Service")), Some("port"));
        assert_eq!(ports(spec("networking.k8s.io", "NetworkPolicy")), None);
        let pod = spec("", "Pod").and_then(|of| of.field("containers"));
        let Some(Field::Keyed(_, container)) = pod else {
            panic!("containers are keyed");
        };
        assert_eq!(ports(Some(container)), Some("containerPort"));
        assert!(merge_type("example.com", "Deployment").is_none());
        assert!(merge_type("apps", "ControllerRevision").is_some());
    }

    #[test]
    fn a_second_key_tells_apart_what_has_the_first_in_common() {
        let Some(Field::Keyed(port, _)) = CONTAINER.field("ports") else {
            panic!("ports are keyed");
        };
        let Some(Field::Keyed(spread, _)) = POD_SPEC.field("topologySpreadConstraints") else {
            panic!("constraints are keyed");
        };
        let udp = json!({"containerPort": 53, "protocol": "UDP"});
        let tcp = json!({"containerPort": 53, "protocol": "TCP"});
        let unsaid = json!({"containerPort": 53});
        let a = json!({"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"});
        let b = json!({"topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"});
        let zone = json!({"topologyKey": "zone"});
        let (sctp, other) = (
            json!({"containerPort": 53, "protocol": "SCTP"}),
            json!({"topologyKey": "host"}),
        );
        let cases = [
            (port, vec![&udp, &tcp], &unsaid, Some(1)),
            (port, vec![&udp, &unsaid], &tcp, Some(1)),
            (port, vec![&udp], &unsaid, Some(0)),
            (port, vec![&udp, &sctp], &unsaid, None),
            (port, vec![&udp], &tcp, None),
            (port, vec![&unsaid], &udp, None),
            (port, vec![], &udp, None),
            (port, vec![&udp], &a, None),
            (spread, vec![&a, &b], &b, Some(1)),
            (spread, vec![&a], &b, Some(0)),
            (spread, vec![&a, &b], &zone, Some(0)),
            (spread, vec![&a], &other, None),
        ];
        for (key, items, wanted, expected) in cases {
            let items: Vec<Value> = items.into_iter().cloned().collect();
            let wanted = wanted.as_object().expect("a mapping");
            assert_eq!(key.find(&items, wanted), expected, "{items:?} {wanted:?}");
        }
    }
}
