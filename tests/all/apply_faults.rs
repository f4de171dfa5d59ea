//! What can go wrong while a design is applied, injected into real runs against real API servers:
//! kills, outages, answers of every sort, others who write, what never gets ready, what may not be
//! deleted. Afterwards the cluster is compared with what was wanted as `kubectl get -o json` has it.
//!
//! Short counts by default, those of the issue with `./tests/run --full`; each test prints its counts.

mod claims;
mod deadlocks;
mod kills;
mod matrix;
mod outages;
mod pruning;
mod since;
pub mod world;
mod writes;
