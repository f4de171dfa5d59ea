//! Packages: a model with everything that belongs to it.
//!
//! Only what documents say counts, and which folder they are in: a model takes what is in its folder and below, up to
//! the next model. What is in no model's folder belongs to the model that it names, or to the only one there is.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::definition::{Definition, DefinitionKind};
use crate::check::{Finding, Rule};
use crate::near::nearest;
use crate::resource::Origin;

/// The categories of models.
pub const CATEGORIES: [&str; 15] = [
    "Analytics",
    "App Definition and Development",
    "Cloud Native Network",
    "Cloud Native Storage",
    "Database",
    "Machine Learning",
    "Observability and Analysis",
    "Orchestration & Management",
    "Platform",
    "Provisioning",
    "Runtime",
    "Security & Compliance",
    "Serverless",
    "Tools",
    "Uncategorized",
];

/// The sub-categories of models. Others may be used.
pub const SUB_CATEGORIES: [&str; 46] = [
    "API Gateway",
    "API Integration",
    "Application Definition & Image Build",
    "Automation & Configuration",
    "CNI",
    "Certified Kubernetes - Distribution",
    "Chaos Engineering",
    "Cloud Native Storage",
    "Cloud Provider",
    "Compute",
    "Container",
    "Container Registry",
    "Container Runtime",
    "Container Security",
    "Content Delivery Network",
    "Continuous Integration & Delivery",
    "Coordination & Service Discovery",
    "Database",
    "Flowchart",
    "Framework",
    "Installable Platform",
    "Key Management",
    "Key Management Service",
    "Kubernetes",
    "Logging",
    "Machine Learning",
    "Management Governance",
    "Metrics",
    "Monitoring",
    "Networking Content Delivery",
    "Operating System",
    "Query",
    "Remote Procedure Call",
    "Scheduling & Orchestration",
    "Secrets Management",
    "Security Identity & Compliance",
    "Service Mesh",
    "Service Proxy",
    "Source Version Control",
    "Specifications",
    "Storage",
    "Streaming & Messaging",
    "Tools",
    "Tracing",
    "Uncategorized",
    "Video Conferencing",
];

/// A definition, and where it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// What it says.
    pub definition: Definition,
    /// Where that was read.
    pub origin: Origin,
}

impl Document {
    fn finding(&self, rule: Rule, message: impl Into<String>) -> Finding {
        let subject = self.definition.subject();
        Finding::new(rule, message)
            .subject(&subject)
            .from(&self.origin)
    }

    /// The folder of its file, with a slash at its end where it has one.
    fn folder(&self) -> &str {
        let file = &*self.origin.file;
        file.rfind('/').map_or("", |slash| &file[..=slash])
    }

    /// That folder, and those that it is in, from the inside.
    fn folders(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.folder()), |folder| {
            let inner = folder.strip_suffix('/')?;
            Some(inner.rfind('/').map_or("", |slash| &inner[..=slash]))
        })
    }

    fn is(&self, kind: DefinitionKind) -> bool {
        self.definition.kind == kind
    }
}

/// A model with everything that belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Package {
    /// The model.
    pub model: Document,
    /// Its components, relationships and kinds of connections, in the order in which they were read.
    pub parts: Vec<Document>,
}

/// Puts definitions together, and says what belongs nowhere.
pub fn packages(documents: Vec<Document>) -> (Vec<Package>, Vec<Finding>) {
    let (models, parts): (Vec<Document>, Vec<Document>) = documents
        .into_iter()
        .partition(|document| document.is(DefinitionKind::Model));
    let mut findings = Vec::new();
    let mut by_folder: HashMap<String, usize> = HashMap::new();
    let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
    let mut packages: Vec<Package> = Vec::new();
    for model in models {
        let at = packages.len();
        if let Some(first) = by_folder.get(model.folder()) {
            let other = &packages[*first].model.origin;
            let message = format!(
                "{other} is a model of the same folder: which of them the rest belongs to, nobody can tell"
            );
            findings.push(model.finding(Rule::SeveralModels, message));
            continue;
        }
        by_folder.insert(model.folder().to_owned(), at);
        let name = model.definition.text(&["name"]).to_owned();
        by_name.entry(name).or_default().push(at);
        packages.push(Package {
            model,
            parts: Vec::new(),
        });
    }
    for part in parts {
        let nearest = part
            .folders()
            .find_map(|folder| by_folder.get(folder))
            .copied();
        let named = by_name.get(part.definition.model()).map(Vec::as_slice);
        let of = match (nearest, named, packages.len()) {
            (Some(at), ..) => Some(at),
            (None, Some([at]), _) => Some(*at),
            (None, None, 1) => Some(0),
            _ => None,
        };
        if let Some(package) = of.and_then(|at| packages.get_mut(at)) {
            package.parts.push(part);
        } else {
            let finding = part.finding(Rule::NoModel, "it belongs to no model that is here");
            findings.push(finding);
        }
    }
    (packages, findings)
}

impl Package {
    /// Says what is wrong with the model and its parts, each by itself and together.
    pub fn check(&self) -> Vec<Finding> {
        let all = std::iter::once(&self.model).chain(&self.parts);
        let mut findings: Vec<Finding> = all
            .flat_map(|document| document.definition.check(&document.origin))
            .collect();
        self.check_model(&mut findings);
        let mut known = HashMap::new();
        let components = self.parts.iter();
        let kinds: HashSet<&str> = components
            .filter(|part| part.is(DefinitionKind::Component))
            .map(|part| part.definition.text(&["component", "kind"]))
            .collect();
        for part in &self.parts {
            let identity = identity(&part.definition);
            if let Some(first) = known.insert(identity, &part.origin) {
                let message = format!("{first} defines the same");
                findings.push(part.finding(Rule::DuplicateDefinition, message));
            }
            self.check_part(part, &kinds, &mut findings);
        }
        findings
    }

    fn check_model(&self, findings: &mut Vec<Finding>) {
        let model = &self.model;
        let lists: [(&[&str], &[&str]); 2] = [
            (&["category", "name"], &CATEGORIES),
            (&["subCategory"], &SUB_CATEGORIES),
        ];
        for (path, known) in lists {
            let text = model.definition.text(path);
            if text.is_empty() || known.contains(&text) {
                continue;
            }
            let message = format!("{text:?} is none of the usual ones");
            let finding = model.finding(Rule::UnknownCategory, message).at(path);
            findings.push(finding.did_you_mean_text(nearest(text, known.iter().copied())));
        }
        if self.parts.is_empty() {
            let message = "it has no component, no relationship and no kind of connections";
            findings.push(model.finding(Rule::EmptyModel, message));
        }
    }

    fn check_part(&self, part: &Document, kinds: &HashSet<&str>, findings: &mut Vec<Finding>) {
        let own = self.model.definition.text(&["name"]);
        let named = part.definition.model();
        if !named.is_empty() && named != own {
            let message =
                format!("it says that it belongs to the model {named:?}, and is with {own:?}");
            findings.push(
                part.finding(Rule::OtherModel, message)
                    .at(&["model", "name"]),
            );
        }
        match part.definition.kind {
            DefinitionKind::Component => {
                if let Err(why) = schema_of(&part.definition) {
                    let finding = part.finding(Rule::InvalidSchema, why);
                    findings.push(finding.at(&["component", "schema"]));
                }
            }
            DefinitionKind::Relationship => self.check_ends(part, kinds, findings),
            DefinitionKind::Model | DefinitionKind::Connection => {}
        }
    }

    /// Says which components of this model a relationship names that there aren't; `kinds` are those that there are.
    fn check_ends(
        &self,
        relationship: &Document,
        kinds: &HashSet<&str>,
        findings: &mut Vec<Finding>,
    ) {
        let own = self.model.definition.text(&["name"]);
        let Some(selectors) = relationship
            .definition
            .body
            .get("selectors")
            .and_then(Value::as_array)
        else {
            return;
        };
        for (index, selector) in selectors.iter().enumerate() {
            for end in ["from", "to"] {
                let ends = selector
                    .pointer(&format!("/allow/{end}"))
                    .and_then(Value::as_array);
                for (at, one) in ends.into_iter().flatten().enumerate() {
                    let text = |pointer: &str| {
                        one.pointer(pointer)
                            .and_then(Value::as_str)
                            .unwrap_or_default()
                    };
                    let kind = text("/kind");
                    let is_known = text("/model/name") != own
                        || matches!(kind, "" | "*")
                        || kinds.contains(kind);
                    if is_known {
                        continue;
                    }
                    let place = crate::path::Path::root()
                        .join("selectors")
                        .join(index)
                        .join("allow")
                        .join(end)
                        .join(at)
                        .join("kind");
                    let message = format!("the model has no component {kind:?}");
                    let finding = relationship
                        .finding(Rule::UnknownComponent, message)
                        .at_path(place);
                    findings.push(finding.did_you_mean_text(nearest(kind, kinds.iter().copied())));
                }
            }
        }
    }
}

/// What tells a definition from the others of its model.
fn identity(definition: &Definition) -> String {
    let text = |keys: &[&str]| definition.text(keys);
    match definition.kind {
        DefinitionKind::Component => {
            format!(
                "component {} {}",
                text(&["component", "version"]),
                text(&["component", "kind"])
            )
        }
        DefinitionKind::Relationship => {
            let selectors = definition.body.get("selectors").map(Value::to_string);
            format!("{} {}", definition.subject(), selectors.unwrap_or_default())
        }
        DefinitionKind::Model | DefinitionKind::Connection => definition.subject(),
    }
}

/// The schema of a component; none where it has none, as what is for the eye only may.
///
/// # Errors
/// Why it is no schema.
pub fn schema_of(component: &Definition) -> Result<Option<Value>, String> {
    let text = component.text(&["component", "schema"]);
    if text.trim().is_empty() {
        if component.is_annotation() {
            return Ok(None);
        }
        return Err("it has no schema, and is not for the eye only".to_owned());
    }
    let schema: Value =
        serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
    let Some(fields) = schema.as_object() else {
        return Err("it is JSON, but no schema: a schema is an object".to_owned());
    };
    let is_type = |value: &Value| value.is_string() || value.is_array();
    if fields.get("type").is_some_and(|value| !is_type(value)) {
        return Err("its type is neither a text nor a list".to_owned());
    }
    if fields
        .get("properties")
        .is_some_and(|value| !value.is_object())
    {
        return Err("its properties are no object".to_owned());
    }
    match circle(&schema) {
        Some(reference) => Err(format!("its reference {reference:?} leads back to itself")),
        None => Ok(Some(schema)),
    }
}

/// A reference that leads to nothing but references, in a circle.
fn circle(schema: &Value) -> Option<String> {
    let mut waiting = vec![schema];
    while let Some(value) = waiting.pop() {
        match value {
            Value::Object(fields) => {
                let mut followed = HashSet::new();
                let mut next = fields.get("$ref").and_then(Value::as_str);
                while let Some(reference) = next {
                    if !followed.insert(reference) {
                        return Some(reference.to_owned());
                    }
                    let target = reference
                        .strip_prefix('#')
                        .and_then(|pointer| schema.pointer(pointer));
                    next = target.and_then(|target| target.get("$ref")?.as_str());
                }
                waiting.extend(fields.values());
            }
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    None
}
