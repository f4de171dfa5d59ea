//! One cluster, and where a set is kept in it.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::time::Instant;
use weft_domain::{
    inventory::{ID_LABEL, Parent, ParentError, SetId, parent_name, parent_name_away},
    resource::{ResourceId, ResourceSet, split_api_version},
};

use crate::{
    api::deploy::{DeployDesign, Mode, Target},
    cluster::{
        Cluster, Conflict, KindRef, Kinds, ObjectError, Objects, Problem, Retry, Selector, Write,
    },
    error::{Code, Error, Result},
    service::{Services, connect, operation::Handle},
};

/// How calls are repeated: a server that is restarted is back before the last attempt.
const RETRY: Retry = Retry {
    attempts: 12,
    first: Duration::from_millis(200),
    longest: Duration::from_secs(5),
    reading: Duration::from_secs(15),
    writing: Duration::from_secs(35),
};

/// One cluster, and where a set is kept in it.
pub(super) struct Site {
    cluster: Cluster,
    /// What it serves; read again once a definition is established.
    kinds: RwLock<Kinds>,
    /// The verbs on its objects.
    pub(super) objects: Objects,
    /// The field manager.
    pub(super) manager: String,
    /// Whether that is another one than the set's own.
    chosen: bool,
    /// The set.
    pub(super) id: SetId,
    /// The name of its inventory.
    pub(super) parent_name: String,
    /// The namespace of its inventory.
    pub(super) parent_namespace: String,
    /// The inventory, as it was last written.
    pub(super) parent: Option<Parent>,
    /// When it was opened.
    pub(super) begun: jiff::Timestamp,
    namespace: String,
    inventory_namespace: Option<String>,
    version: String,
    /// Where discovery is kept; nowhere in a dry run.
    cache: Option<std::path::PathBuf>,
    design: String,
}

impl Site {
    /// Connects, reads what is served, and looks for the set.
    pub(super) async fn open(
        services: &Services,
        request: &DeployDesign,
        context: Option<String>,
        design: &str,
        handle: &Handle,
    ) -> Result<Self> {
        let keeps = request.mode == Mode::Perform;
        let mut site = Self::at(services, &request.target, context, design, keeps).await?;
        site.cluster = site
            .cluster
            .with_concurrency(request.options.concurrency.max(1));
        let handle = handle.clone();
        let objects = site.cluster.objects().with_retry(RETRY);
        site.objects = objects.on_retry(move |retrying| {
            let (object, problem) = (retrying.object, retrying.problem);
            let wait = retrying.wait.as_secs_f32();
            handle.step(format!("{object}: {problem}; again in {wait:.1} s"));
        });
        site.manage(request.field_manager.as_deref())?;
        Ok(site)
    }

    /// Writes by another field manager than the set's own. A set keeps the one that it began with:
    /// under another one its own fields would be somebody else's.
    fn manage(&mut self, manager: Option<&str>) -> Result<()> {
        let Some(manager) = manager.filter(|manager| *manager != self.manager) else {
            return Ok(());
        };
        if self.parent.is_some() {
            let message = format!(
                "{:?} is deployed by the field manager {:?}, which cannot be changed",
                self.design, self.manager
            );
            return Err(Error::new(Code::Usage, message)
                .at(self.place(None))
                .hint("leave --field-manager out, or release the design and adopt its objects"));
        }
        manager.clone_into(&mut self.manager);
        self.chosen = true;
        Ok(())
    }

    /// The same, to read. What is served is kept for the next run if `keeps`.
    pub(super) async fn at(
        services: &Services,
        target: &Target,
        context: Option<String>,
        design: &str,
        keeps: bool,
    ) -> Result<Self> {
        let cluster = connect(target, context.as_deref()).await?;
        let cache = keeps.then(|| services.home().cache().join("discovery"));
        let (kinds, version) =
            tokio::try_join!(cluster.kinds(cache.as_deref()), cluster.version())?;
        let namespace = target.namespace.clone();
        let namespace = namespace.unwrap_or_else(|| cluster.namespace().to_owned());
        let parent_name = parent_name(design);
        let id = SetId::of_parent(&parent_name, &namespace);
        let mut site = Self {
            objects: cluster.objects(),
            kinds: RwLock::new(kinds),
            manager: id.field_manager(),
            chosen: false,
            id,
            parent_name,
            parent_namespace: namespace.clone(),
            parent: None,
            begun: services.now(),
            namespace,
            inventory_namespace: target.inventory_namespace.clone(),
            version,
            cache,
            design: design.to_owned(),
            cluster,
        };
        site.find().await?;
        Ok(site)
    }

    /// The cluster.
    pub(super) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The kubeconfig context.
    pub(super) fn context(&self) -> &str {
        self.cluster.context()
    }

    /// The context as steps name it.
    pub(super) fn shown(&self) -> String {
        format!("context {:?}", self.context())
    }

    /// The namespace of resources that name none.
    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The design's name.
    pub(super) fn design(&self) -> &str {
        &self.design
    }

    /// Whether the server may know fields that the built-in model doesn't.
    pub(super) fn is_newer(&self) -> bool {
        let minor = |version: &str| -> Option<u32> {
            let mut parts = version.trim_start_matches('v').split('.');
            parts.next()?;
            let digits = parts.next()?;
            digits.trim_end_matches('+').parse().ok()
        };
        let ours = weft_domain::model::Model::builtin();
        minor(&self.version) > minor(ours.version())
    }

    /// What the cluster serves.
    pub(super) fn kinds(&self) -> Kinds {
        let kinds = self.kinds.read();
        kinds.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The kind of an object, in the version that it is written in.
    pub(super) fn exactly(&self, api_version: &str, kind: &str) -> Option<Arc<KindRef>> {
        self.kinds().find(api_version, kind)
    }

    /// The kind of an object to look at or to delete, in another version where its own isn't served.
    pub(super) fn kind(&self, api_version: &str, kind: &str) -> Option<Arc<KindRef>> {
        let kinds = self.kinds();
        kinds.find(api_version, kind).or_else(|| {
            let (group, _) = split_api_version(api_version);
            kinds.preferred(group, kind)
        })
    }

    /// The kind of something that every server has.
    pub(super) fn own(&self, api_version: &str, kind: &str) -> Result<Arc<KindRef>> {
        self.kind(api_version, kind).ok_or_else(|| {
            Error::new(Code::ClusterAnswer, format!("the cluster serves no {kind}"))
                .at(self.place(None))
        })
    }

    /// Reads what is served again, once a definition is established.
    pub(super) async fn refresh(
        &self,
        api_version: &str,
        kind: &str,
        until: Instant,
    ) -> Result<()> {
        let refreshed = self
            .cluster
            .refresh_kinds(self.cache.as_deref(), api_version, kind, until)
            .await?;
        *self.kinds.write().unwrap_or_else(PoisonError::into_inner) = refreshed;
        Ok(())
    }

    /// How members are written.
    pub(super) fn write(&self) -> Write {
        Write::by(self.manager.clone())
    }

    /// Looks for the inventory: in the set's own namespace, then where it is kept away from it.
    pub(super) async fn find(&mut self) -> Result<()> {
        let secrets = self.own("v1", "Secret")?;
        self.parent = None;
        for (namespace, name) in [self.home(), self.away()] {
            let found = self.objects.get(&secrets, Some(&namespace), &name).await;
            match found {
                Ok(reply) => {
                    let parent = Parent::parse(&reply.object)
                        .map_err(|error| self.foreign(&namespace, &name, &error))?;
                    self.keep_at(namespace, name);
                    self.manager = parent.field_manager();
                    self.parent = Some(parent);
                    return Ok(());
                }
                Err(error) if is_missing(&error) => {}
                // Who may work in one namespace need not be allowed to look into the other.
                Err(error)
                    if namespace != self.namespace
                        && matches!(*error.problem, Problem::Forbidden { .. }) => {}
                Err(error) if matches!(*error.problem, Problem::Forbidden { .. }) => {
                    let message = format!("not allowed to read the inventory of {:?}", self.design);
                    return Err(Error::new(Code::NotAllowed, message)
                        .because_of(&error)
                        .at(self.place(Some(&format!("Secret/{namespace}/{name}"))))
                        .hint(format!(
                            "a set needs get, list, create, update, patch and delete of secrets and \
                             of leases (coordination.k8s.io) in the namespace {namespace}"
                        )));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The inventories in a namespace, or in all of them. What is there and none of ours is left out.
    pub(super) async fn parents(&self, namespace: Option<&str>) -> Result<Vec<Parent>> {
        let secrets = self.own("v1", "Secret")?;
        let selector = Selector::labels(ID_LABEL.to_owned());
        let found = self.objects.list(&secrets, namespace, &selector).await?;
        let parents = found.objects.iter();
        Ok(parents
            .filter_map(|live| Parent::parse(live).ok())
            .collect())
    }

    /// The design of another set and where its inventory is, as far as one may look.
    pub(super) async fn owner(&self, set: &str) -> Option<String> {
        let secrets = self.own("v1", "Secret").ok()?;
        let selector = Selector::labels(format!("{ID_LABEL}={set}"));
        let found = self.objects.list(&secrets, None, &selector).await.ok()?;
        let parent = Parent::parse(found.objects.first()?).ok()?;
        Some(format!(
            "the design {:?}, whose inventory is {}/{}",
            parent.design(),
            parent.namespace(),
            parent.name()
        ))
    }

    /// Namespace and name of an inventory in the set's own namespace.
    fn home(&self) -> (String, String) {
        (self.namespace.clone(), parent_name(&self.design))
    }

    /// Namespace and name of an inventory that is kept away from the set.
    fn away(&self) -> (String, String) {
        let namespace = self.inventory_namespace.as_deref().unwrap_or("default");
        let name = parent_name_away(&self.design, &self.namespace);
        (namespace.to_owned(), name)
    }

    fn foreign(&self, namespace: &str, name: &str, error: &ParentError) -> Error {
        Error::new(Code::ForeignSet, "the inventory cannot be used")
            .because_of(error)
            .at(self.place(Some(&format!("Secret/{namespace}/{name}"))))
    }

    fn keep_at(&mut self, namespace: String, name: String) {
        (self.parent_namespace, self.parent_name) = (namespace, name);
        self.id = SetId::of_parent(&self.parent_name, &self.parent_namespace);
        if !self.chosen {
            self.manager = self.id.field_manager();
        }
    }

    /// The inventory as it was last written, or an empty one.
    pub(super) fn inventory(&self) -> Parent {
        match &self.parent {
            Some(parent) => parent.clone(),
            None => Parent::new(&self.parent_name, &self.parent_namespace, &self.design)
                .with_field_manager(&self.manager),
        }
    }

    /// Decides where the inventory of a new set goes: not into a namespace that the set brings.
    pub(super) fn settle(&mut self, set: &ResourceSet) -> Result<()> {
        let brings = set.find("", "Namespace", None, &self.namespace).is_some();
        if self.parent.is_some() || !brings {
            return Ok(());
        }
        let (away, name) = self.away();
        if away != self.namespace {
            self.keep_at(away, name);
        } else if self.inventory_namespace.is_some() {
            let message = format!(
                "the design brings the namespace {away:?}, which cannot hold its inventory"
            );
            return Err(Error::new(Code::Usage, message)
                .at(self.place(None))
                .hint("give --inventory-namespace one that is there already"));
        }
        Ok(())
    }

    /// Demands that the set exists.
    pub(super) fn require_parent(&self) -> Result<&Parent> {
        self.parent.as_ref().ok_or_else(|| {
            Error::new(
                Code::SetNotFound,
                format!(
                    "no design {:?} is deployed in {}",
                    self.design,
                    self.shown()
                ),
            )
            .at(self.place(None))
            .hint("it may be in another namespace: add -n NAMESPACE or --inventory-namespace")
        })
    }

    /// Writes the inventory, unless it is as it should be.
    pub(super) async fn keep(&mut self, next: Parent) -> Result<()> {
        if self.parent.as_ref() == Some(&next) {
            return Ok(());
        }
        let secrets = self.own("v1", "Secret")?;
        let secret = next.to_secret().map_err(|error| {
            Error::new(Code::OverLimit, "the inventory is too large").because_of(&error)
        })?;
        let (namespace, name) = (self.parent_namespace.clone(), self.parent_name.clone());
        let write = self.write();
        let reply = if next.resource_version().is_some() {
            self.objects
                .replace(&secrets, Some(&namespace), &name, &secret, &write)
                .await
        } else {
            self.objects
                .create(&secrets, Some(&namespace), &secret, &write)
                .await
        };
        let reply = match reply {
            // An earlier attempt of ours may have made it.
            Err(error) if is_unclear(&error) => {
                let live = self.objects.get(&secrets, Some(&namespace), &name).await?;
                let found = Parent::parse(&live.object)
                    .map_err(|error| self.foreign(&namespace, &name, &error))?;
                let before = self.parent.as_ref();
                if !found.says_what(&next) && !before.is_some_and(|before| found.says_what(before))
                {
                    let message = "another run has changed the inventory of the set";
                    return Err(Error::new(Code::SetLocked, message).at(self.place(None)));
                }
                let mut secret = secret;
                secret["metadata"]["resourceVersion"] =
                    live.object["metadata"]["resourceVersion"].clone();
                self.objects
                    .replace(&secrets, Some(&namespace), &name, &secret, &write)
                    .await?
            }
            reply => reply?,
        };
        self.parent = Some(next.written_as(&reply.object));
        Ok(())
    }

    /// Lets every call from now on end within a time.
    pub(super) fn give_up_in(&mut self, time: Duration) {
        self.objects = self.objects.clone().until(Instant::now() + time);
    }

    /// Whether the API server is there at all.
    pub(super) async fn answers(&self) -> bool {
        let Ok(secrets) = self.own("v1", "Secret") else {
            return false;
        };
        let once = self.objects.clone().with_retry(Retry::NEVER);
        let namespace = Some(self.parent_namespace.as_str());
        let asked = once.get(&secrets, namespace, &self.parent_name).await;
        match asked {
            Ok(_) => true,
            Err(error) => is_missing(&error),
        }
    }
}

/// Whether a write of ours may have been carried out, by this call or an earlier one.
pub(super) fn is_unclear(error: &ObjectError) -> bool {
    match &*error.problem {
        Problem::Unanswered { .. } => true,
        Problem::Conflict { conflict, .. } => *conflict == Conflict::Exists || error.uncertain,
        _ => false,
    }
}

/// Whether something isn't there.
pub(super) fn is_missing(error: &ObjectError) -> bool {
    matches!(*error.problem, Problem::NotFound { .. })
}

/// Whether somebody else was faster.
pub(super) fn is_conflict(error: &ObjectError) -> bool {
    matches!(*error.problem, Problem::Conflict { .. })
}

/// The id of an object on its own.
pub(super) fn id_of(kind: &KindRef, namespace: Option<&str>, name: &str) -> ResourceId {
    ResourceId::new(&kind.group, &kind.kind, namespace, name)
}
