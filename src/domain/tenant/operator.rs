//! What the operator leaves on objects, under both of its names: who wrote them, how they are tracked, and what
//! would take them away with it.

use serde_json::{Map, Value};

use crate::path::pointer_token;

/// The names of one generation of the operator.
#[derive(Debug, PartialEq, Eq)]
pub struct Operator {
    /// Its API group and version.
    pub api_version: &'static str,
    /// The kind of what it makes of one row by one form.
    pub node: &'static str,
    /// The kind of its hubs.
    pub hub: &'static str,
    /// The kind of its forms.
    pub form: &'static str,
    /// The field of a form that names its hub.
    pub hub_field: &'static str,
    /// The manager of what it applies.
    pub manager: &'static str,
    /// What its labels and annotations begin with.
    pub prefix: &'static str,
    /// The label of nodes that names their hub.
    pub hub_label: &'static str,
    /// The finalizers of its own resources.
    pub finalizers: [&'static str; 2],
}

/// Under its name since 1.1.9, and under the one before.
pub const OPERATORS: [Operator; 2] = [
    Operator {
        api_version: "operator.lynq.sh/v1",
        node: "LynqNode",
        hub: "LynqHub",
        form: "LynqForm",
        hub_field: "hubId",
        manager: "lynq-operator",
        prefix: "lynq.sh/",
        hub_label: "lynq.sh/hub",
        finalizers: [
            "lynqnode.operator.lynq.sh/finalizer",
            "lynq.sh/hub-finalizer",
        ],
    },
    Operator {
        api_version: "operator.kubernetes-tenants.org/v1",
        node: "Tenant",
        hub: "TenantRegistry",
        form: "TenantTemplate",
        hub_field: "registryId",
        manager: "tenant-operator",
        prefix: "kubernetes-tenants.org/",
        hub_label: "kubernetes-tenants.org/registry",
        finalizers: [
            "tenant.operator.kubernetes-tenants.org/finalizer",
            "kubernetes-tenants.org/registry-finalizer",
        ],
    },
];

impl Operator {
    /// Lists those whose marks an object bears: both where one has followed the other.
    pub fn of(live: &Value) -> Vec<&'static Self> {
        let operators = OPERATORS.iter();
        operators
            .filter(|operator| operator.has_marked(live))
            .collect()
    }

    fn has_marked(&self, live: &Value) -> bool {
        let keys = ["labels", "annotations"];
        let marked = keys
            .iter()
            .any(|part| self.keys(live, part).next().is_some());
        marked || owners(live).iter().any(|owner| self.is_node(owner))
    }

    /// The labels or annotations of an object that are the operator's.
    fn keys<'v>(&'v self, live: &'v Value, part: &str) -> impl Iterator<Item = &'v str> {
        let map: Option<&Map<String, Value>> = live["metadata"][part].as_object();
        let keys = map.into_iter().flat_map(Map::keys).map(String::as_str);
        keys.filter(|key| key.starts_with(self.prefix))
    }

    fn is_node(&self, owner: &Value) -> bool {
        let group = |text: &str| text.split('/').next().unwrap_or_default().to_owned();
        owner["kind"] == self.node
            && owner["apiVersion"]
                .as_str()
                .is_some_and(|version| group(version) == group(self.api_version))
    }

    /// Whether a field manager is the operator, under either name.
    pub fn is_manager(name: &str) -> bool {
        OPERATORS.iter().any(|operator| operator.manager == name)
    }

    /// Whether the operator has made an object once and leaves it alone since.
    pub fn is_made_once(&self, live: &Value) -> bool {
        let key = format!("{}created-once", self.prefix);
        live["metadata"]["annotations"][key] == "true"
    }

    /// Lists the marks of some of them on an object as JSON pointers, in an order in which they can be removed one
    /// by one.
    pub fn marks(operators: &[&Self], live: &Value) -> Vec<String> {
        let mut marks = Vec::new();
        for operator in operators {
            for part in ["labels", "annotations"] {
                let keys = operator.keys(live, part);
                marks.extend(keys.map(|key| format!("/metadata/{part}/{}", pointer_token(key))));
            }
        }
        // From the last one: those before keep their places.
        for (index, owner) in owners(live).iter().enumerate().rev() {
            if operators.iter().any(|operator| operator.is_node(owner)) {
                marks.push(format!("/metadata/ownerReferences/{index}"));
            }
        }
        marks
    }
}

fn owners(live: &Value) -> &[Value] {
    let owners = live["metadata"]["ownerReferences"].as_array();
    owners.map_or(&[], Vec::as_slice)
}

/// Returns a hub or form under the name that it has now; nothing where it has it already, or is none.
pub fn renamed(resource: &Value) -> Option<Value> {
    let [new, old] = &OPERATORS;
    if resource["apiVersion"] != old.api_version {
        return None;
    }
    let kind = match resource["kind"].as_str()? {
        kind if kind == old.hub => new.hub,
        kind if kind == old.form => new.form,
        _ => return None,
    };
    let mut resource = resource.clone();
    resource["apiVersion"] = new.api_version.into();
    resource["kind"] = kind.into();
    if let Some(spec) = resource["spec"].as_object_mut()
        && let Some(hub) = spec.remove(old.hub_field)
    {
        // It comes first, as people write it.
        let rest = std::mem::take(spec);
        spec.insert(new.hub_field.to_owned(), hub);
        spec.extend(rest);
    }
    Some(resource)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{OPERATORS, Operator, renamed};

    #[test]
    fn marks_of_either_name_are_found_and_can_be_removed_one_by_one() {
        let live = json!({"metadata": {
            "labels": {"lynq.sh/node": "acme-web", "app": "web"},
            "annotations": {"lynq.sh/deletion-policy": "Delete", "note": "mine"},
            "ownerReferences": [
                {"apiVersion": "operator.lynq.sh/v1", "kind": "LynqNode", "name": "acme-web"},
                {"apiVersion": "v1", "kind": "ConfigMap", "name": "other"},
                {"apiVersion": "operator.lynq.sh/v1", "kind": "LynqNode", "name": "acme-api"},
            ],
        }});
        let operators = Operator::of(&live);
        assert_eq!(operators, [&OPERATORS[0]]);
        assert_eq!(
            Operator::marks(&operators, &live),
            [
                "/metadata/labels/lynq.sh~1node",
                "/metadata/annotations/lynq.sh~1deletion-policy",
                "/metadata/ownerReferences/2",
                "/metadata/ownerReferences/0",
            ]
        );
        let old = json!({"metadata": {"ownerReferences": [
            {"apiVersion": "operator.kubernetes-tenants.org/v1", "kind": "Tenant", "name": "a"},
        ]}});
        assert_eq!(Operator::of(&old), [&OPERATORS[1]]);
        let stranger = json!({"metadata": {
            "labels": {"lynq": "yes", "notlynq.sh/node": "x"},
            "ownerReferences": [{"apiVersion": "other.io/v1", "kind": "LynqNode", "name": "a"}],
        }});
        assert_eq!(Operator::of(&stranger), [&OPERATORS[0]; 0]);
    }

    #[test]
    fn hubs_and_forms_get_their_new_names_and_nothing_else_changes() {
        let [new, old] = &OPERATORS;
        let form = json!({
            "apiVersion": old.api_version, "kind": old.form, "metadata": {"name": "web"},
            "spec": {"configMaps": [{"id": "c"}], "registryId": "crm"},
        });
        let expected = json!({
            "apiVersion": new.api_version, "kind": new.form, "metadata": {"name": "web"},
            "spec": {"hubId": "crm", "configMaps": [{"id": "c"}]},
        });
        let found = renamed(&form).expect("a form");
        assert_eq!(found.to_string(), expected.to_string());
        assert_eq!(renamed(&found), None);
        assert_eq!(
            renamed(&json!({"apiVersion": "v1", "kind": "ConfigMap"})),
            None
        );
    }
}
