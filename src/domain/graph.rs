//! Ordering by dependency: levels by longest path, ties broken by node number.
//!
//! Nodes are numbers; whoever builds the graph numbers them in the order that ties should have.
//! A *firm* edge must hold: a cycle of firm edges is refused and reported. A *soft* edge only
//! prefers an order: where soft edges close a cycle, those that contradict the order of the firm
//! ones (and then of the numbers) are dropped. Everything is linear in nodes and edges, apart from
//! the heap inside a cycle.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Whether an edge must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Strength {
    /// The dependency must come first; a cycle of these is an error.
    Firm,
    /// The dependency should come first; dropped where it closes a cycle.
    Soft,
}

/// Nodes and what each depends on.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: usize,
    edges: Vec<(usize, usize, Strength)>,
}

/// The nodes in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The level of each node, from 1: one more than the highest level among its dependencies.
    pub level: Vec<usize>,
    /// The nodes by level, then by number.
    pub nodes: Vec<usize>,
    /// The soft edges that were dropped: (node, dependency), sorted.
    pub dropped: Vec<(usize, usize)>,
}

/// Firm edges that go in a circle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} of dependencies that cannot be ordered", if .cycles.len() == 1 { "a cycle" } else { "cycles" })]
pub struct CycleError {
    /// Disjoint cycles, each starting at its lowest node; every node depends on the next one, and
    /// the last one on the first.
    pub cycles: Vec<Vec<usize>>,
}

impl Graph {
    /// Returns a graph of so many nodes without edges.
    pub fn new(nodes: usize) -> Self {
        Self {
            nodes,
            edges: Vec::new(),
        }
    }

    /// Says that `node` depends on `dependency`; an edge to a node that doesn't exist is ignored.
    pub fn depend(&mut self, node: usize, dependency: usize, strength: Strength) {
        let exists = node < self.nodes && dependency < self.nodes;
        // A node cannot come before itself: nothing to prefer, but something to refuse.
        if exists && (node != dependency || strength == Strength::Firm) {
            self.edges.push((node, dependency, strength));
        }
    }

    /// Returns the edges: (node, dependency, strength).
    pub fn edges(&self) -> &[(usize, usize, Strength)] {
        &self.edges
    }

    /// Returns the nodes that depend on one of `start`, directly or not, those themselves included.
    pub(crate) fn dependents(&self, start: &[usize]) -> Vec<bool> {
        let dependents = Adjacency::new(self.nodes, self.edges.iter().map(|e| (e.1, e.0)));
        reached(&dependents, self.nodes, start)
    }

    /// Returns the nodes on which one of `start` depends, directly or not, those themselves included.
    pub(crate) fn dependencies(&self, start: &[usize]) -> Vec<bool> {
        let dependencies = Adjacency::new(self.nodes, self.edges.iter().map(|e| (e.0, e.1)));
        reached(&dependencies, self.nodes, start)
    }

    /// Orders the nodes.
    ///
    /// # Errors
    /// When firm edges go in a circle.
    pub fn order(&self) -> Result<Order, CycleError> {
        let all: Vec<_> = self.edges.iter().map(|e| (e.0, e.1)).collect();
        if let Ok(level) = levels(self.nodes, &all) {
            return Ok(Order::new(level, Vec::new()));
        }
        let firm: Vec<_> = self.pairs(|strength| strength == Strength::Firm);
        if let Err(stuck) = levels(self.nodes, &firm) {
            let cycles = cycles(&Adjacency::new(self.nodes, firm.iter().copied()), &stuck);
            return Err(CycleError { cycles });
        }
        Ok(self.break_cycles(&all, &firm))
    }

    /// Orders the nodes when firm edges go in no circle but all of them do.
    fn break_cycles(&self, all: &[(usize, usize)], firm: &[(usize, usize)]) -> Order {
        let component = components(&Adjacency::new(self.nodes, all.iter().copied()));
        let inside = firm.iter().filter(|e| component[e.0] == component[e.1]);
        let position = positions(self.nodes, inside.copied());
        let mut dropped = Vec::new();
        let mut kept = Vec::with_capacity(all.len());
        for &(node, dependency, strength) in &self.edges {
            if strength == Strength::Soft
                && component[node] == component[dependency]
                && position[dependency] > position[node]
            {
                dropped.push((node, dependency));
            } else {
                kept.push((node, dependency));
            }
        }
        dropped.sort_unstable();
        dropped.dedup();
        let level = levels(self.nodes, &kept)
            .expect("every cycle lies in a component, whose edges now follow one total order");
        Order::new(level, dropped)
    }

    fn pairs(&self, keep: impl Fn(Strength) -> bool) -> Vec<(usize, usize)> {
        let edges = self.edges.iter().filter(|e| keep(e.2));
        edges.map(|e| (e.0, e.1)).collect()
    }
}

impl Order {
    fn new(level: Vec<usize>, dropped: Vec<(usize, usize)>) -> Self {
        let mut nodes: Vec<usize> = (0..level.len()).collect();
        nodes.sort_by_key(|&node| level[node]);
        Self {
            level,
            nodes,
            dropped,
        }
    }
}

/// Returns which nodes can be reached.
fn reached(next: &Adjacency, nodes: usize, start: &[usize]) -> Vec<bool> {
    let mut reached = vec![false; nodes];
    let mut open = start.to_vec();
    while let Some(node) = open.pop() {
        if !std::mem::replace(&mut reached[node], true) {
            open.extend_from_slice(next.of(node));
        }
    }
    reached
}

/// The ends of the edges that start at each node, in one allocation.
struct Adjacency {
    starts: Vec<usize>,
    ends: Vec<usize>,
}

impl Adjacency {
    fn new(nodes: usize, edges: impl Iterator<Item = (usize, usize)> + Clone) -> Self {
        let mut starts = vec![0; nodes + 1];
        for (from, _) in edges.clone() {
            starts[from + 1] += 1;
        }
        for node in 0..nodes {
            starts[node + 1] += starts[node];
        }
        let mut next = starts.clone();
        let mut ends = vec![0; starts[nodes]];
        for (from, to) in edges {
            ends[next[from]] = to;
            next[from] += 1;
        }
        Self { starts, ends }
    }

    fn of(&self, node: usize) -> &[usize] {
        &self.ends[self.starts[node]..self.starts[node + 1]]
    }

    fn nodes(&self) -> usize {
        self.starts.len() - 1
    }
}

/// Returns the level of each node by longest path, or which nodes are stuck in or behind a cycle.
fn levels(nodes: usize, edges: &[(usize, usize)]) -> Result<Vec<usize>, Vec<bool>> {
    let dependents = Adjacency::new(nodes, edges.iter().map(|e| (e.1, e.0)));
    let mut missing = vec![0_usize; nodes];
    for (node, _) in edges {
        missing[*node] += 1;
    }
    let mut level = vec![1; nodes];
    let mut open: Vec<usize> = (0..nodes).filter(|&node| missing[node] == 0).collect();
    let mut done = 0;
    while let Some(node) = open.pop() {
        done += 1;
        for &dependent in dependents.of(node) {
            level[dependent] = level[dependent].max(level[node] + 1);
            missing[dependent] -= 1;
            if missing[dependent] == 0 {
                open.push(dependent);
            }
        }
    }
    if done == nodes {
        Ok(level)
    } else {
        Err(missing.iter().map(|&count| count > 0).collect())
    }
}

/// Returns disjoint cycles among the stuck nodes, at least one.
///
/// Every stuck node has a stuck dependency, so that following the lowest one always ends in a cycle
/// or on a walk made before.
fn cycles(dependencies: &Adjacency, stuck: &[bool]) -> Vec<Vec<usize>> {
    let mut cycles = Vec::new();
    // The walk on which a node was met, and its place there.
    let mut met: Vec<Option<(usize, usize)>> = vec![None; stuck.len()];
    for start in 0..stuck.len() {
        let mut walk = Vec::new();
        let mut next = stuck[start].then_some(start);
        while let Some(node) = next {
            match met[node] {
                Some((walk_start, place)) => {
                    if walk_start == start {
                        let mut cycle = walk.split_off(place);
                        let lowest = (0..cycle.len()).min_by_key(|&at| cycle[at]).unwrap_or(0);
                        cycle.rotate_left(lowest);
                        cycles.push(cycle);
                    }
                    break;
                }
                None => met[node] = Some((start, walk.len())),
            }
            walk.push(node);
            let stuck_ones = dependencies.of(node).iter().copied();
            next = stuck_ones.filter(|&dependency| stuck[dependency]).min();
        }
    }
    cycles
}

/// Returns the strongly connected component of each node (Tarjan, without recursion).
fn components(edges: &Adjacency) -> Vec<usize> {
    const NONE: usize = usize::MAX;
    let nodes = edges.nodes();
    let mut component = vec![NONE; nodes];
    let mut index = vec![NONE; nodes];
    let mut low = vec![0; nodes];
    let mut count = 0;
    let mut found = 0;
    let mut stack = Vec::new();
    let mut calls: Vec<(usize, usize)> = Vec::new();
    for root in 0..nodes {
        if index[root] == NONE {
            calls.push((root, 0));
        }
        while let Some((node, at)) = calls.pop() {
            if at == 0 {
                index[node] = count;
                low[node] = count;
                count += 1;
                stack.push(node);
            } else {
                low[node] = low[node].min(low[edges.of(node)[at - 1]]);
            }
            let mut descend = None;
            for (offset, &next) in edges.of(node).iter().enumerate().skip(at) {
                if index[next] == NONE {
                    descend = Some((next, offset + 1));
                    break;
                }
                if component[next] == NONE {
                    low[node] = low[node].min(index[next]);
                }
            }
            if let Some((next, resume)) = descend {
                calls.push((node, resume));
                calls.push((next, 0));
            } else if low[node] == index[node] {
                while let Some(member) = stack.pop() {
                    component[member] = found;
                    if member == node {
                        break;
                    }
                }
                found += 1;
            }
        }
    }
    component
}

/// Returns the place of each node in the order that takes the lowest free node first.
fn positions(nodes: usize, edges: impl Iterator<Item = (usize, usize)> + Clone) -> Vec<usize> {
    let dependents = Adjacency::new(nodes, edges.clone().map(|e| (e.1, e.0)));
    let mut missing = vec![0_usize; nodes];
    for (node, _) in edges {
        missing[node] += 1;
    }
    let free = (0..nodes).filter(|&node| missing[node] == 0).map(Reverse);
    let mut open: BinaryHeap<Reverse<usize>> = free.collect();
    let mut position = vec![0; nodes];
    let mut next = 0;
    while let Some(Reverse(node)) = open.pop() {
        position[node] = next;
        next += 1;
        for &dependent in dependents.of(node) {
            missing[dependent] -= 1;
            if missing[dependent] == 0 {
                open.push(Reverse(dependent));
            }
        }
    }
    position
}

#[cfg(test)]
mod tests {
    use super::*;
    use Strength::{Firm, Soft};

    fn graph(nodes: usize, edges: &[(usize, usize, Strength)]) -> Graph {
        let mut graph = Graph::new(nodes);
        for &(node, dependency, strength) in edges {
            graph.depend(node, dependency, strength);
        }
        graph
    }

    #[test]
    fn levels_are_longest_paths_and_ties_go_by_number() {
        let order = graph(5, &[(0, 3, Firm), (3, 4, Soft), (2, 4, Firm)]).order();
        let order = order.expect("there is no cycle");
        assert_eq!(order.level, [3, 1, 2, 2, 1]);
        assert_eq!(order.nodes, [1, 4, 2, 3, 0]);
        assert_eq!(order.dropped, []);
    }

    #[test]
    fn a_cycle_of_firm_edges_is_refused_from_its_lowest_node() {
        type Case = (
            &'static [(usize, usize, Strength)],
            &'static [&'static [usize]],
        );
        let cases: &[Case] = &[
            (&[(1, 1, Firm)], &[&[1]]),
            (&[(2, 1, Firm), (1, 2, Firm)], &[&[1, 2]]),
            // What only leads into a cycle is not part of it.
            (
                &[(0, 3, Firm), (3, 2, Firm), (2, 3, Firm), (1, 0, Firm)],
                &[&[2, 3]],
            ),
            (
                &[(0, 1, Firm), (1, 0, Firm), (2, 3, Firm), (3, 2, Firm)],
                &[&[0, 1], &[2, 3]],
            ),
        ];
        for (edges, cycles) in cases {
            let error = graph(4, edges).order().expect_err("there is a cycle");
            assert_eq!(error.cycles, *cycles, "{edges:?}");
        }
    }

    #[test]
    fn a_cycle_with_a_soft_edge_is_broken_there() {
        type Case = (
            &'static [(usize, usize, Strength)],
            &'static [(usize, usize)],
        );
        let cases: &[Case] = &[
            (&[(1, 1, Soft)], &[]),
            (&[(0, 1, Soft), (1, 0, Soft)], &[(0, 1)]),
            (&[(0, 1, Firm), (1, 0, Soft)], &[(1, 0)]),
            (&[(0, 1, Firm), (1, 2, Soft), (2, 0, Soft)], &[(1, 2)]),
            // An edge that closes no cycle stays, whatever the numbers say.
            (&[(0, 1, Soft), (1, 0, Soft), (0, 2, Soft)], &[(0, 1)]),
            // A firm edge beside a soft one holds.
            (&[(0, 1, Firm), (0, 1, Soft), (1, 0, Soft)], &[(1, 0)]),
        ];
        for (edges, dropped) in cases {
            let order = graph(3, edges)
                .order()
                .expect("no firm edges go in a circle");
            assert_eq!(order.dropped, *dropped, "{edges:?}");
        }
    }

    #[test]
    fn an_edge_to_nowhere_is_ignored() {
        let graph = graph(2, &[(0, 7, Firm), (7, 0, Firm)]);
        assert_eq!(graph.edges(), []);
    }

    /// xorshift64*, enough to vary graphs.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
            usize::try_from(drawn).unwrap_or(0) % limit
        }
    }

    fn random(seed: u64) -> (usize, Vec<(usize, usize, Strength)>) {
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let nodes = 1 + random.below(30);
        let count = random.below(3 * nodes);
        // Two in three graphs have no firm cycle.
        let downwards = random.below(3) > 0;
        let edges = (0..count).map(|_| {
            let (a, b) = (random.below(nodes), random.below(nodes));
            match random.below(2) {
                0 => (a, b, Soft),
                // Not simply by number, so that firm edges contradict the ties too.
                _ if downwards && (a * 7 % 31, a) <= (b * 7 % 31, b) => (b, a, Soft),
                _ => (a, b, Firm),
            }
        });
        (nodes, edges.collect())
    }

    #[test]
    fn random_graphs_are_ordered_minimally_or_refused_with_a_real_cycle() {
        let (mut ordered, mut refused, mut broken) = (0, 0, 0);
        for seed in 1..=600 {
            let (nodes, mut edges) = random(seed);
            let result = graph(nodes, &edges).order();
            edges.reverse();
            let again = graph(nodes, &edges).order();
            match result {
                Ok(order) => {
                    ordered += 1;
                    broken += usize::from(!order.dropped.is_empty());
                    let holds = |e: &&(usize, usize, Strength)| {
                        e.0 != e.1 && (e.2 == Firm || !order.dropped.contains(&(e.0, e.1)))
                    };
                    let mut needed = vec![1; nodes];
                    for (node, dependency, _) in edges.iter().filter(holds) {
                        assert!(
                            order.level[*node] > order.level[*dependency],
                            "seed {seed}: {node} needs {dependency}"
                        );
                        needed[*node] = needed[*node].max(order.level[*dependency] + 1);
                    }
                    assert_eq!(order.level, needed, "seed {seed}: not minimal");
                    let mut sorted = order.nodes.clone();
                    sorted.sort_by_key(|&node| (order.level[node], node));
                    assert_eq!(order.nodes, sorted, "seed {seed}");
                    assert_eq!(
                        Ok(order),
                        again,
                        "seed {seed}: depends on the order of edges"
                    );
                }
                Err(error) => {
                    refused += 1;
                    assert!(!error.cycles.is_empty(), "seed {seed}");
                    for cycle in &error.cycles {
                        for (at, node) in cycle.iter().enumerate() {
                            let next = cycle[(at + 1) % cycle.len()];
                            assert!(
                                edges.contains(&(*node, next, Firm)),
                                "seed {seed}: {node} doesn't need {next}"
                            );
                        }
                    }
                    assert_eq!(Err(error), again, "seed {seed}");
                }
            }
        }
        assert!(
            ordered > 100 && refused > 30 && broken > 30,
            "{ordered} {refused} {broken}"
        );
    }

    #[test]
    fn long_chains_and_wide_cycles_take_no_recursion() {
        let nodes = 50_000;
        let mut chain = Graph::new(nodes);
        for node in 1..nodes {
            chain.depend(node, node - 1, Firm);
        }
        let order = chain.order().expect("a chain is no cycle");
        assert_eq!(order.level.last(), Some(&nodes));
        chain.depend(0, nodes - 1, Soft);
        let order = chain.order().expect("the soft edge is dropped");
        assert_eq!(order.dropped, [(0, nodes - 1)]);
        chain.depend(0, nodes - 1, Firm);
        let error = chain.order().expect_err("now it is a cycle");
        assert_eq!(error.cycles[0].len(), nodes);
    }
}
