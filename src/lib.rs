//! weftctl in one library; `main.rs` only calls [`cli::main`]. The map, in the order in which a
//! command travels:
//!
//! * [`cli`]: the clap root, global flags, the list of nouns; turns an outcome into an exit code.
//! * [`commands`]: what a user can type; one folder per noun, one file per verb.
//! * [`context`]: what every command receives: settings, client, terminal, clock, cancellation.
//! * [`config`]: flags over environment over files over defaults; named contexts; folders.
//! * [`output`]: formats, tables, the terminal, prompts, progress.
//! * [`error`]: codes, kinds, hints, rendering, exit codes.
//! * [`secret`]: values that must not show.
//! * [`api`]: the wire: requests, replies and paths, one file per noun.
//! * [`client`]: typed calls over a transport: in process, or a remote URL.
//! * [`server`]: axum: one file per noun; extract → call the service → reply.
//! * [`service`]: the use cases.
//! * `weft_domain` (`src/domain`, a crate of its own): the vocabulary and its rules, no I/O.
//! * [`store`]: `SQLite`: one file per noun, numbered migrations.
//! * [`cluster`]: Kubernetes: clients per context, discovery, schemas.
//! * `weft_load` (`src/load`, a crate of its own): load generation, when `perf` comes.

pub mod api;
pub mod cli;
pub mod client;
pub mod cluster;
pub mod commands;
pub mod config;
pub mod context;
pub mod error;
pub mod output;
pub mod secret;
pub mod server;
pub mod service;
pub mod store;
