//! The lease of a set: it keeps two runs from interleaving, and ends by itself.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde_json::Value;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout_at},
};
use weft_domain::inventory::{Claim, MicroTime, SetId, Sighting, Standing};

use super::site::{Site, is_conflict, is_missing};
use crate::{
    cluster::{Delete, KindRef, ObjectError, Objects, Permission, Write},
    error::{Code, Error, Result},
    service::{Services, operation::Handle},
};

/// How long a lease lasts without being renewed.
const LEASE: Duration = Duration::from_secs(15);
/// How long it is tried to renew a lease that has expired.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How long another run is waited for.
const LEASE_WAIT: Duration = Duration::from_mins(1);

impl Site {
    /// Claims the set for this run.
    ///
    /// # Errors
    /// When another run keeps it for too long, which is the deadline at the latest.
    pub(super) async fn claim(
        &self,
        services: &Services,
        handle: &Handle,
        deadline: Instant,
    ) -> Result<Lease> {
        let post = Post {
            leases: self.own("coordination.k8s.io/v1", "Lease")?,
            set: self.id.clone(),
            name: self.parent_name.clone(),
            namespace: self.parent_namespace.clone(),
            holder: format!("{}@{}/{}", user(), host(), services.new_id()),
        };
        let begun = Instant::now();
        let mut sighting: Option<Sighting> = None;
        let mut told = false;
        loop {
            handle.check()?;
            let live = self.lease(&post.leases).await?;
            match post.claim().check(live.as_ref(), now(), sighting.as_ref()) {
                Standing::Acquire(object) | Standing::Renew(object) => {
                    match post.put(&self.objects, &object).await {
                        Ok(()) => break,
                        Err(error) if is_conflict(&error) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Standing::HeldBy(held) => {
                    if begun.elapsed() > LEASE_WAIT || Instant::now() >= deadline {
                        let since = held.since.map(|since| format!(" since {since}"));
                        return Err(Error::new(
                            Code::SetLocked,
                            format!(
                                "another run works on {:?}: {}{}",
                                self.design(),
                                held.holder,
                                since.unwrap_or_default()
                            ),
                        )
                        .at(self.place(None)));
                    }
                    if !told {
                        handle.warn(format!("waiting for another run: {}", held.holder));
                        told = true;
                    }
                    sighting = Some(held.sighting);
                    let next = Instant::now() + Duration::from_millis(500);
                    tokio::time::sleep_until(next.min(deadline)).await;
                }
            }
        }
        Ok(Lease::keep(self.objects.clone(), post))
    }

    /// Lets writes be repeated only as long as nobody else can have the lease.
    pub(super) fn guard(&mut self, lease: &Lease) {
        let held = lease.held.clone();
        self.objects = self
            .objects
            .clone()
            .while_permitted(move || match *held.borrow() {
                Held::Lost => Permission::Denied,
                held if held.is_ours() => Permission::Granted,
                Held::Since(_) => Permission::Pending,
            });
    }

    /// The lease of the set.
    pub(super) async fn lease(&self, leases: &KindRef) -> Result<Option<Value>> {
        let namespace = Some(self.parent_namespace.as_str());
        match self.objects.get(leases, namespace, &self.parent_name).await {
            Ok(reply) => Ok(Some(reply.object)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The lease of a set, and who claims it.
#[derive(Clone)]
struct Post {
    leases: Arc<KindRef>,
    set: SetId,
    name: String,
    namespace: String,
    holder: String,
}

impl Post {
    fn claim(&self) -> Claim<'_> {
        Claim {
            set: &self.set,
            name: &self.name,
            namespace: &self.namespace,
            holder: &self.holder,
            duration: LEASE,
        }
    }

    async fn put(&self, objects: &Objects, object: &Value) -> Result<(), ObjectError> {
        let write = Write::by("weftctl");
        let namespace = Some(self.namespace.as_str());
        if object.pointer("/metadata/resourceVersion").is_some() {
            let put = objects.replace(&self.leases, namespace, &self.name, object, &write);
            put.await?;
        } else {
            let put = objects.create(&self.leases, namespace, object, &write);
            put.await?;
        }
        Ok(())
    }
}

/// What is known of a lease.
#[derive(Clone, Copy)]
enum Held {
    /// It was renewed then, and lasts from there.
    Since(Renewed),
    /// Somebody else has it.
    Lost,
}

impl Held {
    /// Whether nobody else can have it yet.
    fn is_ours(self) -> bool {
        matches!(self, Self::Since(then) if then.age() < LEASE)
    }
}

/// A moment by both clocks: one stands still while a machine sleeps, the other one may be set.
#[derive(Clone, Copy)]
struct Renewed(Instant, SystemTime);

impl Renewed {
    fn now() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    fn age(self) -> Duration {
        self.0.elapsed().max(self.1.elapsed().unwrap_or_default())
    }
}

/// A lease that is renewed as long as this lives.
pub(super) struct Lease {
    held: watch::Receiver<Held>,
    renewal: JoinHandle<()>,
    post: Post,
}

impl Lease {
    fn keep(objects: Objects, post: Post) -> Self {
        let (tell, held) = watch::channel(Held::Since(Renewed::now()));
        let renewed = post.clone();
        let renewal = tokio::spawn(async move {
            let post = renewed;
            let mut wait = LEASE / 3;
            loop {
                tokio::time::sleep(wait).await;
                let asked = Renewed::now();
                let live = objects.get(&post.leases, Some(&post.namespace), &post.name);
                let standing = live
                    .await
                    .map(|live| post.claim().check(Some(&live.object), now(), None));
                let renewed = match standing {
                    Ok(Standing::Renew(object)) => post.put(&objects, &object).await.is_ok(),
                    Ok(_) => {
                        let _ = tell.send(Held::Lost);
                        return;
                    }
                    Err(_) => false,
                };
                wait = LEASE / 3;
                if renewed {
                    let _ = tell.send(Held::Since(asked));
                } else {
                    wait /= 5;
                }
            }
        });
        Self {
            held,
            renewal,
            post,
        }
    }

    /// Makes sure that nobody else works: where the lease could not be renewed in time, it is waited
    /// for until it is, for as long as there is patience.
    ///
    /// # Errors
    /// When somebody else has it by now, or the cluster doesn't come back.
    pub(super) async fn hold(&self, site: &Site, patience: Duration) -> Result<()> {
        let mut held = self.held.clone();
        let until = Instant::now() + patience;
        loop {
            let now = *held.borrow_and_update();
            if now.is_ours() {
                return Ok(());
            }
            if matches!(now, Held::Lost) {
                let message = "the lease of the set was lost: another run works on it";
                return Err(Error::new(Code::SetLocked, message).at(site.place(None)));
            }
            if !matches!(timeout_at(until, held.changed()).await, Ok(Ok(()))) {
                let message = "the lease of the set could not be renewed";
                return Err(Error::new(Code::ClusterUnreachable, message).at(site.place(None)));
            }
        }
    }

    /// Gives it back.
    pub(super) async fn release(self, site: &Site) {
        self.renewal.abort();
        let post = &self.post;
        let live = site
            .objects
            .get(&post.leases, Some(&post.namespace), &post.name);
        let Ok(live) = live.await.map(|reply| reply.object) else {
            return;
        };
        if site.parent.is_none() {
            // Nothing is left that it could protect.
            let delete = Delete {
                uid: live["metadata"]["uid"].as_str().map(str::to_owned),
                ..Delete::default()
            };
            let namespace = Some(post.namespace.as_str());
            let deleted = site
                .objects
                .delete(&post.leases, namespace, &post.name, &delete)
                .await;
            if let Err(error) = deleted {
                tracing::debug!(%error, "the lease stays");
            }
            return;
        }
        if let Some(object) = post.claim().release(&live)
            && let Err(error) = post.put(&site.objects, &object).await
        {
            tracing::debug!(%error, "the lease was not given back; it ends by itself");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

fn now() -> MicroTime {
    MicroTime::from_unix_micros(jiff::Timestamp::now().as_microsecond())
}

fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "weftctl".to_owned())
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".to_owned(),
        name => name.to_owned(),
    }
}
