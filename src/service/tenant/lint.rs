//! Holds a hub and its forms against each other, against the real table, and against all its rows.

use std::{collections::HashSet, sync::Arc};

use weft_domain::{
    check::{Finding, Severity},
    tenant::{
        lint::{column_type, lint, missing_column, unclear_activation},
        render::RowCounts,
    },
};

use super::{
    Census,
    credentials::Vault,
    in_hub,
    read::{self, Set},
    rows::{self, Rows},
    wanted,
};
use crate::{
    api::{
        operation::Started,
        tenant::{LintReport, LintTenants},
    },
    error::{Error, Result},
    service::{
        Services, compute,
        design::sort,
        operation::{self, Handle},
    },
};

/// Starts to look for what is wrong with a hub, its forms and its rows.
pub(crate) fn start(services: &Services, request: LintTenants) -> Started<LintReport> {
    let subject = request.tenants.source.origin.clone();
    let worker = services.clone();
    operation::start(services, "tenant lint", subject, move |handle| async move {
        handle.leave_no_trace();
        report(&worker, request, &handle).await
    })
}

async fn report(services: &Services, request: LintTenants, handle: &Handle) -> Result<LintReport> {
    let LintTenants {
        tenants,
        offline,
        target,
        schemas,
    } = request;
    let mut vault = Vault::new(tenants.given.clone(), target.clone());
    let folder = tenants.folder.clone();
    let set = Arc::new(read::set(services, tenants).await?);
    handle.check()?;
    let mut findings = lint(&set.hub.hub, &set.forms, set.broken.is_empty());
    let mut report = LintReport {
        hub: set.hub.hub.name.clone(),
        checked: checked(&set),
        notes: set.notes.clone(),
        ..LintReport::default()
    };
    if !offline {
        let looked = table(&set, &mut vault, &folder, handle, move |rows| {
            rows.linted(target.namespace.as_deref(), schemas)
        });
        let looked = looked.await;
        match looked {
            Ok((rows, found)) => {
                report.rows = rows;
                findings.extend(found);
            }
            Err(error) => report.failures.push(in_hub(error, &set.hub).into()),
        }
    }
    set.places.locate(&mut findings);
    // These have their places.
    findings.extend(set.findings.iter().cloned());
    let broken = set.broken.iter().flat_map(|broken| &broken.findings);
    findings.extend(broken.cloned());
    sort(&mut findings);
    let is_error = |finding: &Finding| finding.severity == Severity::Error;
    // What could not be looked at may be wrong.
    report.valid = report.failures.is_empty() && !findings.iter().any(is_error);
    report.findings = findings;
    Ok(report)
}

/// What findings may be about.
fn checked(set: &Set) -> Vec<String> {
    let forms = set.forms.iter().map(|form| &form.subject);
    let broken = set.broken.iter().map(|form| &form.subject);
    let mut checked: Vec<String> = std::iter::once(&set.hub.hub.subject)
        .chain(forms)
        .chain(broken)
        .cloned()
        .collect();
    // A set in one manifest is one subject.
    let mut known = HashSet::new();
    checked.retain(|subject| known.insert(subject.clone()));
    checked
}

/// Looks at the table and, if it has all columns, at its rows.
async fn table(
    set: &Arc<Set>,
    vault: &mut Vault,
    folder: &str,
    handle: &Handle,
    judge: impl FnOnce(&Rows) -> Result<(RowCounts, Vec<Finding>)> + Send + 'static,
) -> Result<(Option<RowCounts>, Vec<Finding>)> {
    let hub = &set.hub.hub;
    let database = rows::database(set, vault, folder).await?;
    handle.step(format!("looking at {}", database.address()));
    let probe = database.probe(&wanted(hub)).await.map_err(Error::from)?;
    let columns = probe.columns.iter();
    let mut findings: Vec<Finding> = columns
        .flat_map(|column| column_type(hub, &column.name, &column.type_name))
        .collect();
    if !probe.missing.is_empty() {
        let missing = probe.missing.iter();
        let missing = missing
            .flat_map(|missing| missing_column(hub, &missing.column, missing.near.as_deref()));
        findings.extend(missing);
        return Ok((None, findings));
    }
    handle.step(format!("reading the rows of {}", database.address()));
    let mut census = Census::new(&hub.mappings);
    let rows = Rows::of(set.clone(), &database, handle, |row| census.add(row)).await?;
    findings.extend(unclear_activation(hub, &census.end().unclear));
    handle.step("making the objects of all active rows".to_owned());
    let (counts, found) = compute(move || judge(&rows)).await?;
    findings.extend(found);
    Ok((Some(counts), findings))
}
