//! Readiness: whether a live object is what was asked for, and if not, what it waits for.
//!
//! Pure: the object goes in, with what else the caller happens to know of its surroundings; words
//! that a person can act on come out. The rules are those of kstatus (sigs.k8s.io/cli-utils,
//! `pkg/kstatus`), with the exceptions that the functions of the kinds name. What is deleted is
//! terminating, what its controller hasn't seen is waiting, and a status with a field of a wrong
//! type is never ready.

mod custom;
mod event;
mod gateway;
mod owner;
mod pod;
mod read;
mod workload;

#[cfg(test)]
mod tests;

use serde_json::Value;

use self::read::{Condition, Live, Result, is_true, line, untrue};

pub use self::custom::reported_condition;
pub use self::event::{EventLine, event_line, last_event, regarding};
pub use self::owner::{owns, pod_selector};
pub use self::pod::{PodProblem, pod_problem};

/// Whether an object is ready.
///
/// Reasons are fragments in lower case without a final stop, on one line, and of bounded length;
/// what the cluster itself says in a condition is repeated in its words.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Readiness {
    /// It is as it was asked for.
    Ready {
        /// What is worth knowing nevertheless, such as that it is suspended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// It isn't ready yet.
    Waiting {
        /// What it waits for.
        reason: String,
    },
    /// It will not become ready unless somebody changes something.
    Failed {
        /// What failed.
        reason: String,
    },
    /// It is being deleted.
    Terminating {
        /// What keeps it from being gone.
        reason: String,
    },
}

impl Readiness {
    /// Plainly ready.
    pub const READY: Self = Self::Ready { reason: None };

    fn ready_but(reason: &str) -> Self {
        Self::Ready {
            reason: Some(line(reason)),
        }
    }

    fn waiting(reason: &str) -> Self {
        Self::Waiting {
            reason: line(reason),
        }
    }

    fn failed(reason: &str) -> Self {
        Self::Failed {
            reason: line(reason),
        }
    }

    /// Waiting if something is waited for.
    fn waiting_for(reason: Option<String>) -> Self {
        reason.map_or(Self::READY, |reason| Self::waiting(&reason))
    }

    /// Tells whether it is ready.
    pub const fn is_ready(&self) -> bool {
        matches!(self, Self::Ready { .. })
    }

    /// Tells whether there is no use in waiting any longer.
    pub const fn is_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// Returns the reason, where there is one.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Ready { reason } => reason.as_deref(),
            Self::Waiting { reason } | Self::Failed { reason } | Self::Terminating { reason } => {
                Some(reason)
            }
        }
    }

    /// Returns the name of the state.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ready { .. } => "ready",
            Self::Waiting { .. } => "waiting",
            Self::Failed { .. } => "failed",
            Self::Terminating { .. } => "terminating",
        }
    }
}

/// What a caller may know beside the object; nothing of it is required.
#[derive(Debug, Clone, Copy, Default)]
pub struct Related<'a> {
    /// The `volumeBindingMode` of the storage class of a claim.
    pub volume_binding_mode: Option<&'a str>,
    /// Whether the API server lists the kind that a definition defines.
    pub discoverable: Option<bool>,
    /// The condition by which objects of a custom kind say that they are ready, as told by
    /// [`reported_condition`]: until it is there such an object is not ready.
    pub condition: Option<&'a str>,
    /// The pods of a workload, which say why it isn't ready.
    pub pods: &'a [&'a Value],
}

/// Tells whether a live object is ready.
pub fn readiness(object: &Value, related: &Related<'_>) -> Readiness {
    let live = Live::new(object);
    if is_deleted(&live) {
        return terminating(&live);
    }
    let judged = judge(&live, related);
    judged.unwrap_or_else(|malformed| Readiness::waiting(&malformed.to_string()))
}

fn judge(live: &Live<'_>, related: &Related<'_>) -> Result<Readiness> {
    let (group, kind) = live.kind()?;
    let generation = live.generation(&["metadata", "generation"])?;
    let observed = live.generation(&["status", "observedGeneration"])?;
    if let (Some(generation), Some(observed)) = (generation, observed)
        && observed < generation
    {
        let reason = format!("its controller has seen generation {observed} of {generation}");
        return Ok(Readiness::waiting(&reason));
    }
    if let Some(readiness) = standard(live, generation)? {
        return Ok(readiness);
    }
    // The controllers of these always say what they have seen.
    let is_unseen = generation.is_some() && observed.is_none();
    let is_watched = matches!(
        (group, kind),
        (
            "apps",
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet"
        ) | ("", "ReplicationController")
            | ("policy", "PodDisruptionBudget")
    );
    if is_unseen && is_watched {
        return Ok(Readiness::waiting("its controller has not seen it yet"));
    }
    match (group, kind) {
        ("apps", "Deployment") => workload::deployment(live, related),
        ("apps", "StatefulSet") => workload::stateful_set(live, related),
        ("apps", "DaemonSet") => workload::daemon_set(live, related),
        ("apps", "ReplicaSet") | ("", "ReplicationController") => {
            workload::replica_set(live, related)
        }
        ("batch", "Job") => workload::job(live, related),
        ("batch", "CronJob") => workload::cron_job(live),
        ("", "Pod") => pod::pod(live),
        ("", "PersistentVolumeClaim") => claim(live, related),
        ("", "PersistentVolume") => volume(live),
        ("", "Service") => service(live),
        ("", "Namespace") => namespace(live),
        ("policy", "PodDisruptionBudget") => disruption_budget(live),
        ("autoscaling", "HorizontalPodAutoscaler") => autoscaler(live),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => definition(live, related),
        ("apiregistration.k8s.io", "APIService") => api_service(live),
        ("gateway.networking.k8s.io", "Gateway" | "ListenerSet") => {
            gateway::gateway(live, generation)
        }
        ("gateway.networking.k8s.io", "GatewayClass") => gateway::class(live, generation),
        ("gateway.networking.k8s.io", route) if route.ends_with("Route") => {
            gateway::route(live, generation)
        }
        _ => custom::custom(live, related, generation),
    }
}

/// Judges by the two conditions that kstatus asks every controller to set, where one is true.
fn standard(live: &Live<'_>, generation: Option<u64>) -> Result<Option<Readiness>> {
    let stalled = live.condition("Stalled")?;
    if let Some(stalled) = stalled.filter(|stalled| untrue(stalled, generation).is_none()) {
        return Ok(Some(Readiness::failed(&stalled.told())));
    }
    let reconciling = live.condition("Reconciling")?;
    let reconciling = reconciling.filter(Condition::is_true);
    Ok(reconciling.map(|reconciling| Readiness::waiting(&reconciling.told())))
}

/// Tells whether an object is being deleted.
fn is_deleted(live: &Live<'_>) -> bool {
    let deleted = live.get(&["metadata", "deletionTimestamp"]).ok().flatten();
    deleted.is_some_and(|deleted| deleted != "")
}

/// Names the finalizers of an object that is being deleted, and what namespaces and definitions say.
///
/// Reads leniently: what is being deleted may be in any state.
fn terminating(live: &Live<'_>) -> Readiness {
    let own = live.list(&["metadata", "finalizers"]).unwrap_or_default();
    // Only namespaces have finalizers in their spec; elsewhere the field may mean anything.
    let others = match live.kind() {
        Ok(("", "Namespace")) => live.list(&["spec", "finalizers"]).unwrap_or_default(),
        _ => &[],
    };
    let held = own.iter().chain(others).filter_map(Value::as_str);
    let held: Vec<String> = held.map(explained).collect();
    let mut reason = "is being deleted".to_owned();
    if !held.is_empty() {
        let plural = if held.len() == 1 { "" } else { "s" };
        reason = format!("{reason}, held by finalizer{plural} {}", held.join(", "));
    }
    for message in remaining(live) {
        reason.push_str("; ");
        reason.push_str(message);
    }
    Readiness::Terminating {
        reason: line(&reason),
    }
}

/// Returns what namespaces and definitions say about their deletion.
fn remaining<'a>(live: &Live<'a>) -> impl Iterator<Item = &'a str> {
    /// The types of `NamespaceCondition` (k8s.io/api/core/v1), and that of definitions.
    const TYPES: [&str; 6] = [
        "NamespaceDeletionDiscoveryFailure",
        "NamespaceDeletionGroupVersionParsingFailure",
        "NamespaceDeletionContentFailure",
        "NamespaceContentRemaining",
        "NamespaceFinalizersRemaining",
        "Terminating",
    ];
    let conditions = TYPES.map(|name| live.condition(name).ok().flatten());
    let conditions = conditions.into_iter().flatten().filter(Condition::is_true);
    conditions
        .map(|condition| condition.message.trim().trim_end_matches('.'))
        .filter(|message| !message.is_empty())
}

/// Adds to a well-known finalizer what it waits for.
fn explained(finalizer: &str) -> String {
    let meaning = match finalizer {
        "kubernetes.io/pvc-protection" => "a pod still uses it",
        "kubernetes.io/pv-protection" => "a claim still uses it",
        "kubernetes" => "its content goes first",
        "foregroundDeletion" => "what it owns goes first",
        "customresourcecleanup.apiextensions.k8s.io" => "its custom resources go first",
        "service.kubernetes.io/load-balancer-cleanup" => "its load balancer goes first",
        _ => return finalizer.to_owned(),
    };
    format!("{finalizer} ({meaning})")
}

/// A claim is ready when it is bound, and also when binding would need a pod that isn't there yet:
/// with `WaitForFirstConsumer` nothing happens until the scheduler has selected a node (annotation
/// `volume.kubernetes.io/selected-node`), or the claim names its volume itself.
fn claim(live: &Live<'_>, related: &Related<'_>) -> Result<Readiness> {
    const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
    let volume = live.text(&["spec", "volumeName"])?;
    match live.text(&["status", "phase"])? {
        Some("Bound") => return Ok(Readiness::READY),
        Some("Lost") => {
            let volume = volume.unwrap_or("which does not exist");
            let reason = format!("has lost its volume {volume}");
            return Ok(Readiness::failed(&reason));
        }
        _ => {}
    }
    let node = live.text(&["metadata", "annotations", SELECTED_NODE])?;
    let is_late = related.volume_binding_mode == Some("WaitForFirstConsumer");
    if is_late && node.is_none() && volume.is_none() {
        return Ok(Readiness::ready_but("waits for its first consumer"));
    }
    let class = live.text(&["spec", "storageClassName"])?;
    let reason = match (volume, class) {
        (Some(volume), _) => format!("waits to be bound to volume {volume}"),
        (None, Some(class)) => format!("waits for a volume of storage class {class}"),
        (None, None) => "waits for a volume; it names no storage class".to_owned(),
    };
    let reason = match node {
        Some(node) => format!("{reason} on node {node}"),
        None => reason,
    };
    Ok(Readiness::waiting(&reason))
}

/// A volume needs no claim to be ready.
fn volume(live: &Live<'_>) -> Result<Readiness> {
    let phase = live.text(&["status", "phase"])?;
    if phase != Some("Failed") {
        return Ok(Readiness::READY);
    }
    let message = live.text(&["status", "message"])?;
    let reason = live.text(&["status", "reason"])?;
    let reason = message.or(reason).unwrap_or("could not be reclaimed");
    Ok(Readiness::failed(reason.trim_end_matches('.')))
}

/// A service is ready unless it is to have a load balancer that has no address yet; kstatus is
/// content with a cluster address there, which says nothing about the balancer.
fn service(live: &Live<'_>) -> Result<Readiness> {
    if live.text(&["spec", "type"])? != Some("LoadBalancer") {
        return Ok(Readiness::READY);
    }
    let addresses = live.list(&["status", "loadBalancer", "ingress"])?;
    for address in addresses {
        let address = Live::inside(address, "status.loadBalancer.ingress");
        if address.text(&["ip"])?.is_some() || address.text(&["hostname"])?.is_some() {
            return Ok(Readiness::READY);
        }
    }
    Ok(Readiness::waiting("its load balancer has no address yet"))
}

fn namespace(live: &Live<'_>) -> Result<Readiness> {
    Ok(match live.text(&["status", "phase"])? {
        Some("Active") => Readiness::READY,
        Some("Terminating") => terminating(live),
        Some(phase) => Readiness::waiting(&format!("its phase is {phase}, not Active")),
        None => Readiness::waiting("is not active yet"),
    })
}

/// A budget is ready when its controller could compute it, whether or not it now allows anything.
fn disruption_budget(live: &Live<'_>) -> Result<Readiness> {
    let allowed = live.condition("DisruptionAllowed")?;
    let failed = allowed.filter(|allowed| allowed.reason == "SyncFailed" && !allowed.is_true());
    Ok(Readiness::waiting_for(failed.map(|failed| failed.told())))
}

/// An autoscaler is ready when it can scale and has what it scales by; one whose target has been
/// scaled to zero by hand is off, and rightly so.
///
/// Version 1 of the kind has its conditions in an annotation.
fn autoscaler(live: &Live<'_>) -> Result<Readiness> {
    const CONDITIONS: &str = "autoscaling.alpha.kubernetes.io/conditions";
    let text = live.text(&["metadata", "annotations", CONDITIONS])?;
    let first = live.text(&["apiVersion"])? == Some("autoscaling/v1");
    let Some(text) = text.filter(|_| first) else {
        return scaling(live, &["status", "conditions"]);
    };
    // The parser refuses what is nested too deep.
    let conditions = serde_json::from_str::<Value>(text).unwrap_or_else(|_| text.into());
    let place = "the annotation of its conditions";
    scaling(&Live::inside(&conditions, place), &[])
}

fn scaling(live: &Live<'_>, conditions: &[&str]) -> Result<Readiness> {
    let condition = |name| live.condition_at(conditions, "status.conditions", name);
    let Some(able) = condition("AbleToScale")? else {
        let reason = "its controller has not looked at its target yet";
        return Ok(Readiness::waiting(reason));
    };
    if !able.is_true() {
        return Ok(Readiness::waiting(&able.told()));
    }
    Ok(match condition("ScalingActive")? {
        Some(active) if active.is_false() && active.reason == "ScalingDisabled" => {
            Readiness::ready_but("is off while its target has zero replicas")
        }
        Some(active) if !active.is_true() => Readiness::waiting(&active.told()),
        _ => Readiness::READY,
    })
}

/// A definition is ready when its kind can be written: established and, where the caller knows,
/// listed by the API server, which takes a moment longer.
fn definition(live: &Live<'_>, related: &Related<'_>) -> Result<Readiness> {
    let names = live.condition("NamesAccepted")?;
    if let Some(refused) = names.filter(Condition::is_false) {
        return Ok(Readiness::failed(&refused.told()));
    }
    let established = live.condition("Established")?;
    if let Some(failed) = established.filter(|e| e.is_false() && e.reason != "Installing") {
        return Ok(Readiness::failed(&failed.told()));
    }
    Ok(if !is_true(established) {
        Readiness::waiting("is not established yet")
    } else if related.discoverable == Some(false) {
        Readiness::waiting("is established, but the API server does not list its kind yet")
    } else {
        Readiness::READY
    })
}

fn api_service(live: &Live<'_>) -> Result<Readiness> {
    Ok(match live.condition("Available")? {
        Some(available) if available.is_true() => Readiness::READY,
        Some(available) => Readiness::waiting(&available.told()),
        None => Readiness::waiting("is not known to be available yet"),
    })
}
