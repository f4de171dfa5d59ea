//! The use cases. Handlers and local commands call in here; nothing in here knows a terminal,
//! clap or axum. The store is opened by the first use that needs it.

pub mod deploy;
pub mod design;
pub mod model;
pub mod operation;
pub mod registry;
pub mod source;
pub mod system;
pub mod tenant;

use std::{path::Path, sync::Arc, time::Duration};

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::{
    api::deploy::Target,
    cluster::Cluster,
    config::home::Home,
    error::{Code, Error, Result},
    service::operation::Operations,
    store::{self, Store},
};

/// Computes on a thread of its own, so that the workers are free for others and for signals.
///
/// # Errors
/// What the work fails with; interrupted when the process ends before it began.
pub(crate) async fn compute<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_ended) => Err(Error::new(Code::Interrupted, "the process is ending")),
        },
    }
}

/// Prepares to talk to one of the clusters of a target; nothing is sent yet.
///
/// # Errors
/// When the kubeconfig doesn't tell how.
async fn connect(target: &Target, context: Option<&str>) -> Result<Cluster> {
    let kubeconfig = target.kubeconfig.as_deref().map(Path::new);
    Ok(Cluster::connect(kubeconfig, context, Duration::from_mins(1)).await?)
}

/// The time, passed in so that tests see the same one twice.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// The machine's.
    System,
    /// Stands still.
    Fixed(jiff::Timestamp),
}

impl Clock {
    /// Now.
    pub fn now(self) -> jiff::Timestamp {
        match self {
            Self::System => jiff::Timestamp::now(),
            Self::Fixed(time) => time,
        }
    }
}

/// New ids, passed in so that tests see the same ones twice.
#[derive(Debug)]
pub enum Ids {
    /// Random.
    Random,
    /// Counted from a seed.
    Seeded(std::sync::atomic::AtomicU64),
}

impl Ids {
    /// A version 4 UUID.
    pub fn next(&self) -> uuid::Uuid {
        match self {
            Self::Random => uuid::Uuid::new_v4(),
            Self::Seeded(counter) => {
                let count = counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let bytes =
                    (u128::from(count) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
                uuid::Builder::from_random_bytes(bytes.to_be_bytes()).into_uuid()
            }
        }
    }
}

/// What every use case may use.
#[derive(Clone)]
pub struct Services(Arc<Inner>);

struct Inner {
    home: Home,
    clock: Clock,
    ids: Ids,
    store: OnceCell<Store>,
    operations: Operations,
    started_at: jiff::Timestamp,
    stop: CancellationToken,
}

impl Services {
    /// Services over the store in `home`; nothing is opened yet. `stop` ends the server.
    pub fn new(home: Home, clock: Clock, ids: Ids, stop: CancellationToken) -> Self {
        Self(Arc::new(Inner {
            home,
            clock,
            ids,
            store: OnceCell::new(),
            operations: Operations::default(),
            started_at: clock.now(),
            stop,
        }))
    }

    /// The store, opened by the first call.
    ///
    /// # Errors
    /// When it can't be opened.
    pub async fn store(&self) -> Result<&Store> {
        self.0
            .store
            .get_or_try_init(|| async { Ok(Store::open(self.store_options()).await?) })
            .await
    }

    /// The store, if there is one: reads never create it.
    ///
    /// # Errors
    /// When it can't be opened.
    pub async fn existing_store(&self) -> Result<Option<&Store>> {
        if self.0.store.get().is_none() && !self.0.home.store().exists() {
            return Ok(None);
        }
        self.store().await.map(Some)
    }

    /// How the store is opened.
    pub fn store_options(&self) -> store::Options {
        let clock = self.0.clock;
        let home = &self.0.home;
        store::Options::new(
            home.store(),
            home.store_key(),
            Arc::new(move || clock.now()),
        )
    }

    /// The folders.
    pub fn home(&self) -> &Home {
        &self.0.home
    }

    /// Now.
    pub fn now(&self) -> jiff::Timestamp {
        self.0.clock.now()
    }

    /// A new id.
    pub fn new_id(&self) -> uuid::Uuid {
        self.0.ids.next()
    }

    /// The operations at work.
    pub fn operations(&self) -> &Operations {
        &self.0.operations
    }

    /// When these services came up.
    pub fn started_at(&self) -> jiff::Timestamp {
        self.0.started_at
    }

    /// Fires when the server is to end.
    pub fn stopping(&self) -> CancellationToken {
        self.0.stop.clone()
    }

    /// Waits until every operation has ended; cancels them first.
    pub async fn finish(&self) {
        self.0.operations.finish().await;
        if let Some(store) = self.0.store.get()
            && let Err(error) = store.close().await
        {
            tracing::debug!(%error, "the store was not closed");
        }
    }
}
