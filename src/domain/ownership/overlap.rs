//! Fields that we want and somebody else wrote without server-side apply: what an adoption takes over.

use serde_json::Value;

use super::fields::{Element, FieldSet, has_keys, may_have_keys};
use super::ignore::{IgnorePath, Ignored};
use super::trail::{Item, Name, Trail};
use super::{Operation, Owner, entries};

/// A manager that wrote, by other means than server-side apply, fields that we want too.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct Overlap {
    /// The manager.
    pub owner: Owner,
    /// Whether it is a person's tool whose entry an adoption migrates; a controller's is left alone.
    pub is_client_side: bool,
    /// The fields that we want, such as `spec.template.spec.containers[name=web].image`.
    pub fields: Vec<String>,
}

/// Tells whether a manager is a tool that people write objects with: `kubectl` under any of its names,
/// Helm, or what an API server calls those who wrote before the first apply.
///
/// The names are those of `kubectl`'s commands, of Helm's binary, and of `k8s.io/apimachinery`
/// (`managedfields/internal`).
pub fn is_client_side(manager: &str) -> bool {
    matches!(manager, "kubectl" | "helm" | "Helm" | "before-first-apply")
        || manager.starts_with("kubectl-")
}

/// Returns the managers of update operations that hold fields of what is wanted, each with these fields,
/// in the order of the live object; ignored fields and `status` count for nothing.
pub fn overlaps(desired: &Value, live: &Value, ignored: &[IgnorePath]) -> Vec<Overlap> {
    let ignored = Ignored::of(ignored);
    let updates = entries(live)
        .flatten()
        .filter(|entry| entry.operation == Operation::Update);
    let overlaps = updates.filter_map(|entry| {
        let mut fields = Vec::new();
        collect(
            entry.fields,
            desired,
            Some(live),
            &Trail::ROOT,
            &ignored,
            &mut fields,
        );
        (!fields.is_empty()).then(|| Overlap {
            owner: entry.owner(),
            is_client_side: entry.subresource.is_none() && is_client_side(entry.manager),
            fields,
        })
    });
    overlaps.collect()
}

fn collect(
    set: FieldSet<'_>,
    wanted: &Value,
    live: Option<&Value>,
    trail: &Trail<'_>,
    ignored: &Ignored<'_>,
    fields: &mut Vec<String>,
) {
    if ignored.is_whole() || wanted.is_null() {
        return;
    }
    let is_scalar = !wanted.is_object() && !wanted.is_array();
    if !trail.is_root() && (set.is_leaf() || is_scalar) || trail.is_too_deep() {
        fields.push(trail.text());
        return;
    }
    for (element, below) in set.children().flatten() {
        match &element {
            Element::Field(name) => {
                let status = trail.is_root() && *name == "status";
                if let Some(wanted) = wanted.get(name).filter(|_| !status) {
                    let live = live.and_then(|live| live.get(name));
                    let trail = trail.key(name);
                    collect(below, wanted, live, &trail, &ignored.key(name), fields);
                }
            }
            Element::Index(_) => {}
            Element::Key(_) | Element::Value(_) => {
                let fits = |item: &Value, is_live: bool| match &element {
                    Element::Key(keys) if is_live => has_keys(item, keys),
                    Element::Key(keys) => may_have_keys(item, keys),
                    Element::Value(value) => item == value,
                    _ => false,
                };
                let Some((index, wanted)) = find(wanted, |item| fits(item, false)) else {
                    continue;
                };
                let live = live.and_then(|live| find(live, |item| fits(item, true)));
                let name = match &element {
                    Element::Key(keys) => Name::Keys(keys),
                    _ => Name::Value(wanted),
                };
                let trail = trail.item(Item {
                    name: Some(name),
                    wanted: Some((index, wanted)),
                    live,
                });
                let live = live.map(|(_, item)| item);
                let ignored = ignored.index(index);
                collect(below, wanted, live, &trail, &ignored, fields);
            }
        }
    }
}

fn find(list: &Value, fits: impl Fn(&Value) -> bool) -> Option<(usize, &Value)> {
    let mut items = list.as_array()?.iter().enumerate();
    items.find(|(_, item)| fits(item))
}
