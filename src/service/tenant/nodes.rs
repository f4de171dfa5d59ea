//! Nodes: what forms have made of rows, told of objects one by one.

use std::{borrow::Cow, collections::BTreeMap};

use crate::api::tenant::{NodeName, NodeStatus, NodeTotals, Tally};

/// An object of a node.
pub(super) struct Seen<'a> {
    /// The kubeconfig context.
    pub(super) context: &'a str,
    /// The uid of the row.
    pub(super) row: &'a str,
    /// The form.
    pub(super) form: &'a str,
    /// How it is.
    pub(super) state: State,
    /// Why it is so.
    pub(super) reason: Cow<'a, str>,
}

/// How an object of a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// As it shall be.
    Ready,
    /// On its way.
    Waiting,
    /// It will not become ready unless somebody changes something.
    Failed,
    /// Others hold it.
    Conflicted,
    /// It was left out because of others.
    Skipped,
}

/// How many objects of a node are how, and what the first that isn't ready waits for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) tally: Tally,
    reason: String,
}

/// Nodes by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Nodes(pub(super) BTreeMap<NodeName, Node>);

impl Nodes {
    /// Counts objects.
    pub(super) fn of<'a>(seen: impl IntoIterator<Item = Seen<'a>>) -> Self {
        let mut nodes = BTreeMap::new();
        for object in seen {
            let name = NodeName {
                context: object.context.to_owned(),
                row: object.row.to_owned(),
                form: object.form.to_owned(),
            };
            let node: &mut Node = nodes.entry(name).or_default();
            let tally = &mut node.tally;
            tally.desired += 1;
            match object.state {
                State::Ready => {
                    tally.ready += 1;
                    continue;
                }
                State::Waiting => {}
                State::Failed => tally.failed += 1,
                State::Conflicted => tally.conflicted += 1,
                State::Skipped => tally.skipped += 1,
            }
            if node.reason.is_empty() {
                node.reason = object.reason.into_owned();
            }
        }
        Self(nodes)
    }

    /// How they are, for whoever reads it.
    pub(super) fn into_statuses(self) -> Vec<NodeStatus> {
        let nodes = self.0.into_iter();
        nodes.map(|(name, node)| status(name, node)).collect()
    }

    /// Takes the place of earlier nodes, but in contexts that nothing is known of now; returns those that are
    /// other ones than before, and the names of those that are no more.
    pub(super) fn replace(
        &mut self,
        now: Self,
        is_known: impl Fn(&str) -> bool,
    ) -> (Vec<NodeStatus>, Vec<NodeName>) {
        let gone = self
            .0
            .extract_if(.., |name, _| {
                is_known(&name.context) && !now.0.contains_key(name)
            })
            .map(|(name, _)| name)
            .collect();
        let mut changed = Vec::new();
        for (name, node) in now.0 {
            if self.0.get(&name) != Some(&node) {
                changed.push(status(name.clone(), node.clone()));
                self.0.insert(name, node);
            }
        }
        (changed, gone)
    }

    /// Whether an object of one is on its way.
    pub(super) fn is_waiting(&self) -> bool {
        self.0.values().any(|Node { tally, .. }| {
            tally.ready + tally.failed + tally.conflicted + tally.skipped < tally.desired
        })
    }

    /// How many are how, by context.
    pub(super) fn totals(&self) -> Vec<NodeTotals> {
        let mut totals: BTreeMap<&str, NodeTotals> = BTreeMap::new();
        for (name, Node { tally, .. }) in &self.0 {
            let total = totals.entry(&name.context).or_default();
            total.desired += 1;
            total.ready += usize::from(tally.is_ready());
            total.failed += usize::from(tally.failed + tally.conflicted > 0);
            total.waiting += usize::from(tally.failed + tally.conflicted + tally.skipped > 0);
        }
        let totals = totals.into_iter();
        totals
            .map(|(context, total)| NodeTotals {
                context: context.to_owned(),
                ..total
            })
            .collect()
    }
}

fn status(name: NodeName, Node { tally, reason }: Node) -> NodeStatus {
    NodeStatus {
        context: name.context,
        row: name.row,
        form: name.form,
        conditions: tally.conditions(),
        tally,
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::{NodeName, Nodes, Seen, State};

    fn nodes(seen: &[(&'static str, &'static str, State)]) -> Nodes {
        Nodes::of(seen.iter().map(|(context, row, state)| Seen {
            context,
            row,
            form: "web",
            state: *state,
            reason: "why".into(),
        }))
    }

    fn name(context: &str, row: &str) -> NodeName {
        NodeName {
            context: context.to_owned(),
            row: row.to_owned(),
            form: "web".to_owned(),
        }
    }

    #[test]
    fn only_what_is_other_than_before_is_told() {
        let mut told = Nodes::default();
        let first = nodes(&[
            ("one", "a", State::Ready),
            ("one", "a", State::Waiting),
            ("one", "b", State::Ready),
            ("two", "a", State::Conflicted),
        ]);
        let (changed, gone) = told.replace(first.clone(), |_| true);
        assert_eq!((changed.len(), gone.len()), (3, 0));
        assert_eq!(changed[0].reason, "why");
        let (changed, gone) = told.replace(first, |_| true);
        assert_eq!((changed.len(), gone.len()), (0, 0));
        // The second context did not answer.
        let next = nodes(&[("one", "a", State::Ready), ("one", "a", State::Ready)]);
        let (changed, gone) = told.replace(next, |context| context == "one");
        assert_eq!(changed.len(), 1);
        assert_eq!(gone, [name("one", "b")]);
        let totals = told.totals();
        let shown: Vec<_> = totals
            .iter()
            .map(|total| {
                (
                    &*total.context,
                    total.desired,
                    total.ready,
                    total.failed,
                    total.waiting,
                )
            })
            .collect();
        assert_eq!(shown, [("one", 1, 1, 0, 0), ("two", 1, 0, 1, 1)]);
    }
}
