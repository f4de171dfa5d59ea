//! Operations: tracked tasks with an event log that can be read from any point, cancelled, and
//! whose outcome is kept in the store.

use std::{
    collections::HashMap,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::Stream;
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Services;
use crate::{
    api::operation::{Event, Operation, OperationList, Started, State},
    error::{Code, Error, Result},
    store::{OperationRecord, OperationState, OperationSummary},
};

/// How many ended operations keep their events in memory, for readers that come late.
const KEPT: usize = 64;

/// The operations of this process.
#[derive(Default)]
pub struct Operations {
    running: Mutex<Vec<Arc<Running>>>,
    tasks: TaskTracker,
}

struct Running {
    meta: Mutex<Operation>,
    log: Mutex<Vec<Event>>,
    length: watch::Sender<usize>,
    cancel: CancellationToken,
    traceless: AtomicBool,
}

/// What a running operation tells and is told.
#[derive(Clone)]
pub struct Handle(Arc<Running>);

impl Handle {
    /// Says what is done next.
    pub fn step(&self, message: impl Into<String>) {
        self.0.push(Event::Step {
            message: message.into(),
        });
    }

    /// Says how much of the step is done.
    pub fn progress(&self, done: u64, total: u64) {
        self.0.push(Event::Progress { done, total });
    }

    /// Says something that the user should know.
    pub fn warn(&self, message: impl Into<String>) {
        self.0.push(Event::Warning {
            message: message.into(),
        });
    }

    /// Nothing was written, or is going to be: the store keeps no record either.
    pub fn leave_no_trace(&self) {
        self.0.traceless.store(true, Ordering::Relaxed);
    }

    /// Ends with an error once the operation was cancelled. To be asked before each write.
    ///
    /// # Errors
    /// [`Code::Interrupted`].
    pub fn check(&self) -> Result<()> {
        if self.0.cancel.is_cancelled() {
            return Err(Error::new(Code::Interrupted, "the operation was cancelled"));
        }
        Ok(())
    }
}

impl Handle {
    /// Waits until the operation is cancelled.
    pub async fn cancelled(&self) {
        self.0.cancel.cancelled().await;
    }
}

impl Running {
    fn push(&self, event: Event) {
        let mut log = lock(&self.log);
        log.push(event);
        self.length.send_replace(log.len());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts an operation.
pub fn start<T, F>(
    services: &Services,
    action: &str,
    subject: String,
    work: impl FnOnce(Handle) -> F + Send + 'static,
) -> Started<T>
where
    T: Serialize + Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let id = services.new_id().to_string();
    let running = Arc::new(Running {
        meta: Mutex::new(Operation {
            id: id.clone(),
            action: action.to_owned(),
            subject,
            state: State::Running,
            started_at: services.now(),
            ended_at: None,
            error: None,
        }),
        log: Mutex::default(),
        length: watch::Sender::new(0),
        cancel: CancellationToken::new(),
        traceless: AtomicBool::new(false),
    });
    services.operations().keep(running.clone());
    let task = {
        let services = services.clone();
        async move {
            let result = work(Handle(running.clone())).await;
            let last = match result.and_then(|outcome| {
                serde_json::to_value(outcome)
                    .map_err(|error| Error::internal("an outcome has no JSON form").because(error))
            }) {
                Ok(outcome) => Event::Succeeded { outcome },
                Err(error) => Event::Failed { error },
            };
            let ended = {
                let mut meta = lock(&running.meta);
                meta.ended_at = Some(services.now());
                (meta.state, meta.error) = match &last {
                    Event::Failed { error } if error.code() == Code::Interrupted => {
                        (State::Cancelled, Some(error.to_string()))
                    }
                    Event::Failed { error } => (State::Failed, Some(error.to_string())),
                    _ => (State::Succeeded, None),
                };
                meta.clone()
            };
            // A damaged store is left as it is.
            let damaged = matches!(
                &last,
                Event::Failed { error } if error.code() == Code::StoreDamaged
            );
            if !damaged && !running.traceless.load(Ordering::Relaxed) {
                let outcome = match &last {
                    Event::Succeeded { outcome } => outcome.clone(),
                    _ => serde_json::Value::Null,
                };
                if let Err(error) = keep(&services, &ended, outcome).await {
                    tracing::warn!(%error, "the outcome of an operation was not kept");
                }
            }
            running.push(last);
        }
    };
    services.operations().tasks.spawn(task);
    Started::new(id)
}

async fn keep(services: &Services, ended: &Operation, outcome: serde_json::Value) -> Result<()> {
    let bug =
        |error: &dyn std::fmt::Display| Error::internal("an operation that ended").because(error);
    let summary = OperationSummary {
        id: ended.id.parse().map_err(|error: uuid::Error| bug(&error))?,
        kind: ended.action.clone(),
        state: match ended.state {
            State::Succeeded => OperationState::Succeeded,
            State::Cancelled => OperationState::Cancelled,
            State::Failed | State::Running => OperationState::Failed,
        },
        started_at: ended.started_at,
        finished_at: ended.ended_at.unwrap_or(ended.started_at),
        request: ended.subject.clone(),
        error: ended.error.clone(),
    };
    let record = OperationRecord { summary, outcome };
    // What succeeded has made the store; a failure is no reason to make one.
    match services.existing_store().await? {
        Some(store) => Ok(store.save_operation(record).await?),
        None => Ok(()),
    }
}

impl From<OperationSummary> for Operation {
    fn from(stored: OperationSummary) -> Self {
        Self {
            id: stored.id.to_string(),
            action: stored.kind,
            subject: stored.request,
            state: match stored.state {
                OperationState::Succeeded => State::Succeeded,
                OperationState::Failed => State::Failed,
                OperationState::Cancelled => State::Cancelled,
            },
            started_at: stored.started_at,
            ended_at: Some(stored.finished_at),
            error: stored.error,
        }
    }
}

impl Operations {
    fn keep(&self, running: Arc<Running>) {
        let mut all = lock(&self.running);
        let ended = |r: &Arc<Running>| lock(&r.meta).state != State::Running;
        while all.iter().filter(|r| ended(r)).count() >= KEPT {
            if let Some(oldest) = all.iter().position(ended) {
                all.remove(oldest);
            }
        }
        all.push(running);
    }

    fn find(&self, id: &str) -> Option<Arc<Running>> {
        lock(&self.running)
            .iter()
            .find(|running| lock(&running.meta).id == id)
            .cloned()
    }

    fn all(&self) -> Vec<Operation> {
        lock(&self.running)
            .iter()
            .map(|running| lock(&running.meta).clone())
            .collect()
    }

    /// How many are at work.
    pub fn running(&self) -> u32 {
        let running = self.all().into_iter().filter(|o| o.state == State::Running);
        u32::try_from(running.count()).unwrap_or(u32::MAX)
    }

    /// The numbered events of an operation behind number `after`, until its last one.
    ///
    /// # Errors
    /// When nobody knows the operation.
    pub fn events(
        &self,
        id: &str,
        after: u64,
    ) -> Result<impl Stream<Item = (u64, Event)> + Send + use<>> {
        let running = self.find(id).ok_or_else(|| unknown(id))?;
        let next = usize::try_from(after).unwrap_or(usize::MAX);
        let length = running.length.subscribe();
        let state = Some((running, length, next));
        Ok(futures::stream::unfold(state, |state| async move {
            let (running, mut length, next) = state?;
            length.wait_for(|length| *length > next).await.ok()?;
            let event = lock(&running.log).get(next).cloned()?;
            let number = next + 1;
            let rest = (!event.is_last()).then_some((running, length, number));
            Some(((number as u64, event), rest))
        }))
    }

    /// Cancels what is at work and waits for its end.
    pub async fn finish(&self) {
        self.tasks.close();
        for running in lock(&self.running).iter() {
            running.cancel.cancel();
        }
        self.tasks.wait().await;
    }
}

fn unknown(id: &str) -> Error {
    Error::new(Code::OperationNotFound, format!("no operation {id:?}"))
}

/// Lists operations, newest first: those at work, and those that the store keeps.
///
/// # Errors
/// When the store can't be read.
pub async fn list(services: &Services, limit: Option<u32>) -> Result<OperationList> {
    let mut found: HashMap<String, Operation> = HashMap::new();
    if let Some(store) = services.existing_store().await? {
        for stored in store.list_operations(limit).await? {
            found.insert(stored.id.to_string(), stored.into());
        }
    }
    for operation in services.operations().all() {
        if operation.state == State::Running {
            found.insert(operation.id.clone(), operation);
        }
    }
    let mut items: Vec<Operation> = found.into_values().collect();
    items.sort_by(|a, b| (b.started_at, &b.id).cmp(&(a.started_at, &a.id)));
    if let Some(limit) = limit {
        items.truncate(limit as usize);
    }
    Ok(OperationList { items })
}

/// Reads an operation.
///
/// # Errors
/// When nobody knows it.
pub async fn view(services: &Services, id: &str) -> Result<Operation> {
    if let Some(running) = services.operations().find(id) {
        return Ok(lock(&running.meta).clone());
    }
    let Some(store) = services.existing_store().await? else {
        return Err(unknown(id));
    };
    Ok(store.find_operation(id).await?.summary.into())
}

/// Cancels an operation; one that has ended stays as it is.
///
/// # Errors
/// When nobody knows it.
pub async fn cancel(services: &Services, id: &str) -> Result<Operation> {
    if let Some(running) = services.operations().find(id) {
        running.cancel.cancel();
    }
    view(services, id).await
}
