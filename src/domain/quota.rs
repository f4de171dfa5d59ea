//! Quotas: what a namespace has left, and what a set would take of it.
//!
//! Counts of objects are exact, so that a write which a quota would refuse is known before. What the pods
//! of workloads will ask for is a sum over their templates; whether they are refused shows only later, as
//! a workload that does not become ready. Quotas with scopes are left out: they are about some pods only.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::ownership::Quantity;
use crate::resource::{Resource, dig};

/// What new objects, and those that grow, take of the quotas of one namespace.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// By the name of the quota's resource: objects of the set itself.
    objects: BTreeMap<String, Quantity>,
    /// The same for the pods that its workloads will make.
    pods: BTreeMap<String, Quantity>,
}

/// Something that a quota has too little of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortage {
    /// The name of the quota.
    pub quota: String,
    /// What it limits, such as `count/configmaps` or `requests.cpu`.
    pub resource: String,
    /// The limit, as it is written.
    pub hard: String,
    /// What is used of it, as the cluster says.
    pub used: String,
    /// Whether it is about objects of the set itself, which will be refused, and not about their pods.
    pub is_certain: bool,
}

/// The names under which quotas count objects of the core group without `count/`
/// (`k8s.io/apiserver/pkg/quota`, evaluators of kubernetes/pkg/quota/v1/evaluator/core).
const COUNTED: [&str; 7] = [
    "configmaps",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "services",
];

impl Needs {
    /// Adds an object that will be created; `plural` is the name of its kind in paths.
    pub fn add(&mut self, resource: &Resource, plural: &str) {
        let one = Quantity::whole(1);
        let group = resource.group();
        let mut count = |name: String| add(&mut self.objects, name, one);
        if group.is_empty() {
            count(format!("count/{plural}"));
            if COUNTED.contains(&plural) {
                count(plural.to_owned());
            }
        } else {
            count(format!("count/{plural}.{group}"));
        }
        let kind = resource.kind.as_str();
        let text = |path: &[&str]| dig(&resource.object, path).and_then(Value::as_str);
        match (group, kind, text(&["spec", "type"])) {
            ("", "Service", Some("LoadBalancer")) => {
                count("services.loadbalancers".to_owned());
                count("services.nodeports".to_owned());
            }
            ("", "Service", Some("NodePort")) => count("services.nodeports".to_owned()),
            _ => {}
        }
        if (group, kind) == ("", "Pod") {
            self.pod(&resource.object, 1, true);
        } else if let Some(count) = count_of(resource) {
            self.template(
                &resource.object,
                number(&resource.object, count).unwrap_or(1),
            );
        }
    }

    /// Adds what the pods of a workload will ask for beyond what they ask for as it is now: where it
    /// has more of them, or where each asks for more.
    pub fn grow(&mut self, resource: &Resource, live: &Value) {
        let Some(count) = count_of(resource) else {
            return;
        };
        let is = number(live, count).unwrap_or(1);
        let (mut now, mut wanted) = (Self::default(), Self::default());
        now.template(live, is);
        // A count that the design leaves to others stays.
        let count = number(&resource.object, count).unwrap_or(is);
        wanted.template(&resource.object, count);
        for (name, quantity) in wanted.pods {
            let none = Quantity::whole(0);
            let had = now.pods.get(&name).copied().unwrap_or(none);
            if let Some(more) = quantity.minus(had).filter(|more| *more > none) {
                add(&mut self.pods, name, more);
            }
        }
    }

    fn template(&mut self, workload: &Value, pods: u64) {
        if let Some(template) = dig(workload, &["spec", "template"]) {
            self.pod(template, pods, false);
        }
    }

    fn pod(&mut self, pod: &Value, count: u64, is_own: bool) {
        let needs = if is_own {
            &mut self.objects
        } else {
            &mut self.pods
        };
        if !is_own {
            add(needs, "pods".to_owned(), Quantity::whole(count));
            add(needs, "count/pods".to_owned(), Quantity::whole(count));
        }
        let containers = dig(pod, &["spec", "containers"]).and_then(Value::as_array);
        for container in containers.into_iter().flatten() {
            for part in ["requests", "limits"] {
                let asked = dig(container, &["resources", part]).and_then(Value::as_object);
                for (name, value) in asked.into_iter().flatten() {
                    let quantity = match value {
                        Value::String(text) => Quantity::parse(text),
                        other => Quantity::parse(&other.to_string()),
                    };
                    let Some(quantity) = quantity.and_then(|q| q.times(count)) else {
                        continue;
                    };
                    add(needs, format!("{part}.{name}"), quantity);
                    // `cpu` and `memory` in a quota mean what is requested.
                    if part == "requests" {
                        add(needs, name.clone(), quantity);
                    }
                }
            }
        }
    }

    /// Returns what quotas have too little of.
    pub fn shortages<'a>(&self, quotas: impl IntoIterator<Item = &'a Value>) -> Vec<Shortage> {
        let mut found = Vec::new();
        for quota in quotas {
            let is_scoped = ["scopes", "scopeSelector"].iter().any(|key| {
                let scope = dig(quota, &["spec", key]);
                scope.is_some_and(|scope| !scope.is_null() && *scope != serde_json::json!([]))
            });
            let hard = dig(quota, &["status", "hard"]).and_then(Value::as_object);
            let (Some(hard), false) = (hard, is_scoped) else {
                continue;
            };
            let name = dig(quota, &["metadata", "name"]).and_then(Value::as_str);
            for (resource, limit) in hard {
                let used = dig(quota, &["status", "used", resource]);
                let (limit, used) = (text(Some(limit)), text(used));
                let (Some(most), Some(taken)) = (Quantity::parse(&limit), Quantity::parse(&used))
                else {
                    continue;
                };
                let own = self.objects.get(resource).copied();
                let pods = self.pods.get(resource).copied();
                let is_over = |need: Option<Quantity>| {
                    need.is_some_and(|need| taken.plus(need).is_none_or(|sum| sum > most))
                };
                let both = match (own, pods) {
                    (Some(own), Some(pods)) => own.plus(pods),
                    (own, pods) => own.or(pods),
                };
                if is_over(own) || is_over(both) {
                    found.push(Shortage {
                        quota: name.unwrap_or_default().to_owned(),
                        resource: resource.clone(),
                        hard: limit,
                        used,
                        is_certain: is_over(own),
                    });
                }
            }
        }
        found
    }
}

/// The field in the spec of a workload that says how many pods it has; none for what isn't one.
fn count_of(resource: &Resource) -> Option<&'static str> {
    match (resource.group(), resource.kind.as_str()) {
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet") | ("", "ReplicationController") => {
            Some("replicas")
        }
        ("batch", "Job") => Some("parallelism"),
        _ => None,
    }
}

fn number(object: &Value, key: &str) -> Option<u64> {
    dig(object, &["spec", key]).and_then(Value::as_u64)
}

fn add(needs: &mut BTreeMap<String, Quantity>, name: String, more: Quantity) {
    let need = needs.entry(name).or_insert(Quantity::whole(0));
    // What can't be added any more is too much for every quota as it is.
    *need = need.plus(more).unwrap_or(*need);
}

/// Quantities are texts, and small numbers may be written as such.
fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => "0".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::read;
    use serde_json::json;

    fn needs(text: &str) -> Needs {
        let (set, _) = read(text, Some("shop"));
        let mut needs = Needs::default();
        for resource in &set {
            let plural = format!("{}s", resource.kind.to_lowercase());
            needs.add(resource, &plural);
        }
        needs
    }

    fn quota(hard: &Value, used: &Value) -> Value {
        json!({"metadata": {"name": "q"}, "status": {"hard": hard, "used": used}})
    }

    const APP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n\
        apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n---\n\
        apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w}\nspec: {replicas: 3, template: \
        {spec: {containers: [{name: c, resources: {requests: {cpu: 500m, memory: 1Gi}}}]}}}\n";

    #[test]
    fn what_does_not_fit_is_told_and_what_fits_is_not() {
        let needs = needs(APP);
        let cases = [
            (
                json!({"count/configmaps": "2"}),
                json!({"count/configmaps": "0"}),
                "",
            ),
            (
                json!({"count/configmaps": "2"}),
                json!({"count/configmaps": "1"}),
                "count/configmaps!",
            ),
            (
                json!({"configmaps": 3}),
                json!({"configmaps": 2}),
                "configmaps!",
            ),
            (
                json!({"count/deployments.apps": "0"}),
                json!({}),
                "count/deployments.apps!",
            ),
            (json!({"pods": "10"}), json!({"pods": "8"}), "pods"),
            (
                json!({"requests.cpu": "1500m"}),
                json!({"requests.cpu": "0"}),
                "",
            ),
            (json!({"cpu": "1.4"}), json!({"cpu": "0"}), "cpu"),
            (
                json!({"requests.memory": "3Gi"}),
                json!({"requests.memory": "1"}),
                "requests.memory",
            ),
            (json!({"secrets": "0"}), json!({"secrets": "5"}), ""),
        ];
        for (hard, used, expected) in cases {
            let found = needs.shortages([&quota(&hard, &used)]);
            let found: Vec<String> = found
                .into_iter()
                .map(|s| format!("{}{}", s.resource, if s.is_certain { "!" } else { "" }))
                .collect();
            assert_eq!(found.join(" "), expected, "{hard}");
        }
    }

    #[test]
    fn of_a_workload_that_grows_only_what_it_asks_for_more_counts() {
        let (set, _) = read(APP, Some("shop"));
        let wanted = set.iter().find(|r| r.kind == "Deployment").unwrap();
        let live = |replicas: u64, cpu: &str| {
            let container = json!({"resources": {"requests": {"cpu": cpu, "memory": "1Gi"}}});
            json!({"spec": {"replicas": replicas, "template": {"spec": {"containers": [container]}}}})
        };
        let cases = [
            (live(3, "500m"), "pods", "3", "3", false),
            (live(2, "500m"), "requests.cpu", "1500m", "1", false),
            (live(2, "500m"), "requests.cpu", "1400m", "1", true),
            (live(1, "500m"), "pods", "2", "1", true),
            (live(3, "400m"), "cpu", "1500m", "1200m", false),
            (live(3, "400m"), "cpu", "1400m", "1200m", true),
            (live(3, "400m"), "memory", "1Gi", "3Gi", false),
            (live(9, "500m"), "pods", "1", "9", false),
        ];
        for (live, name, hard, used, is_over) in cases {
            let mut needs = Needs::default();
            needs.grow(wanted, &live);
            let quota = quota(&json!({ name: hard }), &json!({ name: used }));
            let found = needs.shortages([&quota]);
            assert_eq!(!found.is_empty(), is_over, "{live} {name} {hard}");
            assert!(found.iter().all(|shortage| !shortage.is_certain));
        }
        // How many there are is left to an autoscaler.
        let (set, _) = read(&APP.replace("replicas: 3, ", ""), Some("shop"));
        let wanted = set.iter().find(|r| r.kind == "Deployment").unwrap();
        let mut needs = Needs::default();
        needs.grow(wanted, &live(7, "500m"));
        assert_eq!(
            needs.shortages([&quota(&json!({"pods": "1"}), &json!({"pods": "7"}))]),
            []
        );
    }

    #[test]
    fn a_quota_with_a_scope_is_left_out() {
        let mut scoped = quota(&json!({"pods": "0"}), &json!({"pods": "0"}));
        scoped["spec"] = json!({"scopes": ["Terminating"]});
        assert_eq!(needs(APP).shortages([&scoped]), []);
    }
}
