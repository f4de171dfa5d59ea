//! All tests at the level of the program, in one binary. See `support` for how they meet it.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![allow(missing_docs, reason = "tests are sentences")]
#![allow(
    clippy::pedantic,
    clippy::print_stdout,
    clippy::type_complexity,
    reason = "tables of cases are long, seeds are printed, and nobody calls a test"
)]

#[cfg(target_os = "linux")]
mod apply_faults;
mod bad_input;
mod cli;
mod cluster;
mod cluster_verbs;
mod deploy;
mod deploy_ready;
mod deploy_rules;
mod deployed;
mod exit_codes;
#[cfg(target_os = "linux")]
mod faults;
mod forms;
mod generated;
mod harness;
mod install;
mod model;
mod seeded;
mod server;
mod support;
mod template;
mod tenant_datasource;
mod tenant_init;
mod tenant_lint;
mod tenant_monitoring;
mod tenant_rows;
mod yaml;
