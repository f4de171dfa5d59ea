//! Connections that are kept between reads.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::{
    sync::Semaphore,
    time::{Instant, timeout_at},
};

use super::{
    Error, Problem,
    connection::{Connection, Session, Target},
};

/// Connections to one database: at most so many at a time, some of which wait for the next read.
#[derive(Debug)]
pub(super) struct Pool {
    target: Target,
    open: Arc<Semaphore>,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    session: Session,
    since: Instant,
}

impl Pool {
    pub(super) fn new(target: Target) -> Self {
        Self {
            open: Arc::new(Semaphore::new(target.limits().max_open)),
            idle: Mutex::new(Vec::new()),
            target,
        }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// A connection: the one that was used last, or a new one. A read that fails doesn't give it back, so
    /// that nothing of a broken read is ever taken for the next one's.
    pub(super) async fn get(&self) -> Result<Connection, Error> {
        let deadline = Instant::now() + self.target.connect_timeout();
        let permit = timeout_at(deadline, self.open.clone().acquire_owned()).await;
        let Ok(Ok(permit)) = permit else {
            let limit = self.target.limits().max_open;
            return Err(self.target.fail(Problem::Busy { limit }));
        };
        let mut permit = permit;
        while let Some(Idle { session, since }) = self.pop() {
            let mut kept = Connection::new(session, self.target.clone(), since, permit);
            // The server may have closed it meanwhile.
            if kept.is_alive(deadline).await {
                return Ok(kept);
            }
            permit = kept.into_permit();
        }
        let session = self.target.connect(deadline).await?;
        Ok(Connection::new(
            session,
            self.target.clone(),
            Instant::now(),
            permit,
        ))
    }

    /// Keeps a connection for the next read, unless there are enough or it is old.
    pub(super) fn put(&self, connection: Connection) {
        let (session, since) = connection.into_parts();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.target.limits().max_idle {
            idle.push(Idle { session, since });
        }
    }

    fn pop(&self) -> Option<Idle> {
        let lifetime = self.target.limits().max_lifetime;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| idle.since.elapsed() < lifetime);
        idle.pop()
    }
}
