//! Finds hubs and forms among the manifests of a source.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use weft_domain::{
    check::{Finding, Severity},
    source::Bundle,
    tenant::{
        form::{Form, ReadForm},
        hub::Hub,
    },
};

use crate::{
    api::{
        design::{Fitting, Reference},
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
        let hubs = hubs_of(&manifests, &file)?;
        let names: Vec<String> = hubs.items.iter().map(|l| l.hub.name.clone()).collect();
        let mut set = Set {
            hub: the_one(hubs.items, hub.as_deref(), file)?,
            forms: Vec::new(),
            broken: Vec::new(),
            findings: hubs.findings,
            places: manifests.places,
            notes: manifests.notes,
        };
        let forms = manifests.objects.iter();
        let forms = forms.filter(|(object, _)| Form::is_form(object));
        for mut read in forms.flat_map(|(object, origin)| Form::read(object, origin)) {
            if let Some(form) = &read.form
                && !names.contains(&form.hub)
            {
                let known = names.iter().map(String::as_str);
                read.findings.push(form.without_hub(known));
                read.form = None;
            }
            set.add(read);
        }
        set.one_of_each()?;
        Ok(set)
    })
    .await
}

impl Set {
    /// Adds what was read of a form, unless it belongs to another hub.
    fn add(&mut self, read: ReadForm) {
        let ReadForm {
            name,
            form,
            mut findings,
        } = read;
        self.places.locate(&mut findings);
        let errors = findings.extract_if(.., |finding| finding.severity == Severity::Error);
        let errors: Vec<Finding> = errors.collect();
        match form {
            Some(form) if form.hub != self.hub.hub.name => return,
            Some(form) => self.forms.push(form),
            None => self.broken.push(Broken {
                name,
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

/// Reads the hubs of a source. Other manifests are left alone.
///
/// # Errors
/// When the source can't be read, has no hub, or one that is wrong; all that is wrong is listed.
pub(crate) async fn hubs(services: &Services, source: Bundle) -> Result<Hubs> {
    let file = source.origin.clone();
    let read = read::read(services, Reference::Inline(source), &Fitting::default()).await?;
    compute(move || hubs_of(&read.into_manifests()?, &file)).await
}

fn hubs_of(manifests: &Manifests, file: &str) -> Result<Hubs> {
    let mut items = Vec::new();
    let mut findings = Vec::new();
    for (object, origin) in &manifests.objects {
        if !Hub::is_hub(object) {
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
    if items.is_empty() {
        return Err(Error::new(Code::NothingThere, "the source holds no hub")
            .at(Place::file(file, None))
            .hint("a hub is a LynqHub or, under its old name, a TenantRegistry"));
    }
    Ok(Hubs { items, findings })
}

/// Returns the hub of a name; without one, the only hub.
fn the_one(mut hubs: Vec<Located>, name: Option<&str>, file: String) -> Result<Located> {
    let known: Vec<String> = hubs.iter().map(|l| format!("{:?}", l.hub.name)).collect();
    hubs.retain(|located| name.is_none_or(|name| located.hub.name == name));
    let several = hubs.len() > 1;
    hubs.pop().filter(|_| !several).ok_or_else(|| {
        let error = match name {
            Some(name) if !several => {
                Error::new(Code::TenantNotFound, format!("there is no hub {name:?}"))
            }
            _ => Error::new(
                Code::Usage,
                "the source holds several hubs, each a set of its own",
            ),
        };
        error
            .at(Place::file(file, None))
            .hint(format!("name one of {} with --hub", known.join(", ")))
    })
}
