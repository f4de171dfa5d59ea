//! Workloads: whether the pods that they are to run are there, up to date, and available.
//!
//! The counts are those that the controllers in k8s.io/kubernetes (`pkg/controller`) write.

use serde_json::Value;

use crate::resource::dig;

use super::pod::pod_problem;
use super::read::{Condition, Live, Result, is_true};
use super::{Readiness, Related};

/// A deployment is ready when all pods are of the newest revision and available, none is left of an
/// older one, and its controller says so too.
///
/// Without progress within its deadline it has failed. One that is paused is ready while the pause
/// holds nothing back.
pub(super) fn deployment(live: &Live<'_>, related: &Related<'_>) -> Result<Readiness> {
    let progress = live.condition("Progressing")?;
    let is_late = progress.is_some_and(|p| p.reason == "ProgressDeadlineExceeded");
    let missing = match pods_of_deployment(live, progress.as_ref())? {
        Some(missing) => Some(missing),
        None => doubt(live, progress)?,
    };
    if !is_late {
        return Ok(Readiness::waiting_for(match missing {
            Some(missing) => Some(explained(missing, live, related)?),
            None => None,
        }));
    }
    let missing = missing.unwrap_or_else(|| "its controller reports no progress".to_owned());
    let missing = explained(missing, live, related)?;
    let deadline = match live.count(&["spec", "progressDeadlineSeconds"])? {
        Some(seconds) => format!("progress deadline of {seconds}s exceeded"),
        None => "progress deadline exceeded".to_owned(),
    };
    Ok(Readiness::failed(&format!("{deadline}: {missing}")))
}

fn pods_of_deployment(live: &Live<'_>, progress: Option<&Condition<'_>>) -> Result<Option<String>> {
    let wanted = wanted(live)?;
    let existing = live.status("replicas")?;
    let updated = live.status("updatedReplicas")?.min(existing);
    if updated < wanted {
        if live.flag(&["spec", "paused"])? == Some(true) {
            let reason = format!("is paused with {updated} of {wanted} pods updated");
            return Ok(Some(reason));
        }
        return Ok(Some(if existing > updated {
            let revision = progress.and_then(newest_replica_set);
            let revision = match revision {
                Some(name) => Some(name),
                None => live.text(&["metadata", "annotations", REVISION])?,
            };
            rollout(revision, updated, wanted)
        } else {
            some_of(updated, wanted, "replicas", "created")
        }));
    }
    if existing > updated {
        return Ok(Some(surplus(existing - updated, "of an older revision")));
    }
    Ok(extra(existing, wanted).or(unavailable(live, wanted)?))
}

const REVISION: &str = "deployment.kubernetes.io/revision";

/// Reads the newest replica set out of what the controller says of its progress, which is the only
/// place of a deployment that names it.
fn newest_replica_set<'a>(progress: &Condition<'a>) -> Option<&'a str> {
    const PREFIXES: [&str; 3] = [
        "ReplicaSet \"",
        "Created new replica set \"",
        "Found new replica set \"",
    ];
    let mut prefixes = PREFIXES.iter();
    let rest = prefixes.find_map(|prefix| progress.message.strip_prefix(prefix))?;
    let (name, _) = rest.split_once('"')?;
    (!name.is_empty()).then_some(name)
}

/// Returns what the controller of a deployment doubts although all pods are there.
fn doubt(live: &Live<'_>, progress: Option<Condition<'_>>) -> Result<Option<String>> {
    /// Stands for no deadline; the controller then reports no progress.
    const NO_DEADLINE: u64 = i32::MAX as u64;
    let deadline = live.count(&["spec", "progressDeadlineSeconds"])?;
    let has_deadline = deadline.is_some_and(|seconds| seconds != NO_DEADLINE);
    let is_paused = live.flag(&["spec", "paused"])? == Some(true);
    if has_deadline && !is_paused {
        let Some(progress) = progress else {
            return Ok(Some("condition Progressing is not reported yet".to_owned()));
        };
        if !progress.is_true() || progress.reason != "NewReplicaSetAvailable" {
            return Ok(Some(progress.told()));
        }
    }
    Ok(match live.condition("Available")? {
        Some(available) if available.is_true() => None,
        Some(available) => Some(available.told()),
        None => Some("condition Available is not reported yet".to_owned()),
    })
}

/// A stateful set is ready when all its pods are ready and those that its strategy updates are of
/// the newest revision: all, those from the partition on, or, with `OnDelete`, whichever somebody
/// deleted.
///
/// Unlike in kstatus one with `OnDelete` waits for its pods, though not for their revision.
pub(super) fn stateful_set(live: &Live<'_>, related: &Related<'_>) -> Result<Readiness> {
    let strategy = ["spec", "updateStrategy", "rollingUpdate", "partition"];
    let is_manual = live.text(&["spec", "updateStrategy", "type"])? == Some("OnDelete");
    let partition = live.count(&strategy)?.unwrap_or(0);
    let wanted = wanted(live)?;
    let existing = live.status("replicas")?;
    let updated = live.status("updatedReplicas")?;
    let current = live.text(&["status", "currentRevision"])?;
    let revision = live.text(&["status", "updateRevision"])?;
    let is_updating = current != revision;
    let updated = if is_updating {
        updated
    } else {
        updated.max(live.status("currentReplicas")?)
    };
    let to_update = wanted.saturating_sub(partition);
    let missing = if !is_manual && is_updating && updated < to_update {
        Some(rollout(revision, updated, to_update))
    } else if existing < wanted {
        let reason = some_of(existing, wanted, "replicas", "created");
        let ready = live.status("readyReplicas")?;
        Some(if ready < existing {
            format!("{reason}, {ready} ready")
        } else {
            reason
        })
    } else {
        let short = unavailable(live, wanted)?.or(extra(existing, wanted));
        match short {
            Some(short) => Some(short),
            None if is_manual => None,
            None if updated < to_update => Some(rollout(revision, updated, to_update)),
            None if partition == 0 && is_updating => {
                let revision = revision.unwrap_or("unknown");
                Some(format!("rollout of revision {revision} is being completed"))
            }
            None => None,
        }
    };
    if let Some(missing) = missing {
        let missing = explained(missing, live, related)?;
        return Ok(Readiness::waiting(&missing));
    }
    Ok(if is_updating && updated < wanted {
        let why = if is_manual {
            "the others follow when they are deleted".to_owned()
        } else {
            format!("partition {partition} holds the others back")
        };
        Readiness::ready_but(&format!("{}, {why}", rollout(revision, updated, wanted)))
    } else {
        Readiness::READY
    })
}

/// A daemon set is ready when every node that it is for has an available pod, of the newest
/// revision unless its strategy leaves that to whoever deletes pods.
pub(super) fn daemon_set(live: &Live<'_>, related: &Related<'_>) -> Result<Readiness> {
    let Some(wanted) = live.count(&["status", "desiredNumberScheduled"])? else {
        return Ok(Readiness::waiting(
            "its controller has not counted its nodes yet",
        ));
    };
    let scheduled = live.status("currentNumberScheduled")?;
    let updated = live.status("updatedNumberScheduled")?;
    let ready = live.status("numberReady")?;
    let available = live.status("numberAvailable")?;
    let is_manual = live.text(&["spec", "updateStrategy", "type"])? == Some("OnDelete");
    let missing = if scheduled < wanted {
        Some(format!("{scheduled} of {wanted} nodes have a pod"))
    } else if updated < wanted && !is_manual {
        Some(rollout(None, updated, wanted))
    } else if ready < wanted {
        Some(some_of(ready, wanted, "pods", "ready"))
    } else if available < wanted {
        Some(some_of(available, wanted, "pods", "available"))
    } else {
        None
    };
    if let Some(missing) = missing {
        let missing = explained(missing, live, related)?;
        return Ok(Readiness::waiting(&missing));
    }
    Ok(if updated < wanted {
        let rollout = rollout(None, updated, wanted);
        let reason = format!("{rollout}, the others follow when they are deleted");
        Readiness::ready_but(&reason)
    } else {
        Readiness::READY
    })
}

/// A replica set or replication controller is ready when its pods are available, labelled as its
/// template says, and no more than wanted; and while it fails at creating or deleting some it isn't.
pub(super) fn replica_set(live: &Live<'_>, related: &Related<'_>) -> Result<Readiness> {
    let wanted = wanted(live)?;
    let existing = live.status("replicas")?;
    let labelled = live.status("fullyLabeledReplicas")?;
    let missing = if existing < wanted {
        Some(some_of(existing, wanted, "replicas", "created"))
    } else if labelled < wanted {
        let state = "labelled as in its template";
        Some(some_of(labelled, wanted, "replicas", state))
    } else {
        unavailable(live, wanted)?.or(extra(existing, wanted))
    };
    let failure = failure(live)?;
    Ok(match (missing, failure) {
        (Some(missing), _) => Readiness::waiting(&explained(missing, live, related)?),
        (None, Some(failure)) => Readiness::waiting(&failure),
        (None, None) => Readiness::READY,
    })
}

/// A job is ready when it is complete, unlike in kstatus, which is content with its start. One
/// that is suspended waits for nobody here. It has failed as soon as it is bound to fail.
pub(super) fn job(live: &Live<'_>, related: &Related<'_>) -> Result<Readiness> {
    if is_true(live.condition("Complete")?) {
        return Ok(Readiness::READY);
    }
    for name in ["Failed", "FailureTarget"] {
        if let Some(failed) = live.condition(name)?.filter(Condition::is_true) {
            let reason = with_pods(failed.told(), related.pods.iter().copied());
            return Ok(Readiness::failed(&reason));
        }
    }
    let is_suspended = match live.flag(&["spec", "suspend"])? {
        Some(suspend) => suspend,
        None => is_true(live.condition("Suspended")?),
    };
    if is_suspended {
        return Ok(Readiness::ready_but("is suspended"));
    }
    if live.text(&["status", "startTime"])?.is_none() {
        return Ok(Readiness::waiting("has not been started yet"));
    }
    if is_true(live.condition("SuccessCriteriaMet")?) {
        let reason = "has succeeded, but its last pods have not ended yet";
        return Ok(Readiness::waiting(reason));
    }
    let succeeded = live.status("succeeded")?;
    let mut reason = match live.count(&["spec", "completions"])? {
        Some(wanted) => {
            let verb = if succeeded == 1 { "has" } else { "have" };
            format!("{succeeded} of {wanted} pods {verb} succeeded")
        }
        None if succeeded == 0 => "no pod has succeeded yet".to_owned(),
        None => "waits for its last pods to end".to_owned(),
    };
    for (count, state) in [("active", "running"), ("failed", "failed")] {
        let pods = live.status(count)?;
        if pods > 0 {
            reason = format!("{reason}, {pods} {state}");
        }
    }
    let reason = with_pods(reason, related.pods.iter().copied());
    Ok(Readiness::waiting(&reason))
}

/// A cron job is ready when it is there; what its jobs do is another matter.
pub(super) fn cron_job(live: &Live<'_>) -> Result<Readiness> {
    Ok(match live.flag(&["spec", "suspend"])? {
        Some(true) => Readiness::ready_but("is suspended"),
        _ => Readiness::READY,
    })
}

/// Returns how many pods are wanted; one, where nothing is said.
fn wanted(live: &Live<'_>) -> Result<u64> {
    Ok(live.count(&["spec", "replicas"])?.unwrap_or(1))
}

/// Returns how many pods are available, where that is too few.
///
/// Stateful sets of servers before 1.22 don't count available pods; then ready ones are what counts.
fn unavailable(live: &Live<'_>, wanted: u64) -> Result<Option<String>> {
    let ready = live.status("readyReplicas")?;
    let available = live.count(&["status", "availableReplicas"])?;
    let is_stateful = live.kind()?.1 == "StatefulSet";
    let available = available.unwrap_or(if is_stateful { ready } else { 0 });
    Ok(if available < wanted {
        let reason = some_of(available, wanted, "replicas", "available");
        let settling = live.count(&["spec", "minReadySeconds"])?.unwrap_or(0);
        Some(if ready > available && settling > 0 {
            format!("{reason}, {ready} ready but not all for {settling}s")
        } else {
            reason
        })
    } else if ready < wanted {
        Some(some_of(ready, wanted, "replicas", "ready"))
    } else {
        None
    })
}

fn extra(existing: u64, wanted: u64) -> Option<String> {
    let extra = existing.saturating_sub(wanted);
    (extra > 0).then(|| surplus(extra, "more than wanted"))
}

fn surplus(pods: u64, which: &str) -> String {
    if pods == 1 {
        format!("1 pod {which} is not gone yet")
    } else {
        format!("{pods} pods {which} are not gone yet")
    }
}

fn some_of(some: u64, wanted: u64, what: &str, state: &str) -> String {
    let verb = if some == 1 { "is" } else { "are" };
    format!("{some} of {wanted} {what} {verb} {state}")
}

fn rollout(revision: Option<&str>, updated: u64, wanted: u64) -> String {
    let of = if revision.is_some() {
        " of revision "
    } else {
        ""
    };
    let revision = revision.unwrap_or_default();
    format!("rollout{of}{revision} has {updated} of {wanted} pods updated")
}

/// Adds to what is missing why that is so, as far as the workload and its pods tell.
///
/// Pods that have ended are replaced by others, and don't matter any more.
fn explained(missing: String, live: &Live<'_>, related: &Related<'_>) -> Result<String> {
    let missing = match failure(live)? {
        Some(failure) => format!("{missing}; {failure}"),
        None => missing,
    };
    let has_ended = |pod: &Value| dig(pod, &["status", "phase"]).is_some_and(|p| p == "Failed");
    let pods = related.pods.iter().copied();
    Ok(with_pods(missing, pods.filter(|pod| !has_ended(pod))))
}

/// Returns why pods cannot be created or deleted; a quota that doesn't suffice comes first, as the
/// server wraps it into half a line of other words.
fn failure(live: &Live<'_>) -> Result<Option<String>> {
    let failure = live.condition("ReplicaFailure")?;
    let Some(failure) = failure.filter(Condition::is_true) else {
        return Ok(None);
    };
    let quota = failure.message.split_once("exceeded quota: ");
    Ok(Some(match quota {
        Some((_, quota)) => format!("quota exceeded: {}", quota.trim_end_matches('.')),
        None => failure.told(),
    }))
}

/// Adds the first pod with a problem that doesn't pass by itself, and how many more there are.
fn with_pods<'a>(reason: String, pods: impl Iterator<Item = &'a Value>) -> String {
    let mut problems = pods.filter_map(|pod| pod_problem(pod).filter(|p| !p.is_transient));
    let Some(first) = problems.next() else {
        return reason;
    };
    let others = match problems.count() {
        0 => String::new(),
        1 => ", and 1 other pod".to_owned(),
        others => format!(", and {others} other pods"),
    };
    format!("{reason}; pod {}: {first}{others}", first.pod)
}
