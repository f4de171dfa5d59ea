//! `tenant test-connection`

use std::time::Duration;

use super::{HubArgs, PathArgs};
use crate::{
    api::tenant::{ConnectionTest, ConnectionTestList, Engine, TestConnections, Verified},
    commands::Outcome,
    context::Context,
    error::{Error, Result},
    output::{Column, Human, Table, View, human},
    service::tenant::{credentials, read},
};

/// Connect to the databases of hubs, and look at their tables and rows.
///
/// Nothing is written anywhere. Secrets are read from the cluster only when a hub refers to one.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  weftctl tenant test-connection hub.yaml\n  weftctl tenant test-connection hub.yaml -o json"
)]
pub(super) struct TestConnection {
    #[command(flatten)]
    hubs: HubArgs,
}

impl TestConnection {
    /// Asks, and says what looks wrong.
    pub(super) async fn run(self, cx: &Context) -> Result<Outcome> {
        let source = self.hubs.load(cx).await?;
        let folder = PathArgs::folder()?;
        // Files and variables are the caller's, wherever the server is.
        let hubs = read::hubs(cx.services().await, source.clone(), None).await?;
        let variable = |name: &str| cx.surrounding.variable(name);
        let request = TestConnections {
            given: credentials::give(&hubs.items, &folder, variable)?,
            folder: folder.display().to_string(),
            target: self.hubs.target(cx)?,
            source,
        };
        let mut list = cx.client().await?.hand_over(request).await?;
        for finding in &list.findings {
            cx.terminal.warn(finding.to_string());
        }
        for test in &list.items {
            for warning in warnings(test) {
                cx.terminal.warn(warning);
            }
        }
        let failures = std::mem::take(&mut list.failures);
        let errors = Error::of_bodies(&failures);
        match Error::all(errors) {
            Some(error) if list.items.is_empty() => Err(error),
            Some(error) => {
                list.failures = failures;
                Ok(Outcome::from(list).but(error))
            }
            None => Ok(Outcome::from(list)),
        }
    }
}

/// What works, and is probably not meant.
fn warnings(test: &ConnectionTest) -> Vec<String> {
    let mut warnings = Vec::new();
    let hub = &test.hub;
    let is_open =
        test.engine != Engine::Sqlite && test.tls.is_none() && !test.address.contains("@/");
    if is_open {
        warnings.push(format!(
            "hub {hub:?}: the connection has no TLS, so whoever is in between can read it; demand it with \
             sslMode"
        ));
    }
    let unclear = test.rows.iter().flat_map(|rows| &rows.unclear);
    let unclear: Vec<String> = unclear.map(|text| format!("{text:?}")).collect();
    if !unclear.is_empty() {
        let activate = test.columns.iter();
        let activate = activate
            .filter(|column| {
                column
                    .mapped_by
                    .iter()
                    .any(|variable| variable == "activate")
            })
            .map(|column| column.name.as_str())
            .next()
            .unwrap_or_default();
        warnings.push(format!(
            "hub {hub:?}: column {activate:?} says {}, which leaves rows off: only 1, true, TRUE, True, yes, YES \
             and Yes switch one on. Read from a view that translates it: CREATE VIEW active_tenants AS SELECT *, \
             CASE WHEN {activate} = 'active' THEN 1 ELSE 0 END AS is_active FROM {}",
            human::list(&unclear, 5),
            test.table,
        ));
    }
    let invalid = test.rows.as_ref().map_or(0, |rows| rows.invalid);
    if invalid > 0 {
        let count = usize::try_from(invalid).unwrap_or(usize::MAX);
        warnings.push(format!(
            "hub {hub:?}: {} can't be used",
            human::plural(count, "row")
        ));
    }
    warnings
}

impl View for ConnectionTestList {
    const KIND: &'static str = "ConnectionTestList";

    fn human(&self) -> Human {
        let mut tables = vec![
            databases(&self.items),
            rows(&self.items),
            columns(&self.items),
        ];
        let problems = problems(&self.items);
        if !problems.is_empty() {
            tables.push(problems);
        }
        Human::Tables(tables)
    }

    fn names(&self) -> Vec<String> {
        let hubs = self.items.iter();
        hubs.map(|test| format!("hub/{}", test.hub)).collect()
    }
}

fn databases(items: &[ConnectionTest]) -> Table {
    let mut table = Table::new([
        Column::new("HUB"),
        Column::new("SERVER"),
        Column::new("TLS"),
        Column::new("VERIFIED"),
        Column::new("ADDRESS").wide(),
        Column::new("CONNECTED IN"),
    ]);
    for test in items {
        let (protocol, verified) = match &test.tls {
            None => ("no", "-"),
            Some(tls) => (
                tls.protocol.as_deref().unwrap_or("yes"),
                match tls.verified {
                    Verified::Nothing => "nothing",
                    Verified::Authority => "authority",
                    Verified::Host => "authority and host",
                },
            ),
        };
        table.row([
            test.hub.as_str(),
            &test.version,
            protocol,
            verified,
            &test.address,
            &took(test.connect_seconds),
        ]);
    }
    table
}

fn took(seconds: f64) -> String {
    human::duration(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

fn rows(items: &[ConnectionTest]) -> Table {
    let mut table = Table::new([
        Column::new("TABLE"),
        Column::new("ROWS"),
        Column::new("ACTIVE"),
        Column::new("INACTIVE"),
        Column::new("INVALID"),
        Column::new("READ IN"),
    ]);
    for test in items {
        let count =
            |number: Option<u64>| number.map_or("-".to_owned(), |number| number.to_string());
        let rows = test.rows.as_ref();
        table.row([
            test.table.clone(),
            count(rows.map(|rows| rows.total)),
            count(rows.map(|rows| rows.active)),
            count(rows.map(|rows| rows.inactive)),
            count(rows.map(|rows| rows.invalid)),
            took(test.read_seconds),
        ]);
    }
    table
}

fn columns(items: &[ConnectionTest]) -> Table {
    let mut table = Table::new([
        Column::new("TABLE"),
        Column::new("COLUMN"),
        Column::new("TYPE"),
        Column::new("MAPPED BY"),
    ]);
    for test in items {
        for column in &test.columns {
            let type_name = match (&column.type_name, column.found) {
                (Some(type_name), true) => type_name.as_str(),
                _ => "missing",
            };
            let mapped_by = column.mapped_by.join(", ");
            table.row([test.table.as_str(), &column.name, type_name, &mapped_by]);
        }
    }
    table
}

fn problems(items: &[ConnectionTest]) -> Table {
    let mut table = Table::new([
        Column::new("TABLE"),
        Column::new("ROW"),
        Column::new("UID"),
        Column::new("PROBLEM"),
    ]);
    for test in items {
        for problem in test.rows.iter().flat_map(|rows| &rows.problems) {
            let row = problem.row.to_string();
            table.row([test.table.as_str(), &row, &problem.uid, &problem.message]);
        }
    }
    table
}
