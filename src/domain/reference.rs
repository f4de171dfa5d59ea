//! What objects of the core kinds name by name: a table, and the walk that reads an object by it.
//!
//! One row says where a name stands and what it names; pod templates are described once and hung
//! below every kind that has one. The table is compiled into a tree of steps on first use, so that
//! an object is walked once, whatever the number of rows. Labels are not names: what a selector
//! finds is answered by [`Workloads`].

use std::collections::HashMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::path::{Path, Segment};
use crate::resource::{Resource, ResourceSet, canonical_group, dig, split_api_version};

/// The objects that a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The pod spec of every kind in [`POD_TEMPLATES`].
    PodSpec,
    /// Kinds of one group.
    Kinds(&'static str, &'static [&'static str]),
}

/// What a row's name is the name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A kind of this group in the namespace of the object itself.
    Own(&'static str, &'static str),
    /// A kind of this group in the namespace that the field `namespace` beside the name gives.
    Elsewhere(&'static str, &'static str),
    /// A cluster-scoped kind of this group.
    Cluster(&'static str, &'static str),
    /// What the fields `apiVersion` and `kind` beside the name say.
    ByApiVersion,
    /// What the fields `apiGroup` and `kind` beside the name say; without a group, this one.
    ByGroup(&'static str),
    /// A `ServiceAccount` when the field `kind` beside the name says so, else nothing.
    Subject,
}

/// Where a row finds the keys that the target must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// It names none.
    None,
    /// In the field `key`.
    One,
    /// In the field `key` of each entry of `items`.
    Items,
}

/// One row of [`TABLE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The objects that have the field.
    pub source: Source,
    /// The mapping that holds the fields; `[]` stands for every entry of a list, nothing for the root.
    pub holder: &'static str,
    /// The field with the name.
    pub name: &'static str,
    /// What is named.
    pub target: Target,
    /// Whether the field `optional` of the holder is to be read.
    pub optional: bool,
    /// Where the needed keys stand.
    pub keys: Keys,
    /// Paths of fields of which one holds a port of the target.
    pub ports: &'static [&'static str],
    /// Whether the target is usually brought by somebody else (a platform, a controller): then its
    /// absence says nothing.
    pub elsewhere: bool,
}

impl Row {
    const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    const fn key(mut self) -> Self {
        self.keys = Keys::One;
        self
    }

    const fn items(mut self) -> Self {
        self.keys = Keys::Items;
        self
    }

    const fn ports(mut self, ports: &'static [&'static str]) -> Self {
        self.ports = ports;
        self
    }

    const fn elsewhere(mut self) -> Self {
        self.elsewhere = true;
        self
    }
}

const fn row(source: Source, holder: &'static str, name: &'static str, target: Target) -> Row {
    Row {
        source,
        holder,
        name,
        target,
        optional: false,
        keys: Keys::None,
        ports: &[],
        elsewhere: false,
    }
}

const fn pod(holder: &'static str, name: &'static str, target: Target) -> Row {
    row(Source::PodSpec, holder, name, target)
}

const fn volume_secret(holder: &'static str) -> Row {
    row(PV, holder, "name", Target::Elsewhere("", "Secret"))
}

const RBAC: &str = "rbac.authorization.k8s.io";
const STORAGE: &str = "storage.k8s.io";
const NETWORKING: &str = "networking.k8s.io";
const FLOW_CONTROL: &str = "flowcontrol.apiserver.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

const CONFIG_MAP: Target = Target::Own("", "ConfigMap");
const SECRET: Target = Target::Own("", "Secret");
const SERVICE: Target = Target::Own("", "Service");
const SERVICE_ACCOUNT: Target = Target::Own("", "ServiceAccount");
const CLAIM: Target = Target::Own("", "PersistentVolumeClaim");
const BACKEND: Target = Target::Elsewhere("", "Service");
const STORAGE_CLASS: Target = Target::Cluster(STORAGE, "StorageClass");

const PV: Source = Source::Kinds("", &["PersistentVolume"]);
const PVC: Source = Source::Kinds("", &["PersistentVolumeClaim"]);
const INGRESS: Source = Source::Kinds(NETWORKING, &["Ingress"]);
const BINDINGS: Source = Source::Kinds(RBAC, &["RoleBinding", "ClusterRoleBinding"]);
const WEBHOOKS: Source = Source::Kinds(
    ADMISSION,
    &[
        "MutatingWebhookConfiguration",
        "ValidatingWebhookConfiguration",
    ],
);

const STATEFUL_SET: Source = Source::Kinds("apps", &["StatefulSet"]);
const AUTOSCALER: Source = Source::Kinds("autoscaling", &["HorizontalPodAutoscaler"]);
const ACCOUNT: Source = Source::Kinds("", &["ServiceAccount"]);
const TOKEN: Source = Source::Kinds("", &["Secret"]);
const DEFINITION: Source = Source::Kinds("apiextensions.k8s.io", &["CustomResourceDefinition"]);
const API_SERVICE: Source = Source::Kinds("apiregistration.k8s.io", &["APIService"]);
const VALIDATING_BINDING: Source = Source::Kinds(ADMISSION, &["ValidatingAdmissionPolicyBinding"]);
const MUTATING_BINDING: Source = Source::Kinds(ADMISSION, &["MutatingAdmissionPolicyBinding"]);
const FLOW_SCHEMA: Source = Source::Kinds(FLOW_CONTROL, &["FlowSchema"]);

const VALIDATING_POLICY: Target = Target::Cluster(ADMISSION, "ValidatingAdmissionPolicy");
const MUTATING_POLICY: Target = Target::Cluster(ADMISSION, "MutatingAdmissionPolicy");
const PRIORITY_LEVEL: Target = Target::Cluster(FLOW_CONTROL, "PriorityLevelConfiguration");
const DEVICE_CLAIM: Target = Target::Own("resource.k8s.io", "ResourceClaim");
const CLAIM_TEMPLATE: Target = Target::Own("resource.k8s.io", "ResourceClaimTemplate");
const BACKEND_PORTS: &[&str] = &["port.number", "port.name"];

/// The kinds that run pods: group, kind and where their pod template stands.
pub const POD_TEMPLATES: &[(&str, &str, &str)] = &[
    ("", "Pod", ""),
    ("", "ReplicationController", "spec.template"),
    ("apps", "Deployment", "spec.template"),
    ("apps", "ReplicaSet", "spec.template"),
    ("apps", "StatefulSet", "spec.template"),
    ("apps", "DaemonSet", "spec.template"),
    ("batch", "Job", "spec.template"),
    ("batch", "CronJob", "spec.jobTemplate.spec.template"),
];

/// The references between core kinds; one row a line.
#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    // Pods.
    pod("", "serviceAccountName", SERVICE_ACCOUNT),
    pod("", "serviceAccount", SERVICE_ACCOUNT),
    pod("imagePullSecrets[]", "name", SECRET),
    pod("", "priorityClassName", Target::Cluster("scheduling.k8s.io", "PriorityClass")),
    pod("", "runtimeClassName", Target::Cluster("node.k8s.io", "RuntimeClass")).elsewhere(),
    pod("resourceClaims[]", "resourceClaimName", DEVICE_CLAIM),
    pod("resourceClaims[]", "resourceClaimTemplateName", CLAIM_TEMPLATE),
    pod("volumes[].configMap", "name", CONFIG_MAP).optional().items(),
    pod("volumes[].secret", "secretName", SECRET).optional().items(),
    pod("volumes[].persistentVolumeClaim", "claimName", CLAIM),
    pod("volumes[].projected.sources[].configMap", "name", CONFIG_MAP).optional().items(),
    pod("volumes[].projected.sources[].secret", "name", SECRET).optional().items(),
    pod("volumes[].ephemeral.volumeClaimTemplate.spec", "storageClassName", STORAGE_CLASS).elsewhere(),
    pod("volumes[].csi.nodePublishSecretRef", "name", SECRET),
    pod("volumes[].azureFile", "secretName", SECRET),
    pod("volumes[].cephfs.secretRef", "name", SECRET),
    pod("volumes[].flexVolume.secretRef", "name", SECRET),
    pod("volumes[].iscsi.secretRef", "name", SECRET),
    pod("volumes[].rbd.secretRef", "name", SECRET),
    pod("volumes[].scaleIO.secretRef", "name", SECRET),
    pod("volumes[].storageos.secretRef", "name", SECRET),
    pod("containers[].env[].valueFrom.configMapKeyRef", "name", CONFIG_MAP).optional().key(),
    pod("containers[].env[].valueFrom.secretKeyRef", "name", SECRET).optional().key(),
    pod("containers[].envFrom[].configMapRef", "name", CONFIG_MAP).optional(),
    pod("containers[].envFrom[].secretRef", "name", SECRET).optional(),
    pod("initContainers[].env[].valueFrom.configMapKeyRef", "name", CONFIG_MAP).optional().key(),
    pod("initContainers[].env[].valueFrom.secretKeyRef", "name", SECRET).optional().key(),
    pod("initContainers[].envFrom[].configMapRef", "name", CONFIG_MAP).optional(),
    pod("initContainers[].envFrom[].secretRef", "name", SECRET).optional(),
    // Workloads.
    row(STATEFUL_SET, "spec", "serviceName", SERVICE),
    row(STATEFUL_SET, "spec.volumeClaimTemplates[].spec", "storageClassName", STORAGE_CLASS).elsewhere(),
    row(AUTOSCALER, "spec.scaleTargetRef", "name", Target::ByApiVersion),
    row(ACCOUNT, "imagePullSecrets[]", "name", SECRET),
    row(ACCOUNT, "secrets[]", "name", SECRET).elsewhere(),
    row(TOKEN, "metadata.annotations", "kubernetes.io/service-account.name", SERVICE_ACCOUNT),
    // Traffic.
    row(INGRESS, "spec.defaultBackend.service", "name", SERVICE).ports(BACKEND_PORTS),
    row(INGRESS, "spec.defaultBackend.resource", "name", Target::ByGroup("")),
    row(INGRESS, "spec.rules[].http.paths[].backend.service", "name", SERVICE).ports(BACKEND_PORTS),
    row(INGRESS, "spec.rules[].http.paths[].backend.resource", "name", Target::ByGroup("")),
    // As `networking.k8s.io/v1beta1` and `extensions/v1beta1` had it.
    row(INGRESS, "spec.backend", "serviceName", SERVICE).ports(&["servicePort"]),
    row(INGRESS, "spec.rules[].http.paths[].backend", "serviceName", SERVICE).ports(&["servicePort"]),
    // Certificates are usually issued by a controller.
    row(INGRESS, "spec.tls[]", "secretName", SECRET).elsewhere(),
    row(INGRESS, "spec", "ingressClassName", Target::Cluster(NETWORKING, "IngressClass")).elsewhere(),
    // Permissions.
    row(BINDINGS, "roleRef", "name", Target::ByGroup(RBAC)),
    row(BINDINGS, "subjects[]", "name", Target::Subject),
    // Storage.
    row(PVC, "spec", "storageClassName", STORAGE_CLASS).elsewhere(),
    row(PVC, "spec", "volumeName", Target::Cluster("", "PersistentVolume")).elsewhere(),
    row(PVC, "spec", "volumeAttributesClassName", Target::Cluster(STORAGE, "VolumeAttributesClass")).elsewhere(),
    row(PVC, "spec.dataSource", "name", Target::ByGroup("")),
    row(PV, "spec", "storageClassName", STORAGE_CLASS).elsewhere(),
    row(PV, "spec.claimRef", "name", Target::Elsewhere("", "PersistentVolumeClaim")).elsewhere(),
    volume_secret("spec.csi.controllerExpandSecretRef"),
    volume_secret("spec.csi.controllerPublishSecretRef"),
    volume_secret("spec.csi.nodeExpandSecretRef"),
    volume_secret("spec.csi.nodePublishSecretRef"),
    volume_secret("spec.csi.nodeStageSecretRef"),
    // The API server's own clients.
    row(WEBHOOKS, "webhooks[].clientConfig.service", "name", BACKEND).ports(&["port"]),
    row(DEFINITION, "spec.conversion.webhook.clientConfig.service", "name", BACKEND).ports(&["port"]),
    row(API_SERVICE, "spec.service", "name", BACKEND).ports(&["port"]),
    row(VALIDATING_BINDING, "spec", "policyName", VALIDATING_POLICY),
    row(MUTATING_BINDING, "spec", "policyName", MUTATING_POLICY),
    row(FLOW_SCHEMA, "spec.priorityLevelConfiguration", "name", PRIORITY_LEVEL).elsewhere(),
];

/// Where the target of a reference lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place<'a> {
    /// In the namespace of the object that refers to it.
    Own,
    /// In this namespace.
    Namespace(&'a str),
    /// In no namespace.
    Cluster,
}

/// A port as a reference gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port<'a> {
    /// By number.
    Number(i64),
    /// By name.
    Name(&'a str),
}

impl std::fmt::Display for Port<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}

/// A key that the target of a reference must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key<'a> {
    /// The key.
    pub name: &'a str,
    /// The entry of `items` that names it, where several may.
    pub item: Option<usize>,
}

/// A name in an object that is the name of another one.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference<'a> {
    /// The row that found it.
    pub row: &'static Row,
    /// The group of the target, as [`canonical_group`] gives it.
    pub group: &'a str,
    /// The kind of the target.
    pub kind: &'a str,
    /// The namespace of the target.
    pub place: Place<'a>,
    /// The name of the target.
    pub name: &'a str,
    /// The keys that the target must have.
    pub keys: Vec<Key<'a>>,
    /// The port that the target must have, and the field that says so.
    pub port: Option<(Port<'a>, &'static str)>,
    /// Whether the object does without the target.
    pub optional: bool,
    at: At,
}

impl<'a> Reference<'a> {
    /// Returns where the name stands.
    pub fn path(&self) -> Path {
        let mut segments = self.holder();
        segments.push(Segment::Key(self.row.name.to_owned()));
        Path::from(segments)
    }

    /// Returns where a key stands.
    pub fn key_path(&self, key: &Key<'_>) -> Path {
        let mut segments = self.holder();
        if let Some(item) = key.item {
            segments.push(Segment::Key("items".to_owned()));
            segments.push(Segment::Index(item));
        }
        segments.push(Segment::Key("key".to_owned()));
        Path::from(segments)
    }

    /// Returns where the port stands, or the name without one.
    pub fn port_path(&self) -> Path {
        let Some((_, field)) = self.port else {
            return self.path();
        };
        let mut segments = self.holder();
        segments.extend(field.split('.').map(|key| Segment::Key(key.to_owned())));
        Path::from(segments)
    }

    /// Returns the namespace of the target, given that of the object that refers to it.
    pub fn namespace(&self, own: Option<&'a str>) -> Option<&'a str> {
        match self.place {
            Place::Own => own,
            Place::Namespace(namespace) => Some(namespace),
            Place::Cluster => None,
        }
    }

    fn holder(&self) -> Vec<Segment> {
        let mut indexes = self.at.indexes.iter();
        let mut segments = Vec::new();
        for step in steps(self.at.prefix).chain(steps(self.row.holder)) {
            segments.push(match step {
                Step::Key(key) => Segment::Key(key.to_owned()),
                Step::Each => Segment::Index(indexes.next().copied().unwrap_or(0)),
            });
        }
        segments
    }
}

/// Returns what an object names, in the order of its rows' places in the object.
pub fn references(object: &Value) -> Vec<Reference<'_>> {
    let mut found = Vec::new();
    let text = |field| object.get(field).and_then(Value::as_str);
    if let (Some(api_version), Some(kind)) = (text("apiVersion"), text("kind")) {
        let group = canonical_group(split_api_version(api_version).0, kind);
        collect(group, kind, object, &mut found);
    }
    found
}

pub(crate) fn collect<'a>(
    group: &'a str,
    kind: &'a str,
    object: &'a Value,
    found: &mut Vec<Reference<'a>>,
) {
    let trees: &'a HashMap<(&'a str, &'a str), Tree> = &TREES;
    if let Some(tree) = trees.get(&(group, kind)) {
        tree.walk(object, &mut [0; DEPTH], 0, found);
    }
}

/// How many lists a row may pass.
const DEPTH: usize = 3;

#[derive(Debug, Clone, Copy, PartialEq)]
struct At {
    prefix: &'static str,
    indexes: [usize; DEPTH],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Key(&'static str),
    Each,
}

fn steps(pattern: &'static str) -> impl Iterator<Item = Step> {
    let parts = pattern.split('.').filter(|part| !part.is_empty());
    parts
        .flat_map(|part| match part.strip_suffix("[]") {
            Some(key) => [Some(Step::Key(key)), Some(Step::Each)],
            None => [Some(Step::Key(part)), None],
        })
        .flatten()
}

#[derive(Debug, Default)]
struct Tree {
    keys: Vec<(&'static str, Tree)>,
    each: Option<Box<Tree>>,
    rows: Vec<(&'static str, &'static Row)>,
}

static TREES: LazyLock<HashMap<(&'static str, &'static str), Tree>> = LazyLock::new(|| {
    let mut trees: HashMap<(&str, &str), Tree> = HashMap::new();
    for row in TABLE {
        match row.source {
            Source::PodSpec => {
                for (group, kind, template) in POD_TEMPLATES {
                    let prefix = pod_spec_prefix(template);
                    trees.entry((group, kind)).or_default().insert(prefix, row);
                }
            }
            Source::Kinds(group, kinds) => {
                for kind in kinds {
                    trees.entry((group, kind)).or_default().insert("", row);
                }
            }
        }
    }
    trees
});

/// Spelt out because a row's prefix lives as long as the table does.
fn pod_spec_prefix(template: &str) -> &'static str {
    match template {
        "" => "spec",
        "spec.template" => "spec.template.spec",
        _ => "spec.jobTemplate.spec.template.spec",
    }
}

impl Tree {
    fn insert(&mut self, prefix: &'static str, row: &'static Row) {
        let mut tree = self;
        for step in steps(prefix).chain(steps(row.holder)) {
            tree = match step {
                Step::Each => tree.each.get_or_insert_default(),
                Step::Key(key) => {
                    let at = tree.keys.iter().position(|(known, _)| *known == key);
                    let at = at.unwrap_or_else(|| {
                        tree.keys.push((key, Self::default()));
                        tree.keys.len() - 1
                    });
                    &mut tree.keys[at].1
                }
            };
        }
        tree.rows.push((prefix, row));
    }

    fn walk<'a>(
        &self,
        value: &'a Value,
        indexes: &mut [usize; DEPTH],
        depth: usize,
        found: &mut Vec<Reference<'a>>,
    ) {
        if let Value::Object(holder) = value {
            for (prefix, row) in &self.rows {
                let indexes = *indexes;
                found.extend(read(row, holder, At { prefix, indexes }));
            }
            for (key, tree) in &self.keys {
                if let Some(value) = holder.get(*key) {
                    tree.walk(value, indexes, depth, found);
                }
            }
        }
        if let (Some(tree), Value::Array(entries)) = (&self.each, value) {
            for (index, entry) in entries.iter().enumerate() {
                if let Some(place) = indexes.get_mut(depth) {
                    *place = index;
                }
                tree.walk(entry, indexes, depth + 1, found);
            }
        }
    }
}

fn read<'a>(row: &'static Row, holder: &'a Map<String, Value>, at: At) -> Option<Reference<'a>> {
    let text = |field: &str| holder.get(field).and_then(Value::as_str);
    let name = text(row.name).filter(|name| !name.is_empty())?;
    let namespace = || text("namespace").map_or(Place::Own, Place::Namespace);
    let (group, kind, place) = match row.target {
        Target::Own(group, kind) => (group, kind, Place::Own),
        Target::Elsewhere(group, kind) => (group, kind, namespace()),
        Target::Cluster(group, kind) => (group, kind, Place::Cluster),
        Target::ByApiVersion => {
            let group = split_api_version(text("apiVersion")?).0;
            (group, text("kind")?, Place::Own)
        }
        Target::ByGroup(default) => {
            let kind = text("kind")?;
            let place = if kind == "ClusterRole" {
                Place::Cluster
            } else {
                Place::Own
            };
            (text("apiGroup").unwrap_or(default), kind, place)
        }
        Target::Subject => {
            text("kind").filter(|kind| *kind == "ServiceAccount")?;
            ("", "ServiceAccount", namespace())
        }
    };
    let keys = match row.keys {
        Keys::None => Vec::new(),
        Keys::One => {
            let key = text("key").map(|name| Key { name, item: None });
            key.into_iter().collect()
        }
        Keys::Items => {
            let items = holder.get("items").and_then(Value::as_array);
            let items = items.into_iter().flatten().enumerate();
            items
                .filter_map(|(index, item)| {
                    let item_key = item.get("key")?.as_str()?;
                    Some(Key {
                        name: item_key,
                        item: Some(index),
                    })
                })
                .collect()
        }
    };
    let port = row.ports.iter().find_map(|field| {
        let mut steps = field.split('.');
        let first = holder.get(steps.next()?)?;
        let port = match steps.try_fold(first, |value, step| value.get(step))? {
            Value::String(name) => Port::Name(name),
            value => Port::Number(value.as_i64()?),
        };
        Some((port, *field))
    });
    let optional = row.optional && holder.get("optional").and_then(Value::as_bool) == Some(true);
    Some(Reference {
        row,
        group: canonical_group(group, kind),
        kind,
        place,
        name,
        keys,
        port,
        optional,
        at,
    })
}

/// Returns the pod template of an object that runs pods.
pub fn pod_template<'a>(group: &str, kind: &str, object: &'a Value) -> Option<&'a Value> {
    let (_, _, path) = POD_TEMPLATES
        .iter()
        .find(|known| known.0 == group && known.1 == kind)?;
    path.split('.')
        .filter(|key| !key.is_empty())
        .try_fold(object, |value, key| value.get(key))
}

/// A condition on labels.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selector<'a> {
    equals: Vec<(&'a str, &'a str)>,
    expressions: Vec<Expression<'a>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Expression<'a> {
    key: &'a str,
    operator: Operator,
    values: Vec<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

impl<'a> Selector<'a> {
    /// Reads a plain mapping of labels, as a `Service` has it; `None` when it isn't one.
    pub fn from_labels(value: &'a Value) -> Option<Self> {
        let labels = value.as_object()?.iter();
        let equals = labels.map(|(key, value)| Some((key.as_str(), value.as_str()?)));
        Some(Self {
            equals: equals.collect::<Option<_>>()?,
            expressions: Vec::new(),
        })
    }

    /// Reads a `LabelSelector`; `None` when it isn't one.
    pub fn from_label_selector(value: &'a Value) -> Option<Self> {
        let mut selector = match value.as_object()?.get("matchLabels") {
            Some(Value::Null) | None => Self::default(),
            Some(labels) => Self::from_labels(labels)?,
        };
        let expressions = value.get("matchExpressions").and_then(Value::as_array);
        for expression in expressions.into_iter().flatten() {
            let values = expression.get("values").and_then(Value::as_array);
            selector.expressions.push(Expression {
                key: expression.get("key")?.as_str()?,
                operator: match expression.get("operator")?.as_str()? {
                    "In" => Operator::In,
                    "NotIn" => Operator::NotIn,
                    "Exists" => Operator::Exists,
                    "DoesNotExist" => Operator::DoesNotExist,
                    _ => return None,
                },
                values: values
                    .into_iter()
                    .flatten()
                    .map(Value::as_str)
                    .collect::<Option<_>>()?,
            });
        }
        Some(selector)
    }

    /// Tells whether it has no condition at all.
    pub fn is_empty(&self) -> bool {
        self.equals.is_empty() && self.expressions.is_empty()
    }

    /// Tells whether labels fulfil it.
    pub fn matches(&self, labels: Option<&Map<String, Value>>) -> bool {
        let label = |key: &str| labels.and_then(|labels| labels.get(key)?.as_str());
        self.equals
            .iter()
            .all(|(key, value)| label(key) == Some(value))
            && self.expressions.iter().all(|expression| {
                let value = label(expression.key);
                let listed = value.is_some_and(|value| expression.values.contains(&value));
                match expression.operator {
                    Operator::In => listed,
                    Operator::NotIn => !listed,
                    Operator::Exists => value.is_some(),
                    Operator::DoesNotExist => value.is_none(),
                }
            })
    }

    /// Returns the values that it asks labels to have.
    pub(crate) fn values(&self) -> impl Iterator<Item = &'a str> {
        let wanted = self.expressions.iter();
        let wanted = wanted.filter(|expression| expression.operator == Operator::In);
        let equal = self.equals.iter().map(|(_, value)| *value);
        equal.chain(wanted.flat_map(|expression| expression.values.iter().copied()))
    }
}

/// The resources that run pods, found by the labels of those.
#[derive(Debug)]
pub struct Workloads<'a> {
    set: &'a ResourceSet,
    by_label: HashMap<(&'a str, &'a str, &'a str), Vec<usize>>,
    by_namespace: HashMap<&'a str, Vec<usize>>,
}

/// What a selector found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matches {
    /// The resources, by their place in the set.
    pub resources: Vec<usize>,
    /// Whether all were looked at; not so where very many share one label.
    pub complete: bool,
}

impl<'a> Workloads<'a> {
    /// How many candidates one selector may look at, so that no set takes quadratic time.
    const CANDIDATES: usize = 256;

    /// Reads the labels of all pod templates in a set.
    pub fn of(set: &'a ResourceSet) -> Self {
        let mut by_label: HashMap<_, Vec<usize>> = HashMap::new();
        let mut by_namespace: HashMap<_, Vec<usize>> = HashMap::new();
        for (index, resource) in set.iter().enumerate() {
            let namespace = resource.namespace.as_deref().unwrap_or_default();
            let template = pod_template(resource.group(), &resource.kind, &resource.object);
            if let Some(template) = template {
                by_namespace.entry(namespace).or_default().push(index);
                for (key, value) in labels(template).into_iter().flatten() {
                    if let Some(value) = value.as_str() {
                        let label = (namespace, key.as_str(), value);
                        by_label.entry(label).or_default().push(index);
                    }
                }
            }
        }
        Self {
            set,
            by_label,
            by_namespace,
        }
    }

    /// Returns the resources whose pods a selector in a namespace finds.
    pub fn matching(&self, namespace: Option<&str>, selector: &Selector<'_>) -> Matches {
        let namespace = namespace.unwrap_or_default();
        let labels_of = selector.equals.iter();
        let rarest = labels_of
            .map(|&(key, value)| self.by_label.get(&(namespace, key, value)))
            .min_by_key(|found| found.map_or(0, Vec::len));
        let candidates = rarest.unwrap_or_else(|| self.by_namespace.get(namespace));
        let candidates = candidates.map_or(&[][..], Vec::as_slice);
        let looked_at = candidates.iter().copied().take(Self::CANDIDATES);
        Matches {
            resources: looked_at
                .filter(|&index| {
                    let template = self.set.get(index).and_then(template_of);
                    template.is_some_and(|template| selector.matches(labels(template)))
                })
                .collect(),
            complete: candidates.len() <= Self::CANDIDATES,
        }
    }

    /// Returns the resources whose pods stand behind a `Service`.
    pub fn behind(&self, service: &Resource) -> Matches {
        let selector = dig(&service.object, &["spec", "selector"]);
        match selector.and_then(Selector::from_labels) {
            Some(selector) if !selector.is_empty() => {
                self.matching(service.namespace.as_deref(), &selector)
            }
            _ => Matches {
                resources: Vec::new(),
                complete: true,
            },
        }
    }
}

fn template_of(resource: &Resource) -> Option<&Value> {
    pod_template(resource.group(), &resource.kind, &resource.object)
}

fn labels(template: &Value) -> Option<&Map<String, Value>> {
    template.get("metadata")?.get("labels")?.as_object()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn parse(text: &str) -> Value {
        yaml::parse_one(text, &yaml::Limits::STREAM).expect("a test writes YAML")
    }

    /// Renders a reference as `path -> group/Kind in PLACE: name`.
    fn shown(reference: &Reference<'_>) -> String {
        let place = match reference.place {
            Place::Own => "own".to_owned(),
            Place::Namespace(namespace) => namespace.to_owned(),
            Place::Cluster => "cluster".to_owned(),
        };
        let Reference {
            group, kind, name, ..
        } = reference;
        let path = reference.path();
        let mut text = vec![format!("{path} -> {group}/{kind} in {place}: {name}")];
        for key in &reference.keys {
            text.push(format!("key {} at {}", key.name, reference.key_path(key)));
        }
        if let Some((port, _)) = reference.port {
            text.push(format!("port {port} at {}", reference.port_path()));
        }
        if reference.optional {
            text.push("optional".to_owned());
        }
        text.join(" ")
    }

    fn all(text: &str) -> Vec<String> {
        references(&parse(text)).iter().map(shown).collect()
    }

    /// An object that fills one row, and what the row finds in it.
    fn sample(row: &Row, api_version: &str, kind: &str, template: Option<&str>) -> (Value, String) {
        let mut holder = Map::new();
        let mut set = |field: &str, text: &str| {
            holder.insert(field.to_owned(), Value::String(text.to_owned()));
        };
        set(row.name, "x");
        let (group, target, place) = match row.target {
            Target::Own(group, kind) => (group, kind, "own"),
            Target::Elsewhere(group, kind) => {
                set("namespace", "there");
                (group, kind, "there")
            }
            Target::Cluster(group, kind) => (group, kind, "cluster"),
            Target::ByApiVersion => {
                set("apiVersion", "apps/v1");
                set("kind", "Deployment");
                ("apps", "Deployment", "own")
            }
            Target::ByGroup(_) => {
                set("apiGroup", "rbac.authorization.k8s.io");
                set("kind", "ClusterRole");
                ("rbac.authorization.k8s.io", "ClusterRole", "cluster")
            }
            Target::Subject => {
                set("namespace", "there");
                set("kind", "ServiceAccount");
                ("", "ServiceAccount", "there")
            }
        };
        let mut value = Value::Object(holder);
        let mut path = String::new();
        let prefix = template.map_or("", pod_spec_prefix);
        let steps: Vec<Step> = steps(prefix).chain(steps(row.holder)).collect();
        for step in &steps {
            match step {
                Step::Key(key) => {
                    let dot = if path.is_empty() { "" } else { "." };
                    path.extend([dot, key]);
                }
                // The second entry, so that an index that is always 0 would be seen.
                Step::Each => path.push_str("[1]"),
            }
        }
        for step in steps.iter().rev() {
            value = match step {
                Step::Key(key) => Value::Object([((*key).to_owned(), value)].into_iter().collect()),
                Step::Each => Value::Array(vec![Value::Null, value]),
            };
        }
        let field = Path::from(vec![Segment::Key(row.name.to_owned())]).to_string();
        let dot = if path.is_empty() || field.starts_with('[') {
            ""
        } else {
            "."
        };
        let expected = format!("{path}{dot}{field} -> {group}/{target} in {place}: x");
        let object = value.as_object_mut().expect("every row starts at a key");
        object.insert(
            "apiVersion".to_owned(),
            Value::String(api_version.to_owned()),
        );
        object.insert("kind".to_owned(), Value::String(kind.to_owned()));
        (value, expected)
    }

    #[test]
    fn every_row_finds_its_name_in_every_kind_that_has_it() {
        for row in TABLE {
            let sources: Vec<(&str, &str, Option<&str>)> = match row.source {
                Source::PodSpec => {
                    let kinds = POD_TEMPLATES.iter();
                    kinds
                        .map(|(group, kind, path)| (*group, *kind, Some(*path)))
                        .collect()
                }
                Source::Kinds(group, kinds) => {
                    kinds.iter().map(|kind| (group, *kind, None)).collect()
                }
            };
            for (group, kind, template) in sources {
                let api_version = if group.is_empty() {
                    "v1".to_owned()
                } else {
                    format!("{group}/v1")
                };
                let (object, expected) = sample(row, &api_version, kind, template);
                let found: Vec<String> = references(&object).iter().map(shown).collect();
                assert_eq!(found, [expected], "{kind} {}", row.holder);
            }
        }
    }

    #[test]
    fn rows_pass_no_more_lists_than_a_reference_can_count() {
        for row in TABLE {
            let lists = steps(row.holder).filter(|step| *step == Step::Each).count();
            assert!(lists <= DEPTH, "{}", row.holder);
        }
    }

    #[test]
    fn the_pod_spec_of_every_template_is_known() {
        for (_, kind, template) in POD_TEMPLATES {
            let expected = format!("{template}.spec");
            assert_eq!(
                pod_spec_prefix(template),
                expected.trim_start_matches('.'),
                "{kind}"
            );
        }
    }

    #[test]
    fn a_pod_names_what_it_needs() {
        let text = "
apiVersion: batch/v1
kind: CronJob
metadata: {name: a}
spec: {jobTemplate: {spec: {template: {spec: {
  volumes: [
    {name: a, emptyDir: {}},
    {name: b, configMap: {name: m, optional: true, items: [{key: k, path: k}, {key: l, path: l}]}},
    {name: c, projected: {sources: [{serviceAccountToken: {}}, {secret: {name: s, items: [{key: t}]}}]}}],
  containers: [{name: a}, {name: b, env: [{name: A, value: b}, {name: B, valueFrom: {secretKeyRef: {name: s, key: u}}}]}]
}}}}}
";
        let spec = "spec.jobTemplate.spec.template.spec";
        let mut found = all(text);
        found.sort();
        assert_eq!(
            found,
            [
                format!(
                    "{spec}.containers[1].env[1].valueFrom.secretKeyRef.name -> /Secret in own: s \
                     key u at {spec}.containers[1].env[1].valueFrom.secretKeyRef.key"
                ),
                format!(
                    "{spec}.volumes[1].configMap.name -> /ConfigMap in own: m \
                     key k at {spec}.volumes[1].configMap.items[0].key \
                     key l at {spec}.volumes[1].configMap.items[1].key optional"
                ),
                format!(
                    "{spec}.volumes[2].projected.sources[1].secret.name -> /Secret in own: s \
                     key t at {spec}.volumes[2].projected.sources[1].secret.items[0].key"
                ),
            ]
        );
    }

    #[test]
    fn ports_groups_and_namespaces_are_read_beside_the_name() {
        let cases: &[(&str, &[&str])] = &[
            (
                "apiVersion: networking.k8s.io/v1\nkind: Ingress\nspec: {rules: [{http: {paths: [\
                 {backend: {service: {name: a, port: {number: 80}}}}, \
                 {backend: {service: {name: b, port: {name: http}}}}]}}]}\n",
                &[
                    "spec.rules[0].http.paths[0].backend.service.name -> /Service in own: a \
                     port 80 at spec.rules[0].http.paths[0].backend.service.port.number",
                    "spec.rules[0].http.paths[1].backend.service.name -> /Service in own: b \
                     port \"http\" at spec.rules[0].http.paths[1].backend.service.port.name",
                ],
            ),
            (
                "apiVersion: extensions/v1beta1\nkind: Ingress\n\
                 spec: {backend: {serviceName: a, servicePort: http}}\n",
                &[
                    "spec.backend.serviceName -> /Service in own: a port \"http\" at \
                   spec.backend.servicePort",
                ],
            ),
            (
                "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\n\
                 roleRef: {kind: Role, name: r}\nsubjects: [{kind: User, name: u}, \
                 {kind: ServiceAccount, name: s}, {kind: ServiceAccount, name: t, namespace: ns}]\n",
                &[
                    "roleRef.name -> rbac.authorization.k8s.io/Role in own: r",
                    "subjects[1].name -> /ServiceAccount in own: s",
                    "subjects[2].name -> /ServiceAccount in ns: t",
                ],
            ),
            (
                "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\n\
                 spec: {scaleTargetRef: {apiVersion: extensions/v1beta1, kind: Deployment, name: w}}\n",
                &["spec.scaleTargetRef.name -> apps/Deployment in own: w"],
            ),
            (
                "apiVersion: v1\nkind: PersistentVolumeClaim\n\
                 spec: {storageClassName: '', dataSource: {kind: PersistentVolumeClaim, name: o}}\n",
                &["spec.dataSource.name -> /PersistentVolumeClaim in own: o"],
            ),
            // Same kind, other group.
            (
                "apiVersion: example.com/v1\nkind: Ingress\nspec: {ingressClassName: a}\n",
                &[],
            ),
            // Wrong types are the schema's business.
            (
                "apiVersion: v1\nkind: Pod\nspec: {volumes: {configMap: {name: a}}, serviceAccountName: 1}\n",
                &[],
            ),
            ("apiVersion: v1\nkind: Pod\nspec: ~\n", &[]),
            ("kind: Pod\n", &[]),
        ];
        for (text, expected) in cases {
            let mut found = all(text);
            found.sort();
            assert_eq!(found, *expected, "{text}");
        }
    }

    #[test]
    fn selectors_match_labels() {
        let cases = [
            ("{}", "{a: b}", true),
            ("{matchLabels: {a: b}}", "{a: b, c: d}", true),
            ("{matchLabels: {a: b, c: e}}", "{a: b, c: d}", false),
            ("{matchLabels: {a: b}}", "{}", false),
            (
                "{matchExpressions: [{key: a, operator: In, values: [b, c]}]}",
                "{a: c}",
                true,
            ),
            (
                "{matchExpressions: [{key: a, operator: In, values: [b, c]}]}",
                "{}",
                false,
            ),
            (
                "{matchExpressions: [{key: a, operator: NotIn, values: [b]}]}",
                "{a: b}",
                false,
            ),
            (
                "{matchExpressions: [{key: a, operator: NotIn, values: [b]}]}",
                "{}",
                true,
            ),
            (
                "{matchExpressions: [{key: a, operator: Exists}]}",
                "{a: ''}",
                true,
            ),
            (
                "{matchExpressions: [{key: a, operator: Exists}]}",
                "{}",
                false,
            ),
            (
                "{matchExpressions: [{key: a, operator: DoesNotExist}]}",
                "{}",
                true,
            ),
            (
                "{matchExpressions: [{key: a, operator: DoesNotExist}]}",
                "{a: b}",
                false,
            ),
            (
                "{matchLabels: {a: b}, matchExpressions: [{key: c, operator: Exists}]}",
                "{a: b}",
                false,
            ),
        ];
        for (selector, labels, matches) in cases {
            let (value, labels) = (parse(selector), parse(labels));
            let selector = Selector::from_label_selector(&value).expect("it is a selector");
            assert_eq!(
                selector.matches(labels.as_object()),
                matches,
                "{value} {labels}"
            );
        }
        for text in [
            "{matchLabels: {a: 1}}",
            "{matchExpressions: [{key: a, operator: Gt}]}",
            "[]",
        ] {
            assert_eq!(Selector::from_label_selector(&parse(text)), None, "{text}");
        }
    }
}
