//! A node: what one form makes of one row, and how that is.
//!
//! Types and reasons of the conditions are the operator's. Two things differ: objects that are merely not
//! ready yet are progress and no degradation, and what conflicts is not counted as failed a second time.

/// How many objects of a node are how.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Those that there shall be.
    pub desired: usize,
    /// Those that are as they shall be.
    pub ready: usize,
    /// Those that will not become so unless somebody changes something.
    pub failed: usize,
    /// Those that others hold.
    pub conflicted: usize,
    /// Those that were left out because of others.
    pub skipped: usize,
}

/// One statement about a node.
#[derive(
    Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// `Ready`, `Progressing`, `Conflicted` or `Degraded`.
    #[serde(rename = "type")]
    pub condition_type: String,
    /// Whether it holds.
    pub status: Status,
    /// Why, in one word.
    pub reason: String,
}

/// Whether a condition holds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
pub enum Status {
    /// It does.
    True,
    /// It does not.
    False,
}

/// Why a node may be degraded: the reasons of that condition while it holds.
pub const DEGRADED: [&str; 3] = [
    "ResourceFailures",
    "ResourceConflicts",
    "ResourceFailuresAndConflicts",
];

impl Tally {
    /// Whether everything is as it shall be.
    pub const fn is_ready(&self) -> bool {
        self.failed == 0 && self.conflicted == 0 && self.ready == self.desired
    }

    /// Returns what these counts say.
    pub fn conditions(&self) -> Vec<Condition> {
        let (failed, conflicted) = (self.failed > 0, self.conflicted > 0);
        let ready = match (failed, conflicted) {
            (true, true) => "ResourcesFailedAndConflicted",
            (false, true) => "ResourcesConflicted",
            (true, false) => "ResourcesFailed",
            (false, false) if self.is_ready() => "Reconciled",
            (false, false) => "NotAllResourcesReady",
        };
        let degraded = match (failed, conflicted) {
            (true, true) => DEGRADED[2],
            (false, true) => DEGRADED[1],
            (true, false) => DEGRADED[0],
            (false, false) => "Healthy",
        };
        let settled = self.ready + self.failed + self.conflicted + self.skipped;
        let moves = settled < self.desired;
        let word = |holds: bool, yes: &'static str, no: &'static str| if holds { yes } else { no };
        let conditions = [
            ("Ready", self.is_ready(), ready),
            (
                "Progressing",
                moves,
                word(moves, "Reconciling", "ReconcileComplete"),
            ),
            (
                "Conflicted",
                conflicted,
                word(conflicted, "ResourceConflict", "NoConflict"),
            ),
            ("Degraded", failed || conflicted, degraded),
        ];
        let conditions = conditions.into_iter();
        conditions
            .map(|(condition_type, holds, reason)| Condition {
                condition_type: condition_type.to_owned(),
                status: if holds { Status::True } else { Status::False },
                reason: reason.to_owned(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Status, Tally};

    #[test]
    fn counts_say_how_a_node_is() {
        let tally = |desired, ready, failed, conflicted, skipped| Tally {
            desired,
            ready,
            failed,
            conflicted,
            skipped,
        };
        // A plus before what holds.
        let cases = [
            (
                tally(2, 2, 0, 0, 0),
                "+Reconciled -ReconcileComplete -NoConflict -Healthy",
            ),
            (
                tally(0, 0, 0, 0, 0),
                "+Reconciled -ReconcileComplete -NoConflict -Healthy",
            ),
            (
                tally(2, 1, 0, 0, 0),
                "-NotAllResourcesReady +Reconciling -NoConflict -Healthy",
            ),
            (
                tally(3, 1, 1, 0, 1),
                "-ResourcesFailed -ReconcileComplete -NoConflict +ResourceFailures",
            ),
            (
                tally(2, 1, 0, 1, 0),
                "-ResourcesConflicted -ReconcileComplete +ResourceConflict +ResourceConflicts",
            ),
            (
                tally(4, 1, 1, 1, 0),
                "-ResourcesFailedAndConflicted +Reconciling +ResourceConflict +ResourceFailuresAndConflicts",
            ),
        ];
        for (tally, expected) in cases {
            let conditions = tally.conditions().into_iter();
            let shown = conditions.map(|condition| {
                let sign = match condition.status {
                    Status::True => '+',
                    Status::False => '-',
                };
                format!("{sign}{}", condition.reason)
            });
            assert_eq!(shown.collect::<Vec<_>>().join(" "), expected, "{tally:?}");
        }
    }
}
