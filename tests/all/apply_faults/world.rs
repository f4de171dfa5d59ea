//! A place in a cluster that belongs to one test, and what is to be seen there, without words of ours.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::{Map, Value, json};
use weft_domain::{
    base64,
    inventory::{
        Outcome, PART_OF_LABEL, Parent, RevisionEntry, SET_LABEL, SetId, history, parent_name,
    },
    resource::ResourceId,
};

use crate::support::{ApiServer, Proxy, Run, Sandbox, tools::identity};

/// A namespace of its own, and a folder to run in.
pub struct Place<'a> {
    pub sandbox: Sandbox,
    pub server: &'a ApiServer,
    pub namespace: String,
    kubectl: bool,
}

impl<'a> Place<'a> {
    /// A new one; the name begins as given.
    pub fn new(server: &'a ApiServer, prefix: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("{prefix}-{number}");
        make_namespace(server, &namespace);
        Self {
            sandbox: Sandbox::new(),
            server,
            namespace,
            kubectl: false,
        }
    }

    /// Looks with kubectl from now on, which takes longer.
    pub fn through_kubectl(mut self) -> Self {
        self.kubectl = true;
        self
    }

    /// Writes a design of these objects.
    pub fn write(&self, file: &str, objects: &[Value]) {
        let text = objects.iter().map(|object| format!("{object}\n"));
        self.sandbox
            .write(file, text.collect::<Vec<_>>().join("---\n"));
    }

    /// Runs a command about a deployed design.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(&self.server.kubeconfig, arguments, |_| {})
    }

    /// Runs it through a proxy, which knows whom to kill.
    pub fn run_through(&self, proxy: &Proxy, arguments: &[&str]) -> Run {
        self.run_with(&proxy.kubeconfig, arguments, |pid| proxy.aim_at(pid))
    }

    /// Runs it with a kubeconfig, and tells its process.
    pub fn run_with(
        &self,
        kubeconfig: &std::path::Path,
        arguments: &[&str],
        tell: impl FnOnce(u32),
    ) -> Run {
        let mut command = self.sandbox.command(["design"].iter().chain(arguments));
        command.args(["-n", &self.namespace, "--context", "sandbox"]);
        command.env("KUBECONFIG", kubeconfig);
        self.sandbox.finish_known(&mut command, None, tell)
    }

    /// The set of a design that is deployed here.
    pub fn set(&self, design: &str) -> SetId {
        SetId::of_parent(&parent_name(design), &self.namespace)
    }

    /// The path of something in the namespace.
    pub fn path(&self, group: &str, rest: &str) -> String {
        format!("/{group}/namespaces/{}/{rest}", self.namespace)
    }

    fn lease(&self, design: &str) -> String {
        let name = format!("leases/{}", parent_name(design));
        self.path("apis/coordination.k8s.io/v1", &name)
    }

    /// Does what an operator does who knows that the holder is dead.
    pub fn break_lease(&self, design: &str) {
        self.server.api.delete(&self.lease(design));
    }

    /// The objects of these kinds with the label of a design's set, wherever they are.
    fn labelled(&self, design: &str, kinds: &BTreeSet<Kind>) -> Vec<Value> {
        let selector = format!("{PART_OF_LABEL}={}", self.set(design));
        if self.kubectl {
            let names = kinds.iter().map(|kind| match kind.group() {
                "" => kind.plural.clone(),
                group => format!("{}.{group}", kind.plural),
            });
            let names = names.collect::<Vec<_>>().join(",");
            let found = ["get", &names, "-A", "-l", &selector, "-o", "json"];
            let found: Value = serde_json::from_str(&self.server.kubectl(&found, ""))
                .expect("kubectl prints JSON");
            return found["items"].as_array().cloned().expect("a list");
        }
        let lists = kinds.iter().flat_map(|kind| {
            let root = if kind.group().is_empty() {
                "api"
            } else {
                "apis"
            };
            let selector = selector.replace('=', "%3D").replace('/', "%2F");
            let path = format!(
                "/{root}/{}/{}?labelSelector={selector}",
                kind.version, kind.plural
            );
            let list = self.server.api.get(&path).unwrap_or_default();
            let mut items = list["items"].as_array().cloned().unwrap_or_default();
            for item in &mut items {
                item["apiVersion"] = kind.version.as_str().into();
                item["kind"] = list["kind"]
                    .as_str()
                    .unwrap_or_default()
                    .trim_end_matches("List")
                    .into();
            }
            items
        });
        lists.collect()
    }

    /// The inventory of a design.
    pub fn parent(&self, design: &str) -> Option<Parent> {
        let path = self.path("api/v1", &format!("secrets/{}", parent_name(design)));
        let live = self.server.api.get(&path)?;
        Some(Parent::parse(&live).expect("an inventory"))
    }

    /// What is kept of a design beside its members: Secrets and Leases, by kind and name.
    pub fn kept(&self, design: &str) -> Vec<String> {
        let name = parent_name(design);
        let mut kept = Vec::new();
        for (kind, group, plural) in [
            ("Secret", "api/v1", "secrets"),
            ("Lease", "apis/coordination.k8s.io/v1", "leases"),
        ] {
            let list = self.server.api.get(&self.path(group, plural));
            let list = list.expect("a list");
            for item in list["items"].as_array().into_iter().flatten() {
                let found = item["metadata"]["name"].as_str().unwrap_or_default();
                let rest = found.strip_prefix(&name);
                if rest.is_some_and(|rest| {
                    rest.is_empty() || rest.starts_with(".key") || rest.starts_with("-rev-")
                }) {
                    kept.push(format!("{kind} {found}"));
                }
            }
        }
        kept
    }

    /// The revisions of a design, the newest first.
    pub fn revisions(&self, design: &str) -> Vec<RevisionEntry> {
        let selector = format!("secrets?labelSelector={SET_LABEL}%3D{}", self.set(design));
        let list = self.server.api.get(&self.path("api/v1", &selector));
        let secrets = list.expect("a list")["items"].as_array().cloned();
        history(&secrets.expect("a list"), &self.set(design))
    }

    /// What is not as wanted: fields that differ, objects that are missing or too many, and an
    /// inventory that isn't just these objects and at rest.
    pub fn differences(&self, design: &str, wanted: &[Value]) -> Vec<String> {
        let mut found = Vec::new();
        let mut kinds = Kind::base();
        kinds.extend(wanted.iter().map(Kind::of));
        let live = self.labelled(design, &kinds);
        let mut live: BTreeMap<String, Value> = live
            .into_iter()
            .map(|object| (identity(&object), object))
            .collect();
        let mut uids = BTreeMap::new();
        for object in wanted {
            let object = self.complete(object);
            let id = identity(&object);
            let Some(there) = live.remove(&id) else {
                found.push(format!("{id} is missing"));
                continue;
            };
            uids.insert(
                id_of(&object).to_string(),
                there["metadata"]["uid"].as_str().map(str::to_owned),
            );
            compare(&object, &there, &id, &mut found);
        }
        found.extend(live.keys().map(|id| format!("{id} is too many")));
        match self.parent(design) {
            None => found.push("there is no inventory".to_owned()),
            Some(parent) => {
                let members = parent.members();
                let members = members.iter().map(|m| (m.id().to_string(), m.uid.clone()));
                let members: BTreeMap<_, _> = members.collect();
                if members != uids {
                    let odd = members
                        .iter()
                        .filter(|(id, uid)| uids.get(*id) != Some(uid));
                    let odd: Vec<_> = odd.collect();
                    found.push(format!(
                        "the inventory has {} members of {}: {odd:?}",
                        members.len(),
                        uids.len()
                    ));
                }
            }
        }
        let lease = self.server.api.get(&self.lease(design));
        let holder =
            lease.and_then(|lease| lease["spec"]["holderIdentity"].as_str().map(str::to_owned));
        if let Some(holder) = holder {
            found.push(format!("the lease is held by {holder:?}"));
        }
        found
    }

    /// What is left of a design that is gone.
    pub fn remains(&self, design: &str) -> Vec<String> {
        let live = self.labelled(design, &Kind::base());
        let mut found: Vec<String> = live.iter().map(identity).collect();
        found.extend(self.kept(design));
        found
    }

    /// What is wrong with the history: the newest complete revision must be the deployed one.
    pub fn odd_history(&self, design: &str, objects: usize) -> Vec<String> {
        let revisions = self.revisions(design);
        let Some(newest) = revisions.first() else {
            return vec!["there is no revision".to_owned()];
        };
        let mut odd = Vec::new();
        let deployed = revisions
            .iter()
            .filter(|entry| entry.outcome == Some(Outcome::Deployed));
        let deployed: Vec<u64> = deployed.map(|entry| entry.number).collect();
        if deployed != [newest.number] || !newest.is_complete {
            odd.push(format!(
                "revision {} is the newest, and deployed are {deployed:?}",
                newest.number
            ));
        }
        let counted = newest.summary.as_ref().map(|summary| summary.objects);
        if counted != Some(objects) {
            odd.push(format!(
                "revision {} has {counted:?} objects, not {objects}",
                newest.number
            ));
        }
        odd
    }

    /// An object as it should be there: with its namespace, and a Secret with its values.
    fn complete(&self, object: &Value) -> Value {
        let mut object = object.clone();
        let scoped = !matches!(
            object["kind"].as_str(),
            Some("Namespace" | "CustomResourceDefinition")
        );
        if scoped && object["metadata"].get("namespace").is_none() {
            object["metadata"]["namespace"] = self.namespace.as_str().into();
        }
        let folded = object.as_object_mut().and_then(|o| o.remove("stringData"));
        for (key, value) in folded
            .as_ref()
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let value = value.as_str().unwrap_or_default();
            object["data"][key] = base64::encode(value.as_bytes()).into();
        }
        object
    }
}

/// A kind that is looked at.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    /// As `apiVersion` has it.
    version: String,
    plural: String,
}

impl Kind {
    fn of(object: &Value) -> Self {
        let text = |key: &str| object[key].as_str().unwrap_or_default();
        Self {
            version: text("apiVersion").to_owned(),
            plural: format!("{}s", text("kind").to_lowercase()),
        }
    }

    fn group(&self) -> &str {
        self.version.split_once('/').map_or("", |(group, _)| group)
    }

    /// The kinds that are looked at in any case.
    fn base() -> BTreeSet<Self> {
        let kinds = [
            ("v1", "configmaps"),
            ("v1", "secrets"),
            ("v1", "services"),
            ("v1", "namespaces"),
            ("apps/v1", "deployments"),
            ("batch/v1", "jobs"),
            ("apiextensions.k8s.io/v1", "customresourcedefinitions"),
        ];
        let kinds = kinds.map(|(version, plural)| Self {
            version: version.to_owned(),
            plural: plural.to_owned(),
        });
        kinds.into()
    }
}

/// Makes a namespace.
pub fn make_namespace(server: &ApiServer, name: &str) {
    let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let made = server.api.send(
        "POST",
        "/api/v1/namespaces",
        Some(("application/json", &object)),
    );
    assert_eq!(made.0, 201, "{}", made.1);
}

/// The id of an object that has its namespace.
pub fn id_of(object: &Value) -> ResourceId {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let group = text("/apiVersion").and_then(|version| version.split_once('/'));
    ResourceId::new(
        group.map_or("", |(group, _)| group),
        text("/kind").unwrap_or_default(),
        text("/metadata/namespace"),
        text("/metadata/name").unwrap_or_default(),
    )
}

/// Compares what is wanted with what is there, leaf by leaf. What a user's own map holds must be just
/// that; elsewhere the server may add defaults.
fn compare(wanted: &Value, live: &Value, place: &str, found: &mut Vec<String>) {
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => {
            for (key, value) in wanted {
                let place = format!("{place}.{key}");
                match live.get(key) {
                    Some(there) => compare(value, there, &place, found),
                    None => found.push(format!("{place} is missing")),
                }
            }
            let exact = [".data", ".labels", ".annotations"];
            if exact.iter().any(|end| place.ends_with(end)) {
                let more = live.keys().filter(|key| {
                    !wanted.contains_key(*key)
                        && !["kubernetes.io/", "weftctl.dev/"]
                            .iter()
                            .any(|own| key.contains(own))
                });
                found.extend(more.map(|key| format!("{place}.{key} is too many")));
            }
        }
        (Value::Array(wanted), Value::Array(live)) if wanted.len() == live.len() => {
            for (at, (wanted, live)) in wanted.iter().zip(live).enumerate() {
                compare(wanted, live, &format!("{place}[{at}]"), found);
            }
        }
        (wanted, live) if wanted == live => {}
        (wanted, live) => found.push(format!("{place} is {live}, not {wanted}")),
    }
}

/// A `ConfigMap` with one value.
pub fn map(name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"app": "x"}, "annotations": {"note": value}},
        "data": {"key": value},
    })
}

/// A Secret with one value.
pub fn secret(name: &str, value: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": name, "labels": {"app": "x"}, "annotations": {"note": value}},
        "stringData": {"key": value},
    })
}

/// A Service with one port.
pub fn service(name: &str, port: u16) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "labels": {"app": "x"}, "annotations": {"note": port.to_string()}},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": port}]},
    })
}

/// A Deployment with as many replicas.
pub fn deployment(name: &str, image: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": "x"}, "annotations": {"note": image}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": image, "env": [{"name": "A", "value": image}]}]},
            },
        },
    })
}

/// The definition of the kind Gadget of a group.
pub fn definition(group: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("gadgets.{group}")},
        "spec": {
            "group": group, "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets", "singular": "gadget", "listKind": "GadgetList"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object",
                "properties": {"spec": {"type": "object", "properties": {"size": {"type": "string"}}}},
            }}}],
        },
    })
}

/// A Gadget.
pub fn gadget(group: &str, name: &str, size: &str) -> Value {
    json!({
        "apiVersion": format!("{group}/v1"), "kind": "Gadget",
        "metadata": {"name": name}, "spec": {"size": size},
    })
}

/// Puts a key into a map of an object.
pub fn with(mut object: Value, path: &[&str], value: Value) -> Value {
    let mut place = &mut object;
    for key in path {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[*key];
    }
    *place = value;
    object
}
