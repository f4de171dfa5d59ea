//! Finds hubs and forms among the manifests of a source.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use serde_json::Value;
use weft_domain::{
    check::{Finding, Severity},
    source::Bundle,
    tenant::{
        form::{Form, ReadForm},
        hub::Hub,
        operator,
    },
    yaml,
};

use crate::{
    api::{
        design::{File, Fitting, Reference},
        tenant::Tenants,
    },
    error::{Code, Error, Place, Result, from},
    service::{
        Services, compute,
        design::read::{self, Manifests, Places},
    },
};

/// The hubs of a source, and what looks wrong about them.
pub(crate) struct Hubs {
    /// The hubs, in their order.
    pub(crate) items: Vec<Located>,
    /// Warnings.
    pub(crate) findings: Vec<Finding>,
}

/// A hub with the file that it was read from.
pub(crate) struct Located {
    /// The hub.
    pub(crate) hub: Hub,
    /// The file, as the user named it.
    pub(crate) file: String,
}

impl Located {
    /// The folder of the file, from which the paths in the hub are.
    pub(crate) fn folder(&self, base: &Path) -> PathBuf {
        let file = Path::new(&self.file);
        match file.parent() {
            Some(parent) => base.join(parent),
            None => base.to_owned(),
        }
    }
}

/// A hub with its forms.
pub(in crate::service) struct Set {
    /// The hub.
    pub(in crate::service) hub: Located,
    /// The forms that can be used.
    pub(in crate::service) forms: Vec<Form>,
    /// Those that can't.
    pub(in crate::service) broken: Vec<Broken>,
    /// Warnings.
    pub(in crate::service) findings: Vec<Finding>,
    /// Where lines and columns are looked up.
    pub(in crate::service) places: Places,
    /// What was left out.
    pub(in crate::service) notes: Vec<String>,
}

/// A form that can't be used.
pub(in crate::service) struct Broken {
    /// Its name.
    pub(in crate::service) name: String,
    /// What findings call it.
    pub(in crate::service) subject: String,
    /// Why not.
    pub(in crate::service) findings: Vec<Finding>,
}

impl Broken {
    /// Why it can't be used, as one error.
    pub(in crate::service) fn error(&self) -> Error {
        let errors = self.findings.iter();
        let errors = errors.map(|finding| from::finding(finding).coded(Code::BadForm));
        Error::all(errors).unwrap_or_else(|| Error::internal("a broken form without a reason"))
    }
}

/// Reads a hub and its forms.
///
/// # Errors
/// When the source can't be read, or has not just one such hub, or one that is wrong. What is wrong with
/// forms is in the answer.
pub(in crate::service) async fn set(services: &Services, tenants: Tenants) -> Result<Set> {
    let Tenants { source, hub, .. } = tenants;
    let file = source.origin.clone();
    let read = read::read(services, Reference::Inline(source), &Fitting::default()).await?;
    compute(move || {
        let manifests = read.into_manifests()?;
        let names = names_of(&manifests);
        let hubs = hubs_of(&manifests, &names, hub.as_deref(), &file)?;
        let mut set = Set {
            hub: the_one(hubs.items, &names, file)?,
            forms: Vec::new(),
            broken: Vec::new(),
            findings: hubs.findings,
            places: manifests.places,
            notes: manifests.notes,
        };
        let forms = manifests.objects.iter();
        let forms = forms.filter(|(object, _)| Form::is_form(object));
        for read in forms.flat_map(|(object, origin)| Form::read(object, origin)) {
            set.add(read, &names);
        }
        set.one_of_each()?;
        Ok(set)
    })
    .await
}

impl Set {
    /// Adds what was read of a form, unless it belongs to another one of some hubs.
    fn add(&mut self, mut read: ReadForm, hubs: &[String]) {
        let own = &self.hub.hub.name;
        if read
            .hub
            .as_ref()
            .is_some_and(|hub| hub != own && hubs.contains(hub))
        {
            return;
        }
        if let Some(form) = read.form.take_if(|form| form.hub != *own) {
            let known = hubs.iter().map(String::as_str);
            read.findings.push(form.without_hub(known));
        }
        let ReadForm {
            name,
            subject,
            form,
            mut findings,
            ..
        } = read;
        self.places.locate(&mut findings);
        let errors = findings.extract_if(.., |finding| finding.severity == Severity::Error);
        let errors: Vec<Finding> = errors.collect();
        match form {
            Some(form) => self.forms.push(form),
            None => self.broken.push(Broken {
                name,
                subject,
                findings: errors,
            }),
        }
        self.findings.extend(findings);
    }

    /// Refuses two forms of one name.
    fn one_of_each(&self) -> Result<()> {
        let mut known = HashMap::new();
        for form in &self.forms {
            if let Some(first) = known.insert(form.name.as_str(), &form.origin) {
                let message = format!("the form {:?} is defined twice, at {first}, too", form.name);
                return Err(
                    Error::new(Code::BadForm, message).at(Place::file(&*form.origin.file, None))
                );
            }
        }
        Ok(())
    }
}

/// Reads the hubs of a source, or the one of a name. Other manifests are left alone.
///
/// # Errors
/// When the source can't be read, has no hub, or one that is wrong; all that is wrong is listed.
pub(crate) async fn hubs(
    services: &Services,
    source: Bundle,
    name: Option<String>,
) -> Result<Hubs> {
    let file = source.origin.clone();
    let read = read::read(services, Reference::Inline(source), &Fitting::default()).await?;
    compute(move || {
        let manifests = read.into_manifests()?;
        hubs_of(&manifests, &names_of(&manifests), name.as_deref(), &file)
    })
    .await
}

/// Returns a hub and its forms, or all of a source, as files of their own under the names that they have now.
///
/// # Errors
/// When the source can't be read.
pub(crate) async fn renamed(
    services: &Services,
    source: Bundle,
    hub: Option<String>,
) -> Result<Vec<File>> {
    let read = read::read(services, Reference::Inline(source), &Fitting::default()).await?;
    compute(move || {
        let manifests = read.into_manifests()?;
        let resources = manifests.objects.iter().map(|(object, _)| object);
        let resources = resources.filter(|object| Hub::is_hub(object) || Form::is_form(object));
        let resources = resources.map(renamed_resource);
        let is_meant = |object: &Value| {
            let Some(hub) = &hub else { return true };
            let of_form = object["spec"]["hubId"].as_str();
            of_form.or(name_of(object).filter(|_| Hub::is_hub(object))) == Some(hub)
        };
        let meant = resources.filter(is_meant);
        Ok(meant
            .map(|object| File {
                path: format!(
                    "{}-{}.yaml",
                    object["kind"].as_str().unwrap_or_default().to_lowercase(),
                    name_of(&object).unwrap_or_default()
                ),
                text: yaml::to_string(&object),
            })
            .collect())
    })
    .await
}

fn renamed_resource(object: &Value) -> Value {
    operator::renamed(object).unwrap_or_else(|| object.clone())
}

/// The names of all hubs, as far as they have one.
fn names_of(manifests: &Manifests) -> Vec<String> {
    let hubs = manifests.objects.iter();
    let hubs = hubs.filter(|(object, _)| Hub::is_hub(object));
    hubs.filter_map(|(object, _)| name_of(object).map(str::to_owned))
        .collect()
}

fn name_of(object: &serde_json::Value) -> Option<&str> {
    object.get("metadata")?.get("name")?.as_str()
}

/// Reads the hubs, or the one of a name.
fn hubs_of(
    manifests: &Manifests,
    names: &[String],
    name: Option<&str>,
    file: &str,
) -> Result<Hubs> {
    let mut items = Vec::new();
    let mut findings = Vec::new();
    for (object, origin) in &manifests.objects {
        if !Hub::is_hub(object) || (name.is_some() && name_of(object) != name) {
            continue;
        }
        let (hub, found) = Hub::read(object, origin);
        findings.extend(found);
        let file = origin.file.to_string();
        items.extend(hub.map(|hub| Located { hub, file }));
    }
    manifests.places.locate(&mut findings);
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    if let Some(error) = Error::all(errors.map(|found| from::finding(found).coded(Code::BadHub))) {
        return Err(error);
    }
    if let (true, Some(name)) = (items.is_empty() && !names.is_empty(), name) {
        let message = format!("there is no hub {name:?}");
        return Err(Error::new(Code::TenantNotFound, message)
            .at(Place::file(file, None))
            .hint(named(names)));
    }
    if items.is_empty() {
        return Err(Error::new(Code::NothingThere, "the source holds no hub")
            .at(Place::file(file, None))
            .hint("a hub is a LynqHub, under its old name a TenantRegistry, or a TenantSet"));
    }
    Ok(Hubs { items, findings })
}

/// Returns the only hub.
fn the_one(mut hubs: Vec<Located>, names: &[String], file: String) -> Result<Located> {
    let several = hubs.len() > 1;
    hubs.pop().filter(|_| !several).ok_or_else(|| {
        let message = "the source holds several hubs, each a set of its own";
        Error::new(Code::Usage, message)
            .at(Place::file(file, None))
            .hint(named(names))
    })
}

fn named(names: &[String]) -> String {
    let mut names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    names.sort();
    let count = names.len();
    names.dedup();
    if names.len() < count {
        return format!(
            "give each a name of its own; there are {}",
            names.join(", ")
        );
    }
    format!("name one of {} with --hub", names.join(", "))
}
