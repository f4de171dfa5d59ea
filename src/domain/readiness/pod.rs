//! Pods: whether one is ready, and what is wrong with one that isn't.

use std::fmt;

use serde_json::Value;

use crate::resource::dig;

use super::Readiness;
use super::read::{Live, Result, is_true, line};

/// What keeps a pod from being ready.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct PodProblem {
    /// The name of the pod.
    pub pod: String,
    /// The container, init containers included; none where it is about the whole pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// One word, as the cluster uses it: `CrashLoopBackOff`, `ImagePullBackOff`, `OOMKilled`,
    /// `Unschedulable`, `NotReady`.
    pub reason: String,
    /// Why the container last ended, such as `OOMKilled`, where that isn't the reason itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// More words, where they say more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The exit code with which the container last ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// How often the container was restarted.
    pub restarts: u64,
    /// Whether it is a usual step of a pod's life, such as `ContainerCreating`, which is a problem
    /// only when it lasts.
    pub is_transient: bool,
}

/// Without the name of the pod.
impl fmt::Display for PodProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(container) = &self.container {
            write!(f, "container {container}: ")?;
        }
        f.write_str(&self.reason)?;
        if let Some(ended) = &self.ended {
            write!(f, " after {ended}")?;
        }
        match (self.exit_code, self.restarts) {
            (None, 0) => {}
            (Some(code), 0) => write!(f, " (exit code {code})")?,
            (code, restarts) => {
                f.write_str(" (")?;
                if let Some(code) = code {
                    write!(f, "exit code {code}, ")?;
                }
                let plural = if restarts == 1 { "" } else { "s" };
                write!(f, "{restarts} restart{plural})")?;
            }
        }
        match &self.message {
            Some(message) => write!(f, ": {message}"),
            None => Ok(()),
        }
    }
}

/// A pod is ready when its condition says so, or when it has succeeded.
///
/// One that crashes again and again has failed, as in kstatus. One that finds no node has not: a
/// node may be added, and only a clock could tell for how long to hope.
pub(super) fn pod(live: &Live<'_>) -> Result<Readiness> {
    // What the answer is read from must be sound, even where the phase alone decides.
    live.list(&["status", "containerStatuses"])?;
    live.list(&["status", "initContainerStatuses"])?;
    let phase = live.text(&["status", "phase"])?;
    let ready = live.condition("Ready")?;
    let problem = || live.get(&[]).map(|pod| pod.and_then(pod_problem));
    Ok(match phase {
        Some("Succeeded") => Readiness::ready_but("has completed"),
        Some("Running") if is_true(ready) => Readiness::READY,
        None => Readiness::waiting("has not been seen by its node or a scheduler yet"),
        Some("Failed") => match problem()? {
            Some(problem) => Readiness::failed(&problem.to_string()),
            None => Readiness::failed("has failed"),
        },
        Some(phase) => match problem()? {
            Some(problem) if problem.is_final() => Readiness::failed(&problem.to_string()),
            Some(problem) => Readiness::waiting(&problem.to_string()),
            None => match ready {
                Some(ready) if !ready.is_true() => Readiness::waiting(&ready.told()),
                _ => Readiness::waiting(&format!("its phase is {phase}")),
            },
        },
    })
}

impl PodProblem {
    fn new(pod: &Value, reason: &str) -> Self {
        let name = dig(pod, &["metadata", "name"]).and_then(Value::as_str);
        Self {
            pod: line(name.unwrap_or_default()),
            container: None,
            reason: line(reason),
            ended: None,
            message: None,
            exit_code: None,
            restarts: 0,
            is_transient: false,
        }
    }

    fn transient(mut self) -> Self {
        self.is_transient = true;
        self
    }

    fn saying(mut self, message: Option<&str>) -> Self {
        let message = message.map(|message| line(message.trim().trim_end_matches('.')));
        self.message = message.filter(|message| !message.is_empty());
        self
    }

    /// Tells whether the pod will not get over it unless somebody changes something.
    fn is_final(&self) -> bool {
        matches!(
            self.reason.as_str(),
            "CrashLoopBackOff" | "InvalidImageName"
        )
    }
}

/// Returns what keeps a pod from being ready; nothing for one that is ready or has succeeded.
///
/// What is about the whole pod comes first, then the first container with a problem that stays,
/// init containers before the others, then whatever step of its life the pod is at.
pub fn pod_problem(pod: &Value) -> Option<PodProblem> {
    let status = |field: &str| dig(pod, &["status", field]);
    let text = |field: &str| status(field).and_then(Value::as_str);
    let phase = text("phase").unwrap_or_default();
    if phase == "Succeeded" {
        return None;
    }
    let is_deleted = dig(pod, &["metadata", "deletionTimestamp"]).is_some_and(|t| !t.is_null());
    if is_deleted {
        return Some(PodProblem::new(pod, "Terminating").transient());
    }
    if phase == "Running" && condition(pod, "Ready").is_some_and(|ready| says(ready, "True")) {
        return None;
    }
    if let Some(problem) = unscheduled(pod) {
        return Some(problem);
    }
    if let Some(reason) = text("reason").filter(|_| phase == "Failed") {
        return Some(PodProblem::new(pod, reason).saying(text("message")));
    }
    let mut passing = None;
    for (field, containers) in [
        ("initContainerStatuses", "initContainers"),
        ("containerStatuses", "containers"),
    ] {
        let statuses = status(field).and_then(Value::as_array);
        for container in statuses.into_iter().flatten() {
            let is_init = containers == "initContainers" && !is_sidecar(pod, container);
            let problem = container_problem(pod, container, is_init);
            match problem {
                Some(problem) if !problem.is_transient => return Some(problem),
                problem => passing = passing.or(problem),
            }
        }
    }
    Some(passing.unwrap_or_else(|| whole(pod, phase)))
}

/// Returns what is known only of a pod as a whole.
fn whole(pod: &Value, phase: &str) -> PodProblem {
    let told = condition(pod, "Ready").filter(|ready| !says(ready, "True"));
    let reason = told.and_then(|ready| ready.get("reason")?.as_str());
    let message = told.and_then(|ready| ready.get("message")?.as_str());
    let reason = reason.filter(|reason| !reason.is_empty());
    match (phase, reason) {
        // No container to blame.
        ("Failed", _) => {
            let message = dig(pod, &["status", "message"]).and_then(Value::as_str);
            PodProblem::new(pod, "Failed").saying(message)
        }
        ("Unknown", _) => PodProblem::new(pod, "Unknown")
            .saying(Some("its node does not answer"))
            .transient(),
        (_, Some(reason)) => PodProblem::new(pod, reason).saying(message).transient(),
        ("Running", None) => PodProblem::new(pod, "NotReady").saying(message).transient(),
        ("", None) => PodProblem::new(pod, "Pending").transient(),
        (phase, None) => PodProblem::new(pod, phase).saying(message).transient(),
    }
}

/// Returns why a pod has no node.
fn unscheduled(pod: &Value) -> Option<PodProblem> {
    let scheduled = condition(pod, "PodScheduled").filter(|c| says(c, "False"))?;
    let text = |field: &str| scheduled.get(field).and_then(Value::as_str);
    let reason = text("reason").filter(|reason| !reason.is_empty());
    let problem = PodProblem::new(pod, reason.unwrap_or("Unschedulable"));
    Some(problem.saying(text("message")))
}

/// Returns what is wrong with a container by its status.
fn container_problem(pod: &Value, status: &Value, is_init: bool) -> Option<PodProblem> {
    let text = |path: &[&str]| dig(status, path).and_then(Value::as_str);
    let text = |path: &[&str]| text(path).filter(|text| !text.is_empty());
    let restarts = status.get("restartCount").and_then(Value::as_u64);
    let problem = |reason: &str| PodProblem {
        container: text(&["name"]).map(line),
        restarts: restarts.unwrap_or(0),
        ..PodProblem::new(pod, reason)
    };
    let exit_code = |state: &str| dig(status, &[state, "terminated", "exitCode"])?.as_i64();
    // How it ended before: what it says about that is in its termination message.
    let ended = |problem: PodProblem| {
        let reason = text(&["lastState", "terminated", "reason"]);
        let message = text(&["lastState", "terminated", "message"]);
        PodProblem {
            ended: reason.map(line),
            exit_code: exit_code("lastState"),
            ..problem
        }
        .saying(message)
    };
    if dig(status, &["state", "waiting"]).is_some_and(Value::is_object) {
        let message = text(&["state", "waiting", "message"]);
        return Some(match text(&["state", "waiting", "reason"]) {
            Some("CrashLoopBackOff") => ended(problem("CrashLoopBackOff")),
            Some(usual @ ("ContainerCreating" | "PodInitializing")) => {
                problem(usual).saying(message).transient()
            }
            Some(reason) => problem(reason).saying(message),
            None => problem("Waiting").saying(message).transient(),
        });
    }
    if dig(status, &["state", "terminated"]).is_some_and(Value::is_object) {
        let code = exit_code("state");
        if code == Some(0) {
            return None;
        }
        let reason = text(&["state", "terminated", "reason"]).unwrap_or("Error");
        let problem = problem(reason).saying(text(&["state", "terminated", "message"]));
        return Some(PodProblem {
            exit_code: code,
            ..problem
        });
    }
    if !dig(status, &["state", "running"]).is_some_and(Value::is_object) {
        return None;
    }
    if is_init {
        let problem = problem("Initializing");
        return Some(
            problem
                .saying(Some("runs, and the others wait for it"))
                .transient(),
        );
    }
    if status.get("ready").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    // It runs again after a crash and isn't ready yet: most likely it will crash once more.
    if let Some(reason) = text(&["lastState", "terminated", "reason"])
        && exit_code("lastState").is_some_and(|code| code != 0)
    {
        let problem = ended(problem(reason));
        return Some(PodProblem {
            ended: None,
            ..problem
        });
    }
    let is_started = status.get("started").and_then(Value::as_bool) != Some(false);
    let message = if is_started {
        "runs but is not ready"
    } else {
        "runs but has not started up"
    };
    Some(problem("NotReady").saying(Some(message)).transient())
}

/// Tells whether an init container runs beside the others, which shows in its restart policy.
fn is_sidecar(pod: &Value, status: &Value) -> bool {
    let containers = dig(pod, &["spec", "initContainers"]).and_then(Value::as_array);
    let mut containers = containers.into_iter().flatten();
    let name = status.get("name");
    let container = containers.find(|container| container.get("name") == name);
    container.is_some_and(|container| {
        let policy = container.get("restartPolicy");
        policy.is_some_and(|policy| policy == "Always")
    })
}

fn condition<'a>(pod: &'a Value, name: &str) -> Option<&'a Value> {
    let conditions = dig(pod, &["status", "conditions"])?.as_array()?;
    let mut conditions = conditions.iter();
    conditions.find(|entry| entry.get("type").is_some_and(|found| found == name))
}

fn says(condition: &Value, word: &str) -> bool {
    condition.get("status").is_some_and(|status| status == word)
}
