//! The vocabulary of weftctl and its rules: values in, values out.
//!
//! No I/O and no async in here, and no knowledge of the modules of the program around it.
//!
//! * [`yaml`], [`path`], [`duration`], [`near`], [`excerpt`](mod@excerpt): texts, places in them, near misses, beginnings.
//! * [`source`]: what an argument names, and the bundle of texts that is read from it.
//! * [`design`], [`component`], [`secret`], [`diff`], [`overlay`]: designs, their secrets, differences and variants.
//! * [`compose`], [`export`]: Compose files in; manifests, charts, kustomizations, packages out.
//! * [`model`], [`schema`]: what a cluster serves, and whether an object fits it.
//! * [`registry`]: definitions of models and their parts, as people exchange them.
//! * [`resource`], [`reference`](mod@reference), [`check`], [`graph`], [`plan`]: from manifests to an ordered plan.
//! * [`readiness`], [`ownership`], [`quota`]: what a live object waits for, who owns its fields, what a namespace has left.
//! * [`template`]: texts made of rows, as Go's templates with Sprig's functions make them.
//! * [`inventory`]: what is kept in the cluster about a resource set.
//! * [`tenant`]: rows of a database that become objects.

pub mod base64;
pub mod check;
pub mod component;
pub mod compose;
pub mod design;
pub mod diff;
pub mod duration;
pub mod excerpt;
pub mod export;
pub mod graph;
pub mod inventory;
mod merge_key;
pub mod model;
pub mod near;
#[cfg(test)]
mod numbers;
pub mod overlay;
pub mod ownership;
pub mod path;
pub mod plan;
pub mod quota;
pub mod readiness;
pub mod reference;
pub mod registry;
pub mod resource;
pub mod schema;
pub mod secret;
pub mod source;
pub mod template;
pub mod tenant;
pub mod yaml;
