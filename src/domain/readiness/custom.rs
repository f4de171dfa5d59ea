//! Kinds without a rule of their own, custom ones above all: their conditions speak.

use serde_json::Value;

use crate::resource::dig;

use super::read::{Condition, Live, Result, untrue};
use super::{Readiness, Related};

/// The conditions that tell whether an object is ready; the first one that is there counts.
const CONDITIONS: [&str; 3] = ["Ready", "Available", "Healthy"];

/// An object is ready when its condition is true for its present generation, and when it has none.
///
/// Its condition is the one that the caller expects, else the first of `Ready`, `Available` and
/// `Healthy`. One that isn't true makes it failed if there is a true condition `Failed`.
pub(super) fn custom(
    live: &Live<'_>,
    related: &Related<'_>,
    generation: Option<u64>,
) -> Result<Readiness> {
    let mut own = None;
    for name in related.condition.into_iter().chain(CONDITIONS) {
        own = live.condition(name)?;
        if own.is_some() {
            break;
        }
    }
    let untold = match own {
        Some(own) => untrue(&own, generation),
        None => related
            .condition
            .map(|name| format!("condition {name} is not reported yet")),
    };
    if own.is_some() && untold.is_none() {
        return Ok(Readiness::READY);
    }
    let failed = live.condition("Failed")?;
    Ok(
        match failed.filter(|failed| untrue(failed, generation).is_none()) {
            Some(failed) => Readiness::failed(&cause(&failed, own.as_ref())),
            None => Readiness::waiting_for(untold),
        },
    )
}

/// Returns what made an object fail: what its `Failed` says, or, where that says nothing, the other.
fn cause(failed: &Condition<'_>, own: Option<&Condition<'_>>) -> String {
    let is_mute = failed.message.is_empty() && failed.reason.is_empty();
    own.filter(|_| is_mute).unwrap_or(failed).told()
}

/// Returns by which condition the objects of a custom kind say that they are ready.
///
/// A definition doesn't name it, but most have `kubectl get` print it: it is read from the
/// `additionalPrinterColumns` of the version. Until that condition is there, an object that was
/// just created isn't ready; without this knowledge it would pass for ready.
pub fn reported_condition(definition: &Value, version: &str) -> Option<&'static str> {
    let versions = dig(definition, &["spec", "versions"])?.as_array()?;
    let version = versions
        .iter()
        .find(|entry| entry.get("name").is_some_and(|name| name == version))?;
    let columns = version.get("additionalPrinterColumns")?.as_array()?;
    let paths = columns.iter().filter_map(|column| column.get("jsonPath"));
    let shown: Vec<&str> = paths.filter_map(|path| printed(path.as_str()?)).collect();
    CONDITIONS.into_iter().find(|name| shown.contains(name))
}

/// Reads the type in `.status.conditions[?(@.type=="Ready")].status`, however spaced and quoted.
fn printed(path: &str) -> Option<&str> {
    let path = path.trim().trim_start_matches('{').trim_end_matches('}');
    let path = path
        .trim_start_matches('$')
        .strip_prefix(".status.conditions[")?;
    let path = path.trim_start().strip_prefix('?')?.trim_start();
    let path = path
        .strip_prefix('(')?
        .trim_start()
        .strip_prefix("@.type")?;
    let path = path.trim_start().strip_prefix("==")?.trim_start();
    let quote = path.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (name, rest) = path.get(1..)?.split_once(quote)?;
    let rest = rest.trim_start().strip_prefix(')')?.trim_start();
    (rest.strip_prefix(']')? == ".status").then_some(name)
}
