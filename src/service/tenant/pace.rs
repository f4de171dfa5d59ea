//! How soon a watch looks again after somebody has changed an object: at once, and ever later while that is for
//! nothing.

use std::{collections::HashSet, time::Duration};

use tokio::time::Instant;
use weft_domain::plan::Action;

use crate::api::tenant::{ObjectChange, TenantPass};

/// How long changes are gathered before a pass, at first.
const GATHER: Duration = Duration::from_millis(50);
/// How long at most, when many passes in a row have found nothing to do.
const GATHER_MOST: Duration = Duration::from_secs(2);
/// After how long without changes gathering is short again.
const QUIET: Duration = Duration::from_secs(10);
/// How many passes in a row may repair the same objects before that is said, and they are left for longer.
const AGAIN: u32 = 5;

/// What passes have been for.
pub(super) struct Pace {
    /// How often the rows are read: nothing is left for longer.
    interval: Duration,
    /// How many passes in a row were for nothing.
    idle: u32,
    /// What was repaired last, and how many passes in a row have repaired just that.
    repaired: HashSet<(String, String)>,
    again: u32,
    /// When a change was last seen.
    changed: Instant,
}

impl Pace {
    /// Begins without a pass.
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        Self {
            interval,
            idle: 0,
            repaired: HashSet::new(),
            again: 0,
            changed: now,
        }
    }

    /// Notes a change; returns how long others are gathered before there is a pass.
    pub(super) fn gather(&mut self, now: Instant) -> Duration {
        if now - self.changed > QUIET + self.wait() {
            (self.idle, self.again) = (0, 0);
        }
        self.changed = now;
        self.wait()
    }

    fn wait(&self) -> Duration {
        let most = if self.again < AGAIN {
            GATHER_MOST
        } else {
            GATHER_MOST.max(self.interval)
        };
        GATHER.saturating_mul(1 << self.idle.min(16)).min(most)
    }

    /// Counts a pass, which is for nothing when it found nothing to do, or wrote only what the one before had
    /// written. Returns an object that has been written too often now: somebody else writes it as well, or its
    /// form says something else each time.
    pub(super) fn count(&mut self, pass: &TenantPass) -> Option<&str> {
        let is_written = |change: &&ObjectChange| change.action != Action::Failed;
        let written = || pass.changes.iter().filter(is_written);
        if written().next().is_none() {
            self.idle = self.idle.saturating_add(1);
            return None;
        }
        let is_repair = written().all(|change| change.repaired);
        let ids: HashSet<_> = written()
            .map(|change| (change.context.clone(), change.id.clone()))
            .collect();
        if is_repair && ids.is_subset(&self.repaired) {
            self.idle = self.idle.saturating_add(1);
            self.again = self.again.saturating_add(1);
        } else {
            (self.idle, self.again) = (0, 0);
        }
        self.repaired = if is_repair { ids } else { HashSet::new() };
        let told = (self.again == AGAIN).then(|| self.repaired.iter().next());
        told.flatten().map(|(_, id)| id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Pace;
    use crate::api::tenant::{ObjectChange, TenantPass};

    const INTERVAL: Duration = Duration::from_mins(5);

    /// A pass that has written some objects, or found nothing to do.
    fn pass(written: &[(&str, bool)]) -> TenantPass {
        let changes = written.iter().map(|(id, repaired)| {
            serde_json::from_value::<ObjectChange>(serde_json::json!({
                "id": id, "context": "c", "kind": "ConfigMap", "action": "configured",
                "reason": "", "repaired": repaired,
            }))
            .unwrap()
        });
        let mut pass: TenantPass = serde_json::from_value(serde_json::json!({
            "hub": "h", "namespace": "n", "number": 1, "cause": "drift",
            "begunAt": "2026-01-01T00:00:00Z", "seconds": 0.1, "outcome": "success",
            "read": "kept", "changes": [], "attempts": [], "nodes": [], "totals": [],
            "summary": {
                "created": 0, "configured": 0, "unchanged": 0, "replaced": 0, "adopted": 0,
                "pruned": 0, "released": 0, "skipped": 0, "failed": 0,
            },
            "deletionBlocked": false,
        }))
        .unwrap();
        pass.changes = changes.collect();
        pass
    }

    #[test]
    fn passes_for_nothing_come_later_and_later_and_repairs_soon_again() {
        let now = Instant::now();
        let mut pace = Pace::new(INTERVAL, now);
        let mut waits = Vec::new();
        for _ in 0..8 {
            waits.push(pace.gather(now).as_millis());
            assert_eq!(pace.count(&pass(&[])), None);
        }
        assert_eq!(waits, [50, 100, 200, 400, 800, 1600, 2000, 2000]);
        assert_eq!(pace.count(&pass(&[("a", true)])), None);
        assert_eq!(pace.gather(now).as_millis(), 50);
        // Or after a while of quiet.
        for _ in 0..8 {
            pace.count(&pass(&[]));
        }
        let later = now + Duration::from_secs(13);
        assert_eq!(pace.gather(later).as_millis(), 50);
    }

    #[test]
    fn what_is_written_again_and_again_is_told_once_and_left_up_to_the_interval() {
        let mut now = Instant::now();
        let mut pace = Pace::new(INTERVAL, now);
        let mut told = Vec::new();
        let mut longest = Duration::ZERO;
        for number in 0..20 {
            // Our own write is the change that is seen, and the pass comes when its time has come.
            let wait = pace.gather(now);
            longest = longest.max(wait);
            now += wait;
            if pace.count(&pass(&[("a", true)])).is_some() {
                told.push(number);
            }
        }
        assert_eq!(told, [5]);
        assert_eq!(longest, INTERVAL);
        // Another object is repaired at once.
        pace.count(&pass(&[("b", true)]));
        assert_eq!(pace.gather(now).as_millis(), 50);
        // And the first one, once it has been left alone for longer than that.
        for _ in 0..8 {
            pace.count(&pass(&[("b", true)]));
        }
        now += Duration::from_mins(6);
        assert_eq!(pace.gather(now).as_millis(), 50);
        assert_eq!(pace.count(&pass(&[("b", true)])), None);
    }

    #[test]
    fn what_rows_make_anew_is_no_repair() {
        let now = Instant::now();
        let mut pace = Pace::new(INTERVAL, now);
        for _ in 0..20 {
            assert_eq!(pace.count(&pass(&[("a", false)])), None);
            assert_eq!(pace.gather(now).as_millis(), 50);
        }
    }
}
