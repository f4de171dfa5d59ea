//! Rows × forms as the apply engine takes them: one resource set, in which each row goes its own way.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, HashMap, HashSet},
    ops::ControlFlow,
    path::Path,
    sync::Arc,
    time::Instant,
};

use jiff::Timestamp;
use weft_domain::{
    check::{Finding, Rule, Severity},
    model::Model,
    resource::{Part, ResourceSet, Scope},
    secret, template,
    tenant::{
        self,
        form::Rollout,
        hub::{Mappings, UpdatedAt},
        lint,
        render::{Made, Read, RowCounts, RowProblem, Setting, made},
        row::Row,
    },
};

use super::{
    credentials::Vault,
    datasource::{self, Datasource, Pair, Since},
    read::Set,
};
use crate::{
    api::{design::Schemas, tenant::RenderedRows},
    error::{Code, Error, Place, Result},
    service::{
        design::{Judged, catalog, read::Manifests},
        operation::Handle,
    },
};

/// A hub with its forms, and the rows of its table.
#[derive(Clone)]
pub(in crate::service) struct Rows {
    set: Arc<Set>,
    each: Arc<[Read]>,
    /// The database's time at which they were so.
    as_of: Timestamp,
    /// How long it took to read them.
    seconds: f64,
}

/// What rows and forms make for one cluster.
pub(in crate::service) struct Wanted {
    /// The resources; what could not be made is withheld.
    pub(in crate::service) set: ResourceSet,
    /// The rows.
    pub(in crate::service) rows: RowCounts,
    /// Why something could not be made.
    pub(in crate::service) problems: Vec<RowProblem>,
    /// Why whole forms could not be used.
    pub(in crate::service) broken: Vec<Error>,
    /// What looks wrong.
    pub(in crate::service) findings: Vec<Finding>,
    /// What was left out.
    pub(in crate::service) notes: Vec<String>,
}

impl Rows {
    /// Reads the rows of a database; `seen` is told of each as it is.
    pub(super) async fn of(
        set: Arc<Set>,
        database: &Datasource,
        handle: &Handle,
        mut seen: impl FnMut(&datasource::Row) + Send,
    ) -> Result<Self> {
        let begun = Instant::now();
        let mappings = &set.hub.hub.mappings;
        let columns = Columns::of(mappings);
        let mut rows = Vec::new();
        let as_of = database
            .rows(mappings, |row| {
                seen(&row);
                rows.push(columns.row(&row));
                if handle.check().is_ok() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })
            .await?;
        handle.check()?;
        Ok(Self::read(set, rows, as_of, begun))
    }

    /// Reads what has changed since these rows were read; nothing where that does not tell what all rows are.
    ///
    /// # Errors
    /// When they can't be read to their end.
    pub(super) async fn changed(
        &self,
        database: &Datasource,
        updated_at: &UpdatedAt,
        handle: &Handle,
    ) -> Result<Option<Self>> {
        let begun = Instant::now();
        let mappings = &self.set.hub.hub.mappings;
        let columns = Columns::of(mappings);
        let since = Since {
            column: &updated_at.column,
            time: self.as_of,
            overlap: updated_at.overlap,
        };
        let (mut pairs, mut rows) = (Vec::new(), Vec::new());
        let reading = database.changed(
            mappings,
            since,
            |pair| pairs.push(pair),
            |row| rows.push(columns.row(&row)),
        );
        let as_of = tokio::select! {
            as_of = reading => as_of?,
            () = handle.cancelled() => {
                handle.check()?;
                return Ok(None);
            }
        };
        let rows = merged(&self.each, pairs, rows);
        Ok(rows.map(|rows| Self::read(self.set.clone(), rows, as_of, begun)))
    }

    fn read(set: Arc<Set>, rows: Vec<Read>, as_of: Timestamp, begun: Instant) -> Self {
        let seconds = begun.elapsed().as_secs_f64();
        tracing::debug!(rows = rows.len(), seconds, "rows were read");
        Self {
            set,
            each: rows.into(),
            as_of,
            seconds,
        }
    }

    /// How long it took to read them, in seconds.
    pub(in crate::service) fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Whether these rows say what others do.
    pub(super) fn says_what(&self, other: &Self) -> bool {
        self.each == other.each
    }

    /// The name of the set.
    pub(in crate::service) fn name(&self) -> String {
        tenant::set_name(&self.set.hub.hub.name)
    }

    /// The namespace of the hub.
    pub(in crate::service) fn namespace(&self) -> Option<&str> {
        self.set.hub.hub.namespace.as_deref()
    }

    /// The forms whose rows change a few at a time.
    pub(in crate::service) fn rollouts(&self) -> BTreeMap<String, Rollout> {
        let forms = self.set.forms.iter();
        let forms = forms.filter(|form| form.rollout.max_skew.is_some());
        forms
            .map(|form| (form.name.clone(), form.rollout))
            .collect()
    }

    /// Leaves only the rows with these uids; without any, all of them.
    ///
    /// # Errors
    /// When one of them isn't there.
    pub(super) fn only(self, uids: &[String]) -> Result<Self> {
        if uids.is_empty() {
            return Ok(self);
        }
        let uid_of = |row: &Read| match row {
            Ok(row) => row.uid.clone(),
            Err((uid, _)) => uid.clone(),
        };
        let known: HashSet<String> = self.each.iter().map(uid_of).collect();
        let missing = uids.iter().filter(|uid| !known.contains(*uid));
        let errors = missing.map(|uid| {
            Error::new(Code::TenantNotFound, format!("there is no row {uid:?}"))
                .did_you_mean(uid, known.iter().map(String::as_str))
        });
        if let Some(error) = Error::all(errors.collect::<Vec<_>>()) {
            return Err(error);
        }
        let rows = self.each.iter().filter(|row| uids.contains(&uid_of(row)));
        Ok(Self {
            each: rows.cloned().collect(),
            ..self
        })
    }

    /// Makes the objects for whoever wants to see them.
    ///
    /// # Errors
    /// When the objects can't be judged at all.
    pub(super) fn rendered(
        &self,
        namespace: Option<&str>,
        include_secrets: bool,
    ) -> Result<RenderedRows> {
        let namespace = namespace.or(self.namespace()).unwrap_or("default");
        // What kinds there are beside the built-in ones only a cluster knows.
        let is_accepted = |finding: &Finding, _: &ResourceSet| finding.rule == Rule::UnknownKind;
        let wanted = self.wanted(namespace, &|_, _| None, &is_accepted)?;
        let mut masked = false;
        let items = wanted.set.into_resources().into_iter().map(|resource| {
            let mut object = resource.object;
            if !include_secrets && secret::holds_secrets(&object) {
                secret::mask(&mut object);
                masked = true;
            }
            object
        });
        let items = items.collect();
        let broken = wanted.broken.into_iter();
        Ok(RenderedRows {
            hub: self.set.hub.hub.name.clone(),
            rows: wanted.rows,
            items,
            failures: broken
                .chain(errors(&wanted.problems))
                .map(Into::into)
                .collect(),
            problems: wanted.problems,
            findings: wanted.findings,
            masked,
        })
    }

    /// Makes the objects, and judges them.
    fn judged(
        &self,
        namespace: &str,
        scope: Scope<'_>,
        schemas: Schemas,
    ) -> Result<(Made, Judged)> {
        let Set {
            hub,
            forms,
            places,
            notes,
            ..
        } = &*self.set;
        // Without a cluster, the built-in model knows.
        let model = Model::builtin();
        let known = |api_version: &str, kind: &str| {
            scope(api_version, kind).or_else(|| model.find(api_version, kind)?.is_namespaced())
        };
        let setting = Setting {
            hub: &hub.hub.name,
            namespace,
            scope: &known,
        };
        let rows = self.each.iter().cloned();
        let mut made = made(forms, rows, setting, &mut Machine);
        let manifests = Manifests::made(
            self.name(),
            std::mem::take(&mut made.objects),
            places.clone(),
            notes.clone(),
        );
        let judged = Judged::for_cluster(manifests, schemas, Some(namespace), scope)?;
        Ok((made, judged))
    }

    /// Makes the objects, and tells what is wrong with rows, forms and objects.
    ///
    /// # Errors
    /// When the objects can't be judged at all.
    pub(super) fn linted(
        &self,
        namespace: Option<&str>,
        schemas: Schemas,
    ) -> Result<(RowCounts, Vec<Finding>)> {
        let namespace = namespace.or(self.namespace()).unwrap_or("default");
        let catalog = catalog(&[], schemas.clone(), &mut Vec::new())?;
        let scope = |api_version: &str, kind: &str| catalog.is_namespaced(api_version, kind);
        let (made, mut judged) = self.judged(namespace, &scope, schemas)?;
        for finding in &mut judged.findings {
            if finding.rule == Rule::UnknownKind {
                // A cluster may know it.
                finding.severity = Severity::Warning;
            }
        }
        let Set { hub, forms, .. } = &*self.set;
        let findings = lint::of_rows(&hub.hub, forms, &made.problems, &judged.findings);
        Ok((made.rows, findings))
    }

    /// Makes the objects, and judges them as a cluster sees them: what is wrong with one is withheld, and
    /// with it what depends on it. `is_accepted` tells of an error that this cluster makes none of.
    ///
    /// # Errors
    /// When the objects can't be judged at all.
    pub(in crate::service) fn wanted(
        &self,
        namespace: &str,
        scope: Scope<'_>,
        is_accepted: &dyn Fn(&Finding, &ResourceSet) -> bool,
    ) -> Result<Wanted> {
        let Set {
            forms,
            broken,
            findings,
            ..
        } = &*self.set;
        let (mut made, judged) = self.judged(namespace, scope, Schemas::default())?;
        let (errors, warnings): (Vec<&Finding>, Vec<&Finding>) = judged
            .findings
            .iter()
            .partition(|finding| finding.severity == Severity::Error);
        for finding in errors {
            if is_accepted(finding, &judged.set) {
                continue;
            }
            let part = finding
                .origin
                .as_ref()
                .and_then(|origin| origin.part.clone());
            match part {
                Some(part) => made.withhold(forms, &part, described(finding)),
                None => return Err(crate::error::from::finding(finding)),
            }
        }
        let mut of_forms = Vec::new();
        for form in broken {
            let error = form.error();
            made.withheld.form(form.name.as_str(), error.to_string());
            of_forms.push(error);
        }
        let mut all = findings.clone();
        all.extend(of_first_rows(warnings));
        let Made {
            withheld,
            problems,
            rows,
            ..
        } = made;
        Ok(Wanted {
            set: judged.set.without(withheld),
            rows,
            problems,
            broken: of_forms,
            findings: all,
            notes: judged.notes,
        })
    }
}

/// Prepares to read the rows of a set; nothing is connected yet.
///
/// # Errors
/// When its credentials can't be had.
pub(super) async fn database(set: &Set, vault: &mut Vault, folder: &str) -> Result<Datasource> {
    let credentials = vault.credentials(&set.hub).await?;
    let folder = set.hub.folder(Path::new(folder));
    Ok(Datasource::open(&set.hub.hub.source, &credentials, &folder))
}

/// The clock and the randomness of the machine, for templates that ask for them.
struct Machine;

impl template::Source for Machine {
    fn now(&mut self) -> (i64, u32) {
        let now = jiff::Timestamp::now();
        let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or_default();
        (now.as_second(), nanoseconds)
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        if aws_lc_rs::rand::fill(bytes).is_err() {
            tracing::warn!("the machine has no randomness to give");
        }
    }
}

/// A finding about an object in one sentence.
fn described(finding: &Finding) -> String {
    match &finding.path {
        Some(path) => format!("{} ({path})", finding.message),
        None => finding.message.clone(),
    }
}

/// What looks wrong, once for all rows of an entry.
fn of_first_rows(warnings: Vec<&Finding>) -> Vec<Finding> {
    let mut known = HashSet::new();
    let is_new = |finding: &&Finding| {
        let part = finding
            .origin
            .as_ref()
            .and_then(|origin| origin.part.as_deref());
        let entry = part.map(|Part { form, entry, .. }| (form.clone(), entry.clone()));
        entry.is_none() || known.insert((finding.rule, entry, finding.path.clone()))
    };
    warnings.into_iter().filter(is_new).cloned().collect()
}

/// Turns problems into errors: one for all rows that have the same.
pub(in crate::service) fn errors(problems: &[RowProblem]) -> Vec<Error> {
    let mut groups: Vec<(&RowProblem, usize)> = Vec::new();
    let mut known = HashMap::new();
    for problem in problems {
        let what = (
            &problem.form,
            &problem.entry,
            &problem.field,
            &problem.message,
        );
        let group = *known.entry(what).or_insert_with(|| {
            groups.push((problem, 0));
            groups.len() - 1
        });
        groups[group].1 += 1;
    }
    let errors = groups.into_iter().map(|(problem, count)| {
        let error = Error::new(Code::BadRow, problem.to_string());
        let error = match problem.file.as_str() {
            "" => error,
            file => error.at(Place::file(file, None)),
        };
        match count {
            1 => error,
            more => error.because(format!("so it is with {} more rows", more - 1)),
        }
    });
    errors.collect()
}

/// All rows by what has changed since some were read: nothing where that leaves one in doubt. A row that was
/// switched on or off counts as changed, whatever its time says.
fn merged(before: &[Read], pairs: Vec<Pair>, changed: Vec<Read>) -> Option<Vec<Read>> {
    let (before, mut changed) = (by_uid(before.iter())?, by_uid(changed)?);
    let mut known = HashSet::new();
    pairs
        .into_iter()
        .map(|pair| {
            let Pair {
                uid,
                activate,
                fault: None,
            } = pair
            else {
                return None;
            };
            let row = match (changed.remove(&uid), before.get(&uid)) {
                (Some(row), _) => row,
                (None, Some(Ok(row))) => Ok(Row {
                    activate,
                    ..row.clone()
                }),
                (None, Some(Err(fault))) => Err(fault.clone()),
                (None, None) => return None,
            };
            known.insert(uid).then_some(row)
        })
        .collect()
}

/// Rows by what names them; nothing when one name stands for several.
fn by_uid<R: Borrow<Read>>(rows: impl IntoIterator<Item = R>) -> Option<HashMap<String, R>> {
    let mut found = HashMap::new();
    for row in rows {
        let uid = match row.borrow() {
            Ok(row) => row.uid.clone(),
            Err((uid, _)) => uid.clone(),
        };
        if found.insert(uid, row).is_some() {
            return None;
        }
    }
    Some(found)
}

/// What the columns of a row mean, looked up once.
struct Columns<'a> {
    mappings: &'a Mappings,
    columns: Vec<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(mappings: &'a Mappings) -> Self {
        Self {
            mappings,
            columns: mappings.columns(),
        }
    }

    fn row(&self, row: &datasource::Row) -> Read {
        let value = |column: &str| {
            let place = self.columns.iter().position(|known| *known == column);
            let value = place.and_then(|place| row.values.get(place));
            value.cloned().unwrap_or_default()
        };
        let uid = value(&self.mappings.uid);
        if let Some(fault) = &row.fault {
            return Err((uid, fault.to_string()));
        }
        let extra = self.mappings.extra.iter();
        Ok(Row {
            uid,
            activate: value(&self.mappings.activate),
            host_or_url: self.mappings.host_or_url.as_deref().map(value),
            extra: extra
                .map(|(variable, column)| (variable.clone(), value(column)))
                .collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Pair, Read, Row, merged};

    fn row(uid: &str, activate: &str, text: &str) -> Row {
        Row {
            uid: uid.to_owned(),
            activate: activate.to_owned(),
            host_or_url: None,
            extra: BTreeMap::from([("text".to_owned(), text.to_owned())]),
        }
    }

    fn pair(uid: &str, activate: &str) -> Pair {
        Pair {
            uid: uid.to_owned(),
            activate: activate.to_owned(),
            fault: None,
        }
    }

    #[test]
    fn what_has_changed_takes_the_place_of_what_was_read() {
        let before = [
            Ok(row("a", "1", "old")),
            Ok(row("b", "1", "old")),
            Ok(row("c", "1", "old")),
        ];
        let pairs = vec![pair("a", "1"), pair("b", "0"), pair("d", "1")];
        let changed = vec![Ok(row("a", "1", "new")), Ok(row("d", "1", "new"))];
        let after = [
            Ok(row("a", "1", "new")),
            Ok(row("b", "0", "old")),
            Ok(row("d", "1", "new")),
        ];
        assert_eq!(merged(&before, pairs, changed).as_deref(), Some(&after[..]));
    }

    #[test]
    fn a_row_in_doubt_means_that_all_are_read() {
        let before = [Ok(row("a", "1", "old"))];
        let new_with_an_old_time =
            merged(&before, vec![pair("a", "1"), pair("b", "1")], Vec::new());
        assert_eq!(new_with_an_old_time, None);
        let twice = merged(&before, vec![pair("a", "1"), pair("a", "1")], Vec::new());
        assert_eq!(twice, None);
        let changed_twice = vec![Ok(row("a", "1", "x")), Ok(row("a", "1", "y"))];
        assert_eq!(merged(&before, vec![pair("a", "1")], changed_twice), None);
        let unreadable = Pair {
            fault: Some(crate::service::tenant::datasource::Fault::Row),
            ..pair("a", "1")
        };
        assert_eq!(merged(&before, vec![unreadable], Vec::new()), None);
    }

    #[test]
    fn a_row_that_could_not_be_used_stays_so_until_it_changes() {
        let bad: Read = Err(("a".to_owned(), "too large".to_owned()));
        let after = merged(std::slice::from_ref(&bad), vec![pair("a", "1")], Vec::new());
        assert_eq!(after, Some(vec![bad.clone()]));
        let mended = merged(&[bad], vec![pair("a", "1")], vec![Ok(row("a", "1", "x"))]);
        assert_eq!(mended, Some(vec![Ok(row("a", "1", "x"))]));
    }
}
