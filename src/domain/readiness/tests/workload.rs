//! Workloads at each step of a rollout.

use super::pod::{crash_loop, pod, waiting};
use super::*;

fn progressing(status: &str, reason: &str, message: &str) -> Value {
    condition("Progressing", status, reason, message)
}

fn available() -> Value {
    let message = "Deployment has minimum availability.";
    condition("Available", "True", "MinimumReplicasAvailable", message)
}

fn unavailable() -> Value {
    let message = "Deployment does not have minimum availability.";
    condition("Available", "False", "MinimumReplicasUnavailable", message)
}

fn done() -> Value {
    let message = "ReplicaSet \"web-5d4\" has successfully progressed.";
    progressing("True", "NewReplicaSetAvailable", message)
}

fn going() -> Value {
    progressing(
        "True",
        "ReplicaSetUpdated",
        "ReplicaSet \"web-5d4\" is progressing.",
    )
}

fn over_quota() -> Value {
    let message = "pods \"web-5d4-\" is forbidden: exceeded quota: compute, \
                   requested: cpu=1, used: cpu=2, limited: cpu=2";
    condition("ReplicaFailure", "True", "FailedCreate", message)
}

const OVER_QUOTA: &str = "quota exceeded: compute, requested: cpu=1, used: cpu=2, limited: cpu=2";

#[test]
fn a_deployment_is_ready_when_its_rollout_is_over() {
    let spec = json!({"replicas": 3, "progressDeadlineSeconds": 600});
    let with = |status: Value| json!({"spec": spec, "status": status});
    let cases = [
        (
            with(json!({})),
            "waiting: its controller has not seen it yet",
        ),
        // A new generation, which the old status knows nothing about.
        (
            with(json!({
                "observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3,
                "availableReplicas": 3, "conditions": [available(), done()],
            })),
            "waiting: its controller has seen generation 1 of 2",
        ),
        // The first rollout.
        (
            with(json!({
                "observedGeneration": 2,
                "conditions": [progressing(
                    "True", "NewReplicaSetCreated", "Created new replica set \"web-5d4\"",
                )],
            })),
            "waiting: 0 of 3 replicas are created",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 3, "updatedReplicas": 3,
                "unavailableReplicas": 3, "conditions": [unavailable(), going()],
            })),
            "waiting: 0 of 3 replicas are available",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 2,
                "availableReplicas": 2, "unavailableReplicas": 1,
                "conditions": [available(), going()],
            })),
            "waiting: 2 of 3 replicas are available",
        ),
        // The second one, old pods first: all counts are satisfied but that of the new pods.
        (
            with(json!({
                "observedGeneration": 2, "replicas": 4, "updatedReplicas": 1, "readyReplicas": 3,
                "availableReplicas": 3, "unavailableReplicas": 1,
                "conditions": [available(), going()],
            })),
            "waiting: rollout of revision web-5d4 has 1 of 3 pods updated",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 4, "updatedReplicas": 3, "readyReplicas": 4,
                "availableReplicas": 4, "conditions": [available(), going()],
            })),
            "waiting: 1 pod of an older revision is not gone yet",
        ),
        // All pods are there, but the controller isn't done.
        (
            with(json!({
                "observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3,
                "availableReplicas": 3, "conditions": [available(), going()],
            })),
            "waiting: ReplicaSetUpdated: ReplicaSet \"web-5d4\" is progressing",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3,
                "availableReplicas": 3, "conditions": [available()],
            })),
            "waiting: condition Progressing is not reported yet",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3,
                "availableReplicas": 3, "conditions": [unavailable(), done()],
            })),
            "waiting: MinimumReplicasUnavailable: Deployment does not have minimum availability",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3,
                "availableReplicas": 3, "conditions": [available(), done()],
            })),
            "ready",
        ),
        // Scaled down from 5.
        (
            with(json!({
                "observedGeneration": 2, "replicas": 5, "updatedReplicas": 5, "readyReplicas": 5,
                "availableReplicas": 5, "conditions": [available(), done()],
            })),
            "waiting: 2 pods more than wanted are not gone yet",
        ),
    ];
    check("apps/v1", "Deployment", &cases);
    // The old door to the same kind.
    check("extensions/v1beta1", "Deployment", &cases);
}

#[test]
fn a_deployment_that_makes_no_progress_has_failed_and_says_why() {
    let late = |name: &str| {
        let message = format!("ReplicaSet \"{name}\" has timed out progressing.");
        progressing("False", "ProgressDeadlineExceeded", &message)
    };
    let spec = json!({"replicas": 3, "progressDeadlineSeconds": 60});
    let quota = format!(
        "failed: progress deadline of 60s exceeded: 2 of 3 replicas are created; {OVER_QUOTA}"
    );
    let cases = [
        (
            json!({"spec": spec, "status": {
                "observedGeneration": 2, "replicas": 4, "updatedReplicas": 1, "readyReplicas": 3,
                "availableReplicas": 3, "conditions": [available(), late("web-5d4")],
            }}),
            "failed: progress deadline of 60s exceeded: \
             rollout of revision web-5d4 has 1 of 3 pods updated",
        ),
        (
            json!({"spec": spec, "status": {
                "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2,
                "availableReplicas": 2, "conditions": [unavailable(), over_quota(), late("web-5d4")],
            }}),
            &quota,
        ),
        // The failure was that of an older generation.
        (
            json!({"spec": spec, "status": {
                "observedGeneration": 1, "replicas": 3, "updatedReplicas": 3,
                "conditions": [late("web-5d4")],
            }}),
            "waiting: its controller has seen generation 1 of 2",
        ),
    ];
    check("apps/v1", "Deployment", &cases);
}

#[test]
fn a_deployment_says_what_keeps_its_pods_from_being_created() {
    let quota = format!("waiting: 1 of 3 replicas is created; {OVER_QUOTA}");
    let security = condition(
        "ReplicaFailure",
        "True",
        "FailedCreate",
        "pods \"web-\" is forbidden: violates PodSecurity \"restricted:latest\"",
    );
    let refused = progressing(
        "False",
        "ReplicaSetCreateError",
        "Failed to create new replica set \"web-7\": replicasets.apps \"web-7\" is forbidden",
    );
    let status = |conditions: Value| {
        json!({"spec": {"replicas": 3}, "status": {
            "observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1,
            "availableReplicas": 1, "conditions": conditions,
        }})
    };
    let cases = [
        (status(json!([over_quota(), going()])), quota.as_str()),
        (
            status(json!([security])),
            "waiting: 1 of 3 replicas is created; FailedCreate: pods \"web-\" is forbidden: \
             violates PodSecurity \"restricted:latest\"",
        ),
        // The name of a replica set that doesn't exist is not that of a revision.
        (
            json!({"spec": {"replicas": 1}, "status": {
                "observedGeneration": 2, "replicas": 1, "conditions": [refused],
            }}),
            "waiting: rollout has 0 of 1 pods updated",
        ),
    ];
    check("apps/v1", "Deployment", &cases);
}

#[test]
fn a_deployment_without_replicas_or_deadline_or_progress_on_purpose_is_ready() {
    let paused = progressing("Unknown", "DeploymentPaused", "Deployment is paused");
    let cases = [
        (
            json!({"spec": {"replicas": 0, "progressDeadlineSeconds": 600}, "status": {
                "observedGeneration": 2, "conditions": [available(), done()],
            }}),
            "ready",
        ),
        (
            json!({"spec": {"replicas": 0, "progressDeadlineSeconds": 600}, "status": {
                "observedGeneration": 2, "replicas": 1, "updatedReplicas": 1,
                "conditions": [available(), done()],
            }}),
            "waiting: 1 pod more than wanted is not gone yet",
        ),
        (
            json!({"spec": {"progressDeadlineSeconds": 2_147_483_647}, "status": {
                "observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1,
                "availableReplicas": 1, "conditions": [available()],
            }}),
            "ready",
        ),
        (
            json!({"spec": {"replicas": 1, "paused": true, "progressDeadlineSeconds": 600},
                "status": {
                    "observedGeneration": 2, "replicas": 1, "updatedReplicas": 1,
                    "readyReplicas": 1, "availableReplicas": 1, "conditions": [available(), paused],
                },
            }),
            "ready",
        ),
        (
            json!({"spec": {"replicas": 1, "paused": true, "progressDeadlineSeconds": 600},
                "status": {
                    "observedGeneration": 2, "replicas": 1, "readyReplicas": 1,
                    "availableReplicas": 1, "conditions": [available(), paused],
                },
            }),
            "waiting: is paused with 0 of 1 pods updated",
        ),
        (
            json!({"spec": {"replicas": 2, "minReadySeconds": 30}, "status": {
                "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2,
                "availableReplicas": 1, "conditions": [available(), going()],
            }}),
            "waiting: 1 of 2 replicas is available, 2 ready but not all for 30s",
        ),
        // The revision by its number, where no replica set is named.
        (
            json!({
                "metadata": {"generation": 2,
                    "annotations": {"deployment.kubernetes.io/revision": "7"}},
                "spec": {"replicas": 2},
                "status": {"observedGeneration": 2, "replicas": 2, "readyReplicas": 2},
            }),
            "waiting: rollout of revision 7 has 0 of 2 pods updated",
        ),
    ];
    check("apps/v1", "Deployment", &cases);
}

#[test]
fn a_stateful_set_is_ready_when_its_revision_is_everywhere() {
    let spec = json!({"replicas": 3, "updateStrategy":
        {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}});
    let with = |status: Value| json!({"spec": spec, "status": status});
    let cases = [
        (
            with(json!({"replicas": 0})),
            "waiting: its controller has not seen it yet",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 1, "currentReplicas": 1, "updatedReplicas": 1,
                "availableReplicas": 0, "currentRevision": "web-6f7", "updateRevision": "web-6f7",
            })),
            "waiting: 1 of 3 replicas is created, 0 ready",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 3, "currentReplicas": 3, "updatedReplicas": 3,
                "readyReplicas": 2, "availableReplicas": 2,
                "currentRevision": "web-6f7", "updateRevision": "web-6f7",
            })),
            "waiting: 2 of 3 replicas are available",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 3, "currentReplicas": 3, "updatedReplicas": 3,
                "readyReplicas": 3, "availableReplicas": 3,
                "currentRevision": "web-6f7", "updateRevision": "web-6f7",
            })),
            "ready",
        ),
        // A rollout, before its first pod, between, and at its end.
        (
            with(json!({
                "observedGeneration": 2, "replicas": 3, "currentReplicas": 3,
                "readyReplicas": 3, "availableReplicas": 3,
                "currentRevision": "web-6f7", "updateRevision": "web-9c1",
            })),
            "waiting: rollout of revision web-9c1 has 0 of 3 pods updated",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 2, "currentReplicas": 1, "updatedReplicas": 1,
                "readyReplicas": 2, "availableReplicas": 2,
                "currentRevision": "web-6f7", "updateRevision": "web-9c1",
            })),
            "waiting: rollout of revision web-9c1 has 1 of 3 pods updated",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 3, "updatedReplicas": 3,
                "readyReplicas": 2, "availableReplicas": 2,
                "currentRevision": "web-6f7", "updateRevision": "web-9c1",
            })),
            "waiting: 2 of 3 replicas are available",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 3, "updatedReplicas": 3,
                "readyReplicas": 3, "availableReplicas": 3,
                "currentRevision": "web-6f7", "updateRevision": "web-9c1",
            })),
            "waiting: rollout of revision web-9c1 is being completed",
        ),
        // A server that doesn't count available pods.
        (
            with(json!({
                "observedGeneration": 2, "replicas": 3, "currentReplicas": 3, "updatedReplicas": 3,
                "readyReplicas": 3, "currentRevision": "web-6f7", "updateRevision": "web-6f7",
            })),
            "ready",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 4, "currentReplicas": 4, "updatedReplicas": 4,
                "readyReplicas": 4, "availableReplicas": 4,
                "currentRevision": "web-6f7", "updateRevision": "web-6f7",
            })),
            "waiting: 1 pod more than wanted is not gone yet",
        ),
        (
            json!({"spec": {"replicas": 0}, "status": {
                "observedGeneration": 2, "replicas": 0, "availableReplicas": 0,
                "currentRevision": "web-6f7", "updateRevision": "web-6f7",
            }}),
            "ready",
        ),
    ];
    check("apps/v1", "StatefulSet", &cases);
}

#[test]
fn a_stateful_set_updates_only_what_its_strategy_says() {
    let partition = json!({"replicas": 3, "updateStrategy":
        {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}});
    let manual = json!({"replicas": 3, "updateStrategy": {"type": "OnDelete"}});
    let status = |updated: u64, ready: u64| {
        json!({
            "observedGeneration": 2, "replicas": 3, "updatedReplicas": updated,
            "currentReplicas": 3 - updated, "readyReplicas": ready, "availableReplicas": ready,
            "currentRevision": "web-6f7", "updateRevision": "web-9c1",
        })
    };
    let cases = [
        (
            json!({"spec": partition, "status": status(0, 3)}),
            "waiting: rollout of revision web-9c1 has 0 of 1 pods updated",
        ),
        (
            json!({"spec": partition, "status": status(1, 2)}),
            "waiting: 2 of 3 replicas are available",
        ),
        (
            json!({"spec": partition, "status": status(1, 3)}),
            "ready: rollout of revision web-9c1 has 1 of 3 pods updated, \
             partition 2 holds the others back",
        ),
        // A partition beyond the replicas updates none.
        (
            json!({"spec": {"replicas": 1, "updateStrategy": {"rollingUpdate": {"partition": 9}}},
                "status": {
                    "observedGeneration": 2, "replicas": 1, "currentReplicas": 1,
                    "readyReplicas": 1, "availableReplicas": 1,
                    "currentRevision": "web-6f7", "updateRevision": "web-9c1",
                },
            }),
            "ready: rollout of revision web-9c1 has 0 of 1 pods updated, \
             partition 9 holds the others back",
        ),
        (
            json!({"spec": manual, "status": status(1, 2)}),
            "waiting: 2 of 3 replicas are available",
        ),
        (
            json!({"spec": manual, "status": status(1, 3)}),
            "ready: rollout of revision web-9c1 has 1 of 3 pods updated, \
             the others follow when they are deleted",
        ),
        (json!({"spec": manual, "status": status(3, 3)}), "ready"),
    ];
    check("apps/v1", "StatefulSet", &cases);
}

#[test]
fn a_daemon_set_is_ready_when_each_of_its_nodes_has_a_new_pod() {
    let status = |scheduled: u64, updated: u64, ready: u64, available: u64| {
        json!({
            "observedGeneration": 2, "desiredNumberScheduled": 3, "numberMisscheduled": 0,
            "currentNumberScheduled": scheduled, "updatedNumberScheduled": updated,
            "numberReady": ready, "numberAvailable": available,
        })
    };
    let manual = json!({"updateStrategy": {"type": "OnDelete"}});
    let none = json!({
        "observedGeneration": 2, "desiredNumberScheduled": 0, "currentNumberScheduled": 0,
        "numberMisscheduled": 0, "numberReady": 0,
    });
    let cases = [
        (
            json!({"status": {}}),
            "waiting: its controller has not seen it yet",
        ),
        (
            json!({"status": {"observedGeneration": 2}}),
            "waiting: its controller has not counted its nodes yet",
        ),
        (
            json!({"status": status(2, 2, 0, 0)}),
            "waiting: 2 of 3 nodes have a pod",
        ),
        (
            json!({"status": status(3, 1, 2, 2)}),
            "waiting: rollout has 1 of 3 pods updated",
        ),
        (
            json!({"status": status(3, 3, 1, 1)}),
            "waiting: 1 of 3 pods is ready",
        ),
        (
            json!({"status": status(3, 3, 3, 2)}),
            "waiting: 2 of 3 pods are available",
        ),
        (json!({"status": status(3, 3, 3, 3)}), "ready"),
        (
            json!({"spec": manual, "status": status(3, 1, 2, 2)}),
            "waiting: 2 of 3 pods are ready",
        ),
        (
            json!({"spec": manual, "status": status(3, 1, 3, 3)}),
            "ready: rollout has 1 of 3 pods updated, the others follow when they are deleted",
        ),
        // No node is for it.
        (json!({"status": none}), "ready"),
    ];
    check("apps/v1", "DaemonSet", &cases);
}

#[test]
fn a_replica_set_is_ready_when_its_pods_are() {
    let with = |status: Value| json!({"spec": {"replicas": 2}, "status": status});
    let quota = format!("waiting: 1 of 2 replicas is created; {OVER_QUOTA}");
    let cases = [
        (
            with(json!({"replicas": 0})),
            "waiting: its controller has not seen it yet",
        ),
        (
            with(json!({"observedGeneration": 2, "replicas": 0})),
            "waiting: 0 of 2 replicas are created",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 1, "fullyLabeledReplicas": 1,
                "conditions": [over_quota()],
            })),
            &quota,
        ),
        (
            with(json!({"observedGeneration": 2, "replicas": 2, "fullyLabeledReplicas": 1})),
            "waiting: 1 of 2 replicas is labelled as in its template",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 2, "fullyLabeledReplicas": 2,
                "readyReplicas": 2,
            })),
            "waiting: 0 of 2 replicas are available",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 3, "fullyLabeledReplicas": 3,
                "readyReplicas": 3, "availableReplicas": 3,
            })),
            "waiting: 1 pod more than wanted is not gone yet",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 2, "fullyLabeledReplicas": 2,
                "readyReplicas": 2, "availableReplicas": 2,
                "conditions": [condition("ReplicaFailure", "True", "FailedDelete", "no")],
            })),
            "waiting: FailedDelete: no",
        ),
        (
            with(json!({
                "observedGeneration": 2, "replicas": 2, "fullyLabeledReplicas": 2,
                "readyReplicas": 2, "availableReplicas": 2,
            })),
            "ready",
        ),
        (
            json!({"spec": {"replicas": 0}, "status": {"observedGeneration": 2, "replicas": 0}}),
            "ready",
        ),
    ];
    check("apps/v1", "ReplicaSet", &cases);
    check("v1", "ReplicationController", &cases);
}

#[test]
fn a_job_is_ready_when_it_is_complete() {
    let spec = json!({"completions": 3, "parallelism": 2, "suspend": false});
    let with = |status: Value| json!({"spec": spec, "status": status});
    let late = "Job has reached the specified backoff limit";
    let cases = [
        (with(json!({})), "waiting: has not been started yet"),
        (
            with(json!({"startTime": "2026-03-01T10:00:00Z", "active": 2, "ready": 0})),
            "waiting: 0 of 3 pods have succeeded, 2 running",
        ),
        (
            with(json!({"startTime": "t", "active": 1, "succeeded": 1, "failed": 2})),
            "waiting: 1 of 3 pods has succeeded, 1 running, 2 failed",
        ),
        (
            with(json!({"startTime": "t", "succeeded": 3, "conditions": [
                condition("SuccessCriteriaMet", "True", "CompletionsReached", "")]})),
            "waiting: has succeeded, but its last pods have not ended yet",
        ),
        (
            with(json!({"startTime": "t", "succeeded": 3, "conditions": [
                condition("SuccessCriteriaMet", "True", "CompletionsReached", ""),
                condition("Complete", "True", "CompletionsReached", "")]})),
            "ready",
        ),
        // It has failed before its last pods have ended.
        (
            with(
                json!({"startTime": "t", "active": 1, "failed": 7, "conditions": [
                condition("FailureTarget", "True", "BackoffLimitExceeded", late)]}),
            ),
            "failed: BackoffLimitExceeded: Job has reached the specified backoff limit",
        ),
        (
            with(json!({"startTime": "t", "failed": 7, "conditions": [
                condition("Failed", "True", "BackoffLimitExceeded", late)]})),
            "failed: BackoffLimitExceeded: Job has reached the specified backoff limit",
        ),
        (
            json!({"spec": {"suspend": true}, "status": {"conditions": [
                condition("Suspended", "True", "JobSuspended", "Job suspended")]}}),
            "ready: is suspended",
        ),
        // Resumed, which its controller has not seen.
        (
            json!({"spec": {"suspend": false}, "status": {"conditions": [
                condition("Suspended", "True", "JobSuspended", "Job suspended")]}}),
            "waiting: has not been started yet",
        ),
        (
            json!({"spec": {"parallelism": 2}, "status": {"startTime": "t", "active": 2}}),
            "waiting: no pod has succeeded yet, 2 running",
        ),
        (
            json!({"spec": {"parallelism": 2},
                "status": {"startTime": "t", "active": 1, "succeeded": 1}}),
            "waiting: waits for its last pods to end, 1 running",
        ),
    ];
    check("batch/v1", "Job", &cases);
    let cases = [
        (json!({"spec": {"schedule": "@daily"}}), "ready"),
        (json!({"spec": {"suspend": true}}), "ready: is suspended"),
    ];
    check("batch/v1", "CronJob", &cases);
}

#[test]
fn a_workload_names_the_first_of_its_pods_with_a_problem() {
    let deployment = live(
        "apps/v1",
        "Deployment",
        &json!({"spec": {"replicas": 3}, "status": {
            "observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 1,
            "availableReplicas": 1, "conditions": [unavailable()],
        }}),
    );
    let crashing = pod("Running", &json!([crash_loop(5, "OOMKilled", 137)]));
    let creating = pod("Pending", &json!([waiting("ContainerCreating", "")]));
    let mut evicted = pod("Failed", &json!([]));
    evicted["status"]["reason"] = json!("Evicted");
    let fine = pod("Succeeded", &json!([]));
    let crashed = "container app: CrashLoopBackOff after OOMKilled (exit code 137, 5 restarts)";
    let few = "waiting: 1 of 3 replicas is available";
    let cases: &[(&[&Value], String)] = &[
        (&[], few.to_owned()),
        (&[&fine, &creating, &evicted], few.to_owned()),
        (
            &[&creating, &evicted, &crashing],
            format!("{few}; pod web-5d4-abcde: {crashed}"),
        ),
        (
            &[&crashing, &crashing],
            format!("{few}; pod web-5d4-abcde: {crashed}, and 1 other pod"),
        ),
        (
            &[&crashing, &crashing, &crashing],
            format!("{few}; pod web-5d4-abcde: {crashed}, and 2 other pods"),
        ),
    ];
    for (pods, expected) in cases {
        let related = Related {
            pods,
            ..Related::default()
        };
        assert_eq!(said_with(&deployment, &related), *expected);
    }
    // What its pods ended of matters to a job.
    let job = live(
        "batch/v1",
        "Job",
        &json!({"status": {"conditions": [
        condition("Failed", "True", "BackoffLimitExceeded", "")]}}),
    );
    let pods = [&evicted];
    let related = Related {
        pods: &pods,
        ..Related::default()
    };
    let expected = "failed: BackoffLimitExceeded; pod web-5d4-abcde: Evicted";
    assert_eq!(said_with(&job, &related), expected);
}
