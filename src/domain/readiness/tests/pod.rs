//! Pods, and what is wrong with them.

use super::*;

/// Makes a pod with the statuses of its containers, which is ready only if running without one.
pub(super) fn pod(phase: &str, statuses: &Value) -> Value {
    let ready = phase == "Running" && statuses.as_array().is_some_and(Vec::is_empty);
    let status = if ready { "True" } else { "False" };
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-5d4-abcde", "namespace": "shop", "uid": "u-pod"},
        "spec": {"containers": [{"name": "app"}], "initContainers": [
            {"name": "migrate"}, {"name": "proxy", "restartPolicy": "Always"},
        ]},
        "status": {
            "phase": phase,
            "conditions": [
                condition("PodScheduled", "True", "", ""),
                condition("Ready", status, "ContainersNotReady",
                    "containers with unready status: [app]"),
            ],
            "containerStatuses": statuses,
        },
    })
}

pub(super) fn waiting(reason: &str, message: &str) -> Value {
    json!({
        "name": "app", "ready": false, "started": false, "restartCount": 0,
        "state": {"waiting": {"reason": reason, "message": message}}, "lastState": {},
    })
}

pub(super) fn crash_loop(restarts: u64, ended: &str, code: i64) -> Value {
    json!({
        "name": "app", "ready": false, "started": false, "restartCount": restarts,
        "state": {"waiting": {
            "reason": "CrashLoopBackOff",
            "message": "back-off 2m40s restarting failed container=app pod=web-5d4-abcde_shop(u)",
        }},
        "lastState": {"terminated": {"exitCode": code, "reason": ended}},
    })
}

pub(super) fn unschedulable(reason: &str, message: &str) -> Value {
    let mut pod = pod("Pending", &json!([]));
    let conditions = json!([condition("PodScheduled", "False", reason, message)]);
    pod["status"]["conditions"] = conditions;
    pod
}

#[test]
fn a_pod_is_ready_when_it_says_so_or_has_succeeded() {
    let mut unseen = pod("Pending", &json!([]));
    unseen["status"] = json!({"qosClass": "BestEffort"});
    let mut gated = pod("Running", &json!([]));
    gated["status"]["conditions"] = json!([condition(
        "Ready",
        "False",
        "ReadinessGatesNotReady",
        "corresponding condition of pod readiness gate \"lb\" does not exist.",
    )]);
    let full = "0/3 nodes are available: 3 Insufficient cpu.";
    let cases = [
        (pod("Running", &json!([])), "ready"),
        (pod("Succeeded", &json!([])), "ready: has completed"),
        (
            unseen,
            "waiting: has not been seen by its node or a scheduler yet",
        ),
        (
            unschedulable("Unschedulable", full),
            "waiting: Unschedulable: 0/3 nodes are available: 3 Insufficient cpu",
        ),
        (
            pod("Pending", &json!([waiting("ContainerCreating", "")])),
            "waiting: container app: ContainerCreating",
        ),
        (
            pod(
                "Pending",
                &json!([waiting(
                    "ImagePullBackOff",
                    "Back-off pulling image \"x:1\""
                )]),
            ),
            "waiting: container app: ImagePullBackOff: Back-off pulling image \"x:1\"",
        ),
        (
            pod(
                "Pending",
                &json!([waiting(
                    "InvalidImageName",
                    "couldn't parse image name \"X\""
                )]),
            ),
            "failed: container app: InvalidImageName: couldn't parse image name \"X\"",
        ),
        (
            pod("Running", &json!([crash_loop(5, "Error", 1)])),
            "failed: container app: CrashLoopBackOff after Error (exit code 1, 5 restarts)",
        ),
        (
            gated,
            "waiting: ReadinessGatesNotReady: \
             corresponding condition of pod readiness gate \"lb\" does not exist",
        ),
        (pod("Failed", &json!([])), "failed: Failed"),
        (
            pod("Unknown", &json!([])),
            "waiting: Unknown: its node does not answer",
        ),
        (
            pod("Odd", &json!([])),
            "waiting: ContainersNotReady: containers with unready status: [app]",
        ),
    ];
    for (object, expected) in cases {
        assert_eq!(said(&object), expected, "{object:#}");
    }
}

/// What is said of the problem of a pod; of one that passes, that it does.
fn told(pod: &Value) -> String {
    match pod_problem(pod) {
        Some(problem) if problem.is_transient => format!("for now {problem}"),
        Some(problem) => problem.to_string(),
        None => "fine".to_owned(),
    }
}

fn check_problems(cases: &[(Value, &str)]) {
    for (pod, expected) in cases {
        assert_eq!(told(pod), *expected, "{pod:#}");
    }
}

fn running(ready: bool, started: bool, last: &Value) -> Value {
    let state = json!({"running": {"startedAt": "2026-03-01T10:00:00Z"}});
    json!({
        "name": "app", "ready": ready, "started": started, "restartCount": 3, "state": state,
        "lastState": last,
    })
}

fn ended(reason: &str, code: i64) -> Value {
    let message = "out of luck.\n";
    json!({"terminated": {"exitCode": code, "reason": reason, "message": message}})
}

fn terminated(reason: &str, code: i64) -> Value {
    let state = ended(reason, code);
    json!({"name": "app", "ready": false, "restartCount": 0, "state": state})
}

#[test]
fn the_problem_of_a_pod_is_that_of_its_worst_container() {
    let of = |phase: &str, status: Value| pod(phase, &json!([status]));
    let creating_and_more = |status: Value| {
        let creating = waiting("ContainerCreating", "");
        pod("Pending", &json!([creating, status]))
    };
    check_problems(&[
        (
            of("Running", crash_loop(5, "OOMKilled", 137)),
            "container app: CrashLoopBackOff after OOMKilled (exit code 137, 5 restarts)",
        ),
        // Between two crashes it runs.
        (
            of("Running", running(false, true, &ended("OOMKilled", 137))),
            "container app: OOMKilled (exit code 137, 3 restarts): out of luck",
        ),
        // It had ended well.
        (
            of("Running", running(false, true, &ended("Completed", 0))),
            "for now container app: NotReady (3 restarts): runs but is not ready",
        ),
        (
            of("Running", running(false, false, &json!({}))),
            "for now container app: NotReady (3 restarts): runs but has not started up",
        ),
        (
            of("Failed", terminated("Error", 2)),
            "container app: Error (exit code 2): out of luck",
        ),
        (
            of(
                "Pending",
                waiting("CreateContainerConfigError", "no such secret"),
            ),
            "container app: CreateContainerConfigError: no such secret",
        ),
        // The problem that stays wins over the one that passes.
        (
            creating_and_more(waiting("ErrImagePull", "no such image")),
            "container app: ErrImagePull: no such image",
        ),
        (
            creating_and_more(waiting("", "")),
            "for now container app: ContainerCreating",
        ),
        // What a container left behind is worth more than that it is restarted.
        (
            of("Running", {
                let mut crashing = crash_loop(1, "", 1);
                crashing["lastState"]["terminated"]["message"] = json!("no database\n");
                crashing
            }),
            "container app: CrashLoopBackOff (exit code 1, 1 restart): no database",
        ),
    ]);
    let problem = pod_problem(&of("Running", crash_loop(5, "OOMKilled", 137)));
    let expected = PodProblem {
        pod: "web-5d4-abcde".to_owned(),
        container: Some("app".to_owned()),
        reason: "CrashLoopBackOff".to_owned(),
        ended: Some("OOMKilled".to_owned()),
        message: None,
        exit_code: Some(137),
        restarts: 5,
        is_transient: false,
    };
    assert_eq!(problem, Some(expected));
}

#[test]
fn init_containers_hold_the_others_up_and_sidecars_do_not() {
    let init = |name: &str, mut status: Value| {
        let mut pod = pod("Pending", &json!([waiting("PodInitializing", "")]));
        status["name"] = json!(name);
        pod["status"]["initContainerStatuses"] = json!([status]);
        pod
    };
    check_problems(&[
        (
            init("migrate", crash_loop(2, "Error", 1)),
            "container migrate: CrashLoopBackOff after Error (exit code 1, 2 restarts)",
        ),
        (
            init("migrate", running(false, true, &json!({}))),
            "for now container migrate: Initializing (3 restarts): runs, and the others wait for it",
        ),
        (
            init("migrate", terminated("Completed", 0)),
            "for now container app: PodInitializing",
        ),
        (
            init("proxy", running(true, true, &json!({}))),
            "for now container app: PodInitializing",
        ),
        (
            init("proxy", running(false, true, &json!({}))),
            "for now container proxy: NotReady (3 restarts): runs but is not ready",
        ),
    ]);
}

#[test]
fn some_problems_are_those_of_a_whole_pod() {
    let mut deleted = pod("Running", &json!([crash_loop(5, "Error", 1)]));
    deleted["metadata"]["deletionTimestamp"] = json!("2026-03-01T10:00:00Z");
    let mut evicted = pod("Failed", &json!([terminated("Error", 137)]));
    evicted["status"]["reason"] = json!("Evicted");
    evicted["status"]["message"] = json!("The node was low on resource: memory. ");
    let mut once_killed = pod("Running", &json!([]));
    let killed = running(true, true, &ended("OOMKilled", 137));
    once_killed["status"]["containerStatuses"] = json!([killed]);
    check_problems(&[
        (pod("Running", &json!([])), "fine"),
        (
            pod("Succeeded", &json!([terminated("Completed", 0)])),
            "fine",
        ),
        // It is over it.
        (once_killed, "fine"),
        (evicted, "Evicted: The node was low on resource: memory"),
        (deleted, "for now Terminating"),
        (
            unschedulable("Unschedulable", "0/3 nodes are available."),
            "Unschedulable: 0/3 nodes are available",
        ),
        (
            unschedulable("SchedulingGated", "Scheduling is blocked"),
            "SchedulingGated: Scheduling is blocked",
        ),
        (unschedulable("", ""), "Unschedulable"),
        (
            pod("Pending", &json!([])),
            "for now ContainersNotReady: containers with unready status: [app]",
        ),
        (json!({}), "for now Pending"),
    ]);
}
