//! Use cases of `tenant`: hubs are read in [`read`], what they refer to in [`credentials`], and their rows
//! from the [`datasource`].

pub(crate) mod credentials;
pub mod datasource;
pub(crate) mod lint;
pub(crate) mod manifests;
pub(in crate::service) mod migrate;
mod nodes;
mod pace;
pub(crate) mod pass;
pub(crate) mod read;
pub(in crate::service) mod reader;
pub(in crate::service) mod rows;
pub(crate) mod status;
pub(crate) mod watch;

use std::{
    ops::ControlFlow,
    path::Path,
    time::{Duration, Instant},
};

use weft_domain::{
    excerpt::excerpt,
    tenant::{
        hub::{Hub, Mappings},
        is_active, is_neither,
    },
};

use super::{Services, compute, operation};
use crate::{
    api::{
        operation::Started,
        tenant::{
            ColumnReport, ConnectionTest, ConnectionTestList, RenderRows, RenderedRows, RowProblem,
            RowsReport, TestConnections,
        },
    },
    error::{Error, Result},
};
use credentials::Vault;
use datasource::{Column, Datasource, Probe, Problem, Row};
use read::Located;
use reader::Reader;

/// Connects to the databases of hubs, and looks at their tables and rows.
///
/// # Errors
/// When the hubs can't be read. What is wrong with single databases is among the failures.
pub async fn test_connections(
    services: &Services,
    request: TestConnections,
) -> Result<ConnectionTestList> {
    let TestConnections {
        source,
        folder,
        given,
        target,
    } = request;
    let hubs = read::hubs(services, source, None).await?;
    let mut vault = Vault::new(given, target);
    let mut list = ConnectionTestList {
        findings: hubs.findings,
        ..ConnectionTestList::default()
    };
    for located in hubs.items {
        match test(&located, &mut vault, Path::new(&folder)).await {
            Ok((test, failure)) => {
                list.items.push(test);
                list.failures.extend(failure.map(Into::into));
            }
            Err(error) => {
                list.failures.push(in_hub(error, &located).into());
            }
        }
    }
    Ok(list)
}

/// Starts to make the objects of rows; nothing is written anywhere.
pub fn render(services: &Services, request: RenderRows) -> Started<RenderedRows> {
    let subject = request.tenants.source.origin.clone();
    let worker = services.clone();
    operation::start(
        services,
        "tenant render",
        subject,
        move |handle| async move {
            handle.leave_no_trace();
            let RenderRows {
                tenants,
                rows: uids,
                include_secrets,
                target,
            } = request;
            let mut reader = Reader::open(&worker, tenants, target.clone(), None).await?;
            let rows = reader.rows(&handle).await?.only(&uids)?;
            let namespace = target.namespace;
            compute(move || rows.rendered(namespace.as_deref(), include_secrets)).await
        },
    )
}

/// An error of a hub's database, with the hub.
fn in_hub(error: Error, located: &Located) -> Error {
    let mut place = error.place().clone();
    place.file.get_or_insert_with(|| located.file.clone());
    let object = place.object.take();
    let hub = format!("hub {:?}", located.hub.name);
    place.object = Some(match object {
        Some(object) => format!("{hub}, {object}"),
        None => hub,
    });
    error.at(place)
}

/// Looks at one database; missing columns are an error beside what was found.
async fn test(
    located: &Located,
    vault: &mut Vault,
    folder: &Path,
) -> Result<(ConnectionTest, Option<Error>)> {
    let hub = &located.hub;
    let credentials = vault.credentials(located).await?;
    let folder = located.folder(folder);
    let database = Datasource::open(&hub.source, &credentials, &folder);
    let begun = Instant::now();
    let probe = database.probe(&wanted(hub)).await?;
    let connect = begun.elapsed();
    let begun = Instant::now();
    let (rows, failure) = if probe.missing.is_empty() {
        (Some(count(&database, &hub.mappings).await?), None)
    } else {
        let missing = datasource::Error {
            address: database.address().to_owned(),
            problem: Problem::Columns {
                table: hub.source.table().to_string(),
                missing: probe.missing.clone(),
            },
        };
        (None, Some(in_hub(missing.into(), located)))
    };
    let report = ConnectionTest {
        hub: hub.name.clone(),
        file: located.file.clone(),
        engine: hub.source.engine(),
        address: database.address().to_owned(),
        table: hub.source.table().to_string(),
        columns: columns(hub, &probe),
        tls: probe.tls,
        version: probe.version,
        rows,
        connect_seconds: seconds(connect),
        read_seconds: seconds(begun.elapsed()),
    };
    Ok((report, failure))
}

fn seconds(duration: Duration) -> f64 {
    // Nobody wants nanoseconds.
    (duration.as_secs_f64() * 1000.0).round() / 1000.0
}

/// The mapped columns, and the one that says when a row was changed.
fn wanted(hub: &Hub) -> Mappings {
    let mut mappings = hub.mappings.clone();
    if let Some(updated_at) = &hub.updated_at {
        // No variable has a blank in its name.
        let variable = UPDATED_AT.to_owned();
        mappings.extra.insert(variable, updated_at.column.clone());
    }
    mappings
}

/// What maps the column that says when a row was changed.
const UPDATED_AT: &str = "(updated at)";

fn columns(hub: &Hub, probe: &Probe) -> Vec<ColumnReport> {
    let wanted = wanted(hub);
    let variables = wanted.variables();
    let ignores_case = hub.source.engine().ignores_case();
    let mapped_by = |name: &str| -> Vec<String> {
        let is_it = |column: &str| {
            column == name || (ignores_case && column.to_lowercase() == name.to_lowercase())
        };
        let variables = variables.iter().filter(|(_, column)| is_it(column));
        variables
            .map(|(variable, _)| (*variable).to_owned())
            .collect()
    };
    let found = probe
        .columns
        .iter()
        .map(|Column { name, type_name }| ColumnReport {
            found: true,
            type_name: Some(type_name.clone()),
            mapped_by: mapped_by(name),
            name: name.clone(),
        });
    let missing = probe.missing.iter().map(|missing| ColumnReport {
        found: false,
        type_name: None,
        mapped_by: mapped_by(&missing.column),
        name: missing.column.clone(),
    });
    found.chain(missing).collect()
}

async fn count(database: &Datasource, mappings: &Mappings) -> Result<RowsReport> {
    let mut census = Census::new(mappings);
    database
        .rows(mappings, |row| {
            census.add(&row);
            ControlFlow::Continue(())
        })
        .await?;
    Ok(census.end())
}

/// Counts rows that come in the order of their uids; none is kept.
struct Census<'a> {
    mappings: &'a Mappings,
    report: RowsReport,
    /// The uid of the last row, and what was counted for it.
    last: Option<(String, Standing)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Active,
    Inactive,
    Invalid,
}

impl<'a> Census<'a> {
    /// How many problems, and how many unclear texts, are told.
    const TOLD: usize = 10;

    fn new(mappings: &'a Mappings) -> Self {
        Self {
            mappings,
            report: RowsReport::default(),
            last: None,
        }
    }

    fn add(&mut self, row: &Row) {
        self.report.total += 1;
        let (uid, activate) = (row.uid(self.mappings), row.activate(self.mappings));
        let problem = match &row.fault {
            Some(fault) => Some(fault.to_string()),
            None if uid.is_empty() => Some(format!("column {:?} is empty", self.mappings.uid)),
            None if self.last.as_ref().is_some_and(|(last, _)| last == uid) => {
                // The one before is a duplicate as well.
                if let Some((_, standing)) = &mut self.last {
                    let before = std::mem::replace(standing, Standing::Invalid);
                    *slot(&mut self.report, before) -= 1;
                    self.report.invalid += 1;
                }
                Some("another row has the same uid".to_owned())
            }
            None => None,
        };
        let standing = match problem {
            Some(message) => {
                if self.report.problems.len() < Self::TOLD {
                    self.report.problems.push(RowProblem {
                        row: self.report.total,
                        uid: shortened(uid),
                        message,
                    });
                }
                Standing::Invalid
            }
            None if is_active(activate) => Standing::Active,
            None => Standing::Inactive,
        };
        if is_neither(activate) && self.report.unclear.len() < Self::TOLD {
            let text = shortened(activate);
            if !self.report.unclear.contains(&text) {
                self.report.unclear.push(text);
            }
        }
        *slot(&mut self.report, standing) += 1;
        self.last = (row.fault.is_none() && !uid.is_empty()).then(|| (uid.to_owned(), standing));
    }

    fn end(self) -> RowsReport {
        self.report
    }
}

fn slot(report: &mut RowsReport, standing: Standing) -> &mut u64 {
    match standing {
        Standing::Active => &mut report.active,
        Standing::Inactive => &mut report.inactive,
        Standing::Invalid => &mut report.invalid,
    }
}

/// A text of a cell, as far as a message needs it.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 63;
    excerpt(text, SHOWN).into_owned()
}

#[cfg(test)]
mod tests {
    use weft_domain::tenant::hub::Mappings;

    use super::{Census, RowsReport};
    use crate::service::tenant::datasource::{Fault, Row};

    fn counted(rows: &[(&str, &str)]) -> RowsReport {
        let mappings = Mappings {
            uid: "id".into(),
            activate: "active".into(),
            ..Mappings::default()
        };
        let mut census = Census::new(&mappings);
        for (uid, activate) in rows {
            census.add(&Row {
                values: vec![(*uid).to_owned(), (*activate).to_owned()],
                fault: (*uid == "bad").then_some(Fault::Row),
            });
        }
        census.end()
    }

    fn numbers(report: &RowsReport) -> [u64; 4] {
        [report.total, report.active, report.inactive, report.invalid]
    }

    #[test]
    fn each_row_counts_once() {
        let report = counted(&[("a", "1"), ("b", "0"), ("c", "true"), ("d", "")]);
        assert_eq!(numbers(&report), [4, 2, 2, 0]);
        assert!(report.problems.is_empty() && report.unclear.is_empty());
    }

    #[test]
    fn none_of_several_rows_with_one_uid_counts() {
        let rows = [
            ("a", "1"),
            ("a", "0"),
            ("a", "1"),
            ("b", "1"),
            ("c", "0"),
            ("c", "0"),
        ];
        let report = counted(&rows);
        assert_eq!(numbers(&report), [6, 1, 0, 5]);
        let told: Vec<u64> = report.problems.iter().map(|problem| problem.row).collect();
        assert_eq!(told, [2, 3, 6]);
    }

    #[test]
    fn rows_without_a_name_or_with_a_bad_cell_are_invalid() {
        let report = counted(&[("", "1"), ("", "1"), ("bad", "1"), ("bad", "1"), ("x", "1")]);
        assert_eq!(numbers(&report), [5, 1, 0, 4]);
        assert_eq!(report.problems[0].message, "column \"id\" is empty");
        assert_eq!(report.problems[2].message, Fault::Row.to_string());
    }

    #[test]
    fn statuses_that_say_neither_are_told_once_each() {
        let rows = [
            ("a", "active"),
            ("b", "active"),
            ("c", "trial"),
            ("d", "no"),
        ];
        let report = counted(&rows);
        assert_eq!(numbers(&report), [4, 0, 4, 0]);
        assert_eq!(report.unclear, ["active", "trial"]);
    }
}
