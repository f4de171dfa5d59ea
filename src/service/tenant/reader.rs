//! Reads the rows of a hub, as often as somebody wants them: over connections that are kept and, where the hub
//! names a column that says when a row was changed, only what has changed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use weft_domain::tenant::hub::Hub;

use super::{
    credentials::Vault,
    datasource::Datasource,
    in_hub,
    read::{self, Set},
    rows::{self, Rows},
};
use crate::{
    api::{
        deploy::Target,
        tenant::{Given, Tenants},
    },
    error::Result,
    service::{Services, operation::Handle},
};

/// How often all rows are read, where only changed ones are in between, unless the hub says it.
const FULL: Duration = Duration::from_mins(10);

/// A hub with its forms, whose rows are read again and again.
pub(in crate::service) struct Reader {
    set: Arc<Set>,
    given: Given,
    target: Target,
    folder: String,
    full_interval: Duration,
    /// Open as long as reading succeeds: afterwards, the credentials may be others.
    database: Option<Datasource>,
    last: Option<(Rows, Instant)>,
}

impl Reader {
    /// Reads hub and forms; the database is asked for the first rows only. All rows are read every
    /// `full_interval`; as the hub says unless given.
    ///
    /// # Errors
    /// When the hub can't be used.
    pub(in crate::service) async fn open(
        services: &Services,
        tenants: Tenants,
        target: Target,
        full_interval: Option<Duration>,
    ) -> Result<Self> {
        let (given, folder) = (tenants.given.clone(), tenants.folder.clone());
        let set = Arc::new(read::set(services, tenants).await?);
        Ok(Self {
            full_interval: full_interval.or(set.hub.hub.full_interval).unwrap_or(FULL),
            set,
            given,
            target,
            folder,
            database: None,
            last: None,
        })
    }

    /// The hub.
    pub(super) fn hub(&self) -> &Hub {
        &self.set.hub.hub
    }

    /// Reads the rows.
    ///
    /// # Errors
    /// When they can't be read to their end.
    pub(in crate::service) async fn rows(&mut self, handle: &Handle) -> Result<Rows> {
        let database = self.database.take();
        let read = self.read(database, handle).await;
        let (database, rows) = read.map_err(|error| in_hub(error, &self.set.hub))?;
        self.database = Some(database);
        Ok(rows)
    }

    async fn read(
        &mut self,
        database: Option<Datasource>,
        handle: &Handle,
    ) -> Result<(Datasource, Rows)> {
        handle.check()?;
        let database = if let Some(database) = database {
            database
        } else {
            let mut vault = Vault::new(self.given.clone(), self.target.clone());
            rows::database(&self.set, &mut vault, &self.folder).await?
        };
        handle.step(format!("reading the rows of {}", database.address()));
        if let (Some((last, full)), Some(updated_at)) = (&self.last, &self.hub().updated_at)
            && full.elapsed() < self.full_interval
            && let Some(rows) = last.changed(&database, updated_at, handle).await?
        {
            self.last = Some((rows.clone(), *full));
            return Ok((database, rows));
        }
        let begun = Instant::now();
        let rows = Rows::of(self.set.clone(), &database, handle, |_| {}).await?;
        // Only what is read for its changes later is kept.
        let keeps = self.hub().updated_at.is_some();
        self.last = keeps.then(|| (rows.clone(), begun));
        Ok((database, rows))
    }
}
