//! The vocabulary of weftctl and its rules: values in, values out.
//!
//! No I/O and no async in here, and no knowledge of the modules of the program around it.
//!
//! * [`yaml`], [`path`], [`duration`], [`near`]: texts, places in them, near misses.
//! * [`source`]: what an argument names, and the bundle of texts that is read from it.
//! * [`design`], [`component`], [`secret`], [`diff`]: designs, their secrets and differences.
//! * [`compose`], [`export`]: Compose files in; manifests, charts, kustomizations, packages out.
//! * [`model`], [`schema`]: what a cluster serves, and whether an object fits it.
//! * [`resource`], [`reference`](mod@reference), [`check`], [`graph`], [`plan`]: from manifests to an ordered plan.

pub mod base64;
pub mod check;
pub mod component;
pub mod compose;
pub mod design;
pub mod diff;
pub mod duration;
pub mod export;
pub mod graph;
pub mod model;
pub mod near;
pub mod path;
pub mod plan;
pub mod reference;
pub mod resource;
pub mod schema;
pub mod secret;
pub mod source;
pub mod yaml;
