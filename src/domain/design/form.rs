//! What a document is, told by its content: file names and extensions play no part.

use serde_json::{Map, Value};

/// The forms of documents that this program reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A design of any schema version, known or not.
    Design,
    /// A design of the time before schema versions: a map of services.
    ServicesMap,
    /// A saved design as the Meshery API returns it, with the design as text inside.
    Record,
    /// A Kubernetes object, or a list of them.
    Manifest,
    /// A kustomization.
    Kustomization,
    /// The `Chart.yaml` of a Helm chart.
    ChartMetadata,
}

impl Form {
    /// Returns the form of a document; `None` for everything else, Docker Compose files among it.
    pub fn of(value: &Value) -> Option<Self> {
        Some(match value {
            _ if is_design(value) => Self::Design,
            _ if is_record(value) => Self::Record,
            _ if is_kustomization(value) => Self::Kustomization,
            _ if is_manifest(value) => Self::Manifest,
            _ if is_chart_metadata(value) => Self::ChartMetadata,
            _ if is_services_map(value) => Self::ServicesMap,
            _ => return None,
        })
    }
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Tells whether a document is a design, of a known schema version or not.
pub fn is_design(value: &Value) -> bool {
    text(value, "schemaVersion").starts_with("designs.meshery.io/")
}

/// Tells whether a document is a saved design, with the design itself in `patternFile`.
pub fn is_record(value: &Value) -> bool {
    ["patternFile", "pattern_file"]
        .iter()
        .any(|key| matches!(value.get(key), Some(Value::String(_) | Value::Object(_))))
        && !is_design(value)
}

/// Tells whether a document is a v1alpha2 design.
///
/// Its services have a `type`, those of a Docker Compose file an `image` or a `build`. Without any
/// service, what only Compose knows beside them decides.
pub fn is_services_map(value: &Value) -> bool {
    let Some(Value::Object(services)) = value.get("services") else {
        return false;
    };
    if ["schemaVersion", "apiVersion", "kind"]
        .iter()
        .any(|key| value.get(key).is_some())
    {
        return false;
    }
    if services.is_empty() {
        const OWN: [&str; 5] = ["name", "services", "id", "patternID", "vars"];
        let keys = value.as_object().into_iter().flat_map(Map::keys);
        return keys.into_iter().all(|key| OWN.contains(&key.as_str()));
    }
    let compose = |service: &Value| service.get("image").or(service.get("build")).is_some();
    let ours = |service: &Value| service.get("type").is_some_and(Value::is_string);
    services.values().any(ours) && !services.values().any(compose)
}

/// Tells whether a document is a Kubernetes object, or a list of them.
pub fn is_manifest(value: &Value) -> bool {
    !text(value, "apiVersion").is_empty()
        && !text(value, "kind").is_empty()
        && !is_kustomization(value)
}

/// Tells whether a document is a kustomization (or a component of one).
///
/// Version and kind may be missing there; then all its keys must be those of a kustomization.
/// The resources of Flux with that kind are ordinary objects.
pub fn is_kustomization(value: &Value) -> bool {
    let Some(map) = value.as_object() else {
        return false;
    };
    let (version, kind) = (text(value, "apiVersion"), text(value, "kind"));
    match (version, kind) {
        ("", "" | "Kustomization" | "Component") => {
            map.keys().any(|key| KUSTOMIZE.contains(&key.as_str()))
                && map.keys().all(|key| {
                    KUSTOMIZE.contains(&key.as_str()) || KUSTOMIZE_TOO.contains(&key.as_str())
                })
        }
        (version, "" | "Kustomization" | "Component") => {
            version.starts_with("kustomize.config.k8s.io/")
        }
        _ => false,
    }
}

/// The keys that make a kustomization.
const KUSTOMIZE: &[&str] = &[
    "resources",
    "bases",
    "patches",
    "patchesStrategicMerge",
    "patchesJson6902",
    "configMapGenerator",
    "secretGenerator",
    "helmCharts",
    "generators",
    "transformers",
    "components",
    "commonLabels",
    "commonAnnotations",
    "namePrefix",
    "nameSuffix",
    "replacements",
    "replicas",
    "images",
    "vars",
    "crds",
];

/// The keys that stand in kustomizations and elsewhere.
const KUSTOMIZE_TOO: &[&str] = &[
    "apiVersion",
    "kind",
    "metadata",
    "namespace",
    "labels",
    "configurations",
    "generatorOptions",
    "validators",
    "openapi",
    "buildMetadata",
    "sortOptions",
    "helmGlobals",
    "helmChartInflationGenerator",
    "inventory",
];

/// Tells whether a document is the `Chart.yaml` of a Helm chart.
///
/// Charts that Meshery exports say `v3`.
pub fn is_chart_metadata(value: &Value) -> bool {
    matches!(text(value, "apiVersion"), "v1" | "v2" | "v3")
        && !text(value, "name").is_empty()
        && !text(value, "version").is_empty()
        && value.get("kind").is_none()
}
