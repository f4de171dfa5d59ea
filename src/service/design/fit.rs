//! Fits designs to where they go: reads overlays and values, from sections of a design or from files
//! beside it, takes what the caller gives, and lays both over the objects.

use std::sync::Arc;

use serde_json::Value;
use weft_domain::{
    check::{Finding, Rule},
    component::Object,
    overlay::{self, Document, Overlays, Values},
    path::Path,
    resource::Origin,
    source::{Bundle, Form, SourceFile, overlay_of},
    yaml::{self, Limits, Positions},
};

use super::read::first_line;
use crate::{
    api::design::Fitting,
    error::{Code, Error, Place, Result, from},
    service::source::flag,
};

/// The section of a design with its values.
const VALUES: &str = "values";

/// The section of a design with its overlays.
const OVERLAYS: &str = "overlays";

/// The sections of a design that this is about.
pub(super) const SECTIONS: [&str; 2] = [VALUES, OVERLAYS];

/// Where the document of a design stands.
pub(super) struct Written<'a> {
    /// The file, or name and version of what is stored.
    pub(super) file: &'a Arc<str>,
    /// The line where it starts, if it is a text.
    pub(super) line: Option<u32>,
    /// The places in it, if it is a text whose fields are those of the design.
    pub(super) positions: Option<Positions>,
}

/// What can be laid over a design, and what was given for it.
#[derive(Clone, Default)]
pub(super) struct Sections {
    overlays: Arc<Overlays>,
    values: Values,
    /// What files say of it, as sections of a design.
    of_files: Object,
}

impl Sections {
    /// Reads the sections of a design.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub(super) fn of_design(extra: &Object, written: &Written<'_>) -> Result<Self> {
        Self::read(extra, written, &[], None)
    }

    /// Reads the sections of a design, if it is one, and the files beside it.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub(super) fn of_bundle(
        bundle: &Bundle,
        extra: &Object,
        written: &Written<'_>,
    ) -> Result<Self> {
        let mut errors = Vec::new();
        let limits = bundle.limits.over(Limits::STREAM);
        let mut files = Vec::new();
        for file in &bundle.overlays {
            let Some(name) = overlay_of(&file.path) else {
                continue;
            };
            let parsed = Parsed::read(file, &shown(bundle, &file.path), &limits, &mut errors);
            files.extend(parsed.into_iter().map(|parsed| (name.to_owned(), parsed)));
        }
        let values = bundle.values.as_ref().and_then(|file| {
            let place = shown(bundle, &file.path);
            let parsed = Parsed::read(file, &place, &limits, &mut errors);
            if parsed.len() > 1 || extra.contains_key(VALUES) {
                let message = if parsed.len() > 1 {
                    "a file of values is one document"
                } else {
                    "the design has a section \"values\", and so no file of values beside it"
                };
                errors.push(Error::new(Code::BadValues, message).at(Place::file(&*place, None)));
            }
            parsed.into_iter().next()
        });
        match Error::all(errors) {
            Some(error) => Err(error),
            None => Self::read(extra, written, &files, values.as_ref()),
        }
    }

    fn read(
        extra: &Object,
        written: &Written<'_>,
        files: &[(String, Parsed)],
        values: Option<&Parsed>,
    ) -> Result<Self> {
        let section = |key: &str| Some((key.to_owned(), extra.get(key)?.clone()));
        let own: Object = SECTIONS.into_iter().filter_map(section).collect();
        let own = Value::Object(own);
        let origin = Origin {
            file: written.file.clone(),
            line: written.line,
            inside: Path::root(),
            part: None,
        };
        let design = Document {
            value: &own,
            origin: &origin,
            positions: written.positions.as_ref(),
        };
        let files: Vec<_> = files
            .iter()
            .map(|(name, parsed)| (name.clone(), parsed.document()))
            .collect();
        let overlays = Overlays::read(Some(&design), &files);
        let mut of_files = Object::new();
        let values = match values {
            None => Values::read(&design),
            Some(parsed) => {
                of_files.insert(VALUES.to_owned(), parsed.value.clone());
                // What is at the top of the file is below the section.
                let section = Value::Object(of_files.clone());
                let values = Values::read(&Document {
                    value: &section,
                    positions: None,
                    ..parsed.document()
                });
                values.map_err(|mut errors| {
                    for error in &mut errors {
                        error.path = Path::root();
                    }
                    errors
                })
            }
        };
        if !files.is_empty()
            && let Some(section) = Overlays::section(own.get(OVERLAYS), &files)
        {
            of_files.insert(OVERLAYS.to_owned(), section);
        }
        let (overlays, values) = match (overlays, values) {
            (Ok(overlays), Ok(values)) => (overlays, values),
            (overlays, values) => {
                let errors = [overlays.err(), values.err()].into_iter().flatten();
                return Err(all(errors.flatten()));
            }
        };
        Ok(Self {
            overlays: Arc::new(overlays),
            values,
            of_files,
        })
    }

    /// What files beside the design say, as sections of the design.
    pub(super) fn of_files(&self) -> &Object {
        &self.of_files
    }

    /// Takes the values that the caller gives.
    ///
    /// # Errors
    /// With everything that the design doesn't take.
    pub(super) fn give(&mut self, fitting: &Fitting) -> Result<()> {
        let mut errors = Vec::new();
        let limits = fitting.limits.over(Limits::STREAM);
        for file in &fitting.values {
            let place: Arc<str> = file.path.as_str().into();
            for parsed in Parsed::read(file, &place, &limits, &mut errors) {
                let given = self.values.give(&parsed.document());
                errors.extend(given.err().into_iter().flatten().map(Error::from));
            }
        }
        let set = fitting.set.iter().map(|argument| (false, argument));
        let texts = fitting.set_string.iter().map(|argument| (true, argument));
        for (is_text, argument) in set.chain(texts) {
            let (flag, given) = if is_text {
                ("--set-string", self.values.set_string(argument))
            } else {
                ("--set", self.values.set(argument))
            };
            let refused = given.err().into_iter().flatten();
            errors.extend(refused.map(|error| {
                let at = error.path.clone();
                let error = Error::from(error);
                // A place in the design is none of the command line.
                let at = if at.is_root() {
                    flag.to_owned()
                } else {
                    format!("{flag}, {at}")
                };
                error.at(Place::object(at))
            }));
        }
        match Error::all(errors) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Fills values in and lays overlays over objects, in the order of their names.
    ///
    /// # Errors
    /// With everything that doesn't fit; the objects are as they were then.
    pub(super) fn apply(
        &self,
        objects: &mut Vec<(Value, Origin)>,
        overlays: &[String],
    ) -> Result<overlay::Applied> {
        self.overlays
            .apply(objects, overlays, &self.values)
            .map_err(all)
    }

    /// Tells whether these overlays and the values change nothing.
    pub(super) fn are_idle(&self, overlays: &[String]) -> bool {
        overlays.is_empty() && !self.values.is_declared()
    }

    /// Takes the sections out of a design that they were laid over.
    pub(super) fn take_from(extra: &mut Object) {
        for section in SECTIONS {
            extra.shift_remove(section);
        }
    }
}

/// A document of a file beside a design.
struct Parsed {
    value: Value,
    origin: Origin,
    positions: Positions,
}

impl Parsed {
    /// Reads the documents of a file; one that says nothing is there all the same.
    fn read(
        file: &SourceFile,
        place: &Arc<str>,
        limits: &Limits,
        errors: &mut Vec<Error>,
    ) -> Vec<Self> {
        let mut found = Vec::new();
        let document = |text: &yaml::Text<'_>, value: Value| Self {
            value,
            origin: Origin {
                file: Arc::clone(place),
                line: Some(first_line(text)),
                inside: Path::root(),
                part: None,
            },
            positions: Positions::of(text),
        };
        for (count, text) in yaml::split(&file.text).enumerate() {
            if count == limits.documents {
                let message = format!("the file has more than {count} documents");
                let error = Error::new(Code::OverLimit, message).at(Place::file(&**place, None));
                errors.push(error.hint(from::raise(flag::DOCUMENTS)));
                break;
            }
            match yaml::parse(&text, limits) {
                Ok(Some(value)) => found.push(document(&text, value)),
                Ok(None) => {}
                Err(error) => errors.push(from::yaml(&error, place)),
            }
        }
        if found.is_empty() {
            let text = yaml::Text {
                text: "",
                line_offset: 0,
            };
            found.push(document(&text, Value::Null));
        }
        found
    }

    fn document(&self) -> Document<'_> {
        Document {
            value: &self.value,
            origin: &self.origin,
            positions: Some(&self.positions),
        }
    }
}

/// A file beside a design as messages name it.
fn shown(bundle: &Bundle, path: &str) -> Arc<str> {
    let is_folder = matches!(bundle.form, Form::Manifest | Form::Design);
    match bundle.origin.as_str() {
        "-" | "." => path.into(),
        origin if is_folder && !origin.contains("://") => {
            format!("{}/{path}", origin.trim_end_matches('/')).into()
        }
        _ => path.into(),
    }
}

fn all(errors: impl IntoIterator<Item = overlay::Error>) -> Error {
    Error::all(errors.into_iter().map(Error::from))
        .unwrap_or_else(|| Error::internal("overlays are refused without a reason"))
}

/// What looks wrong about overlays, as a finding like others.
pub(super) fn finding(warning: overlay::Error) -> Finding {
    let message = warning.problem.to_string();
    let mut finding = Finding::new(Rule::UnknownPlaceholder, message)
        .subject(warning.target.as_deref().unwrap_or_default())
        .at_path(warning.path);
    if let Some(origin) = &warning.origin {
        if warning.overlay.is_some() {
            finding.set_at(origin);
        } else {
            finding = finding.from(origin);
        }
    }
    match warning.hint {
        Some(hint) => finding.hint(hint),
        None => finding,
    }
}
