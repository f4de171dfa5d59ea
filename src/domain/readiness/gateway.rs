//! Kinds of the Gateway API (gateway-api.sigs.k8s.io), whose controllers say per listener and per
//! parent what they make of an object.

use serde_json::Value;

use super::Readiness;
use super::read::{Condition, Live, Result, untrue};

const GROUP: &str = "gateway.networking.k8s.io";

/// A gateway is ready when it is accepted and programmed into its data plane; a listener that is
/// wrong says why it isn't.
pub(super) fn gateway(live: &Live<'_>, generation: Option<u64>) -> Result<Readiness> {
    for name in ["Accepted", "Programmed"] {
        let reason = match live.condition(name)? {
            Some(condition) => untrue(&condition, generation),
            None => Some(format!("condition {name} is not reported yet")),
        };
        if let Some(reason) = reason {
            let reason = match broken_listener(live)? {
                Some(listener) => format!("{reason}; {listener}"),
                None => reason,
            };
            return Ok(Readiness::waiting(&reason));
        }
    }
    Ok(Readiness::READY)
}

fn broken_listener(live: &Live<'_>) -> Result<Option<String>> {
    for listener in live.list(&["status", "listeners"])? {
        let listener = Live::inside(listener, "status.listeners");
        for name in ["Accepted", "ResolvedRefs", "Programmed"] {
            let condition = condition(&listener, "status.listeners.conditions", name)?;
            if let Some(condition) = condition.filter(Condition::is_false) {
                let name = listener.text(&["name"])?.unwrap_or_default();
                return Ok(Some(format!("listener {name}: {}", condition.told())));
            }
        }
    }
    Ok(None)
}

/// A class is ready when its controller accepted it.
pub(super) fn class(live: &Live<'_>, generation: Option<u64>) -> Result<Readiness> {
    Ok(match live.condition("Accepted")? {
        Some(accepted) => Readiness::waiting_for(untrue(&accepted, generation)),
        None => Readiness::waiting("its controller has not seen it yet"),
    })
}

/// A route is ready when every parent that it names has accepted it and could resolve what it
/// refers to.
pub(super) fn route(live: &Live<'_>, generation: Option<u64>) -> Result<Readiness> {
    let own = live.text(&["metadata", "namespace"])?;
    let answers = live.list(&["status", "parents"])?;
    for wanted in live.list(&["spec", "parentRefs"])? {
        let wanted = Parent::read(wanted, "spec.parentRefs", own)?;
        let mut reason = Some("has not answered yet".to_owned());
        // Several controllers may answer for one parent; one that accepts is enough.
        for answer in answers {
            let answer = Live::inside(answer, "status.parents");
            let Some(reference) = answer.get(&["parentRef"])? else {
                continue;
            };
            if Parent::read(reference, "status.parents.parentRef", own)? == wanted {
                reason = refusal(&answer, generation)?;
                if reason.is_none() {
                    break;
                }
            }
        }
        if let Some(reason) = reason {
            let Parent { kind, name, .. } = wanted;
            let kind = kind.to_lowercase();
            return Ok(Readiness::waiting(&format!("{kind} {name}: {reason}")));
        }
    }
    Ok(Readiness::READY)
}

/// Returns why a parent doesn't take a route as it is.
fn refusal(answer: &Live<'_>, generation: Option<u64>) -> Result<Option<String>> {
    let place = "status.parents.conditions";
    let Some(accepted) = condition(answer, place, "Accepted")? else {
        return Ok(Some("has not accepted it yet".to_owned()));
    };
    if let Some(reason) = untrue(&accepted, generation) {
        return Ok(Some(reason));
    }
    let resolved = condition(answer, place, "ResolvedRefs")?;
    Ok(resolved.and_then(|resolved| untrue(&resolved, generation)))
}

fn condition<'a>(
    live: &Live<'a>,
    place: &'static str,
    name: &str,
) -> Result<Option<Condition<'a>>> {
    live.condition_at(&["conditions"], place, name)
}

/// What a route wants to be attached to.
#[derive(PartialEq)]
struct Parent<'a> {
    group: &'a str,
    kind: &'a str,
    namespace: Option<&'a str>,
    name: &'a str,
    section: Option<&'a str>,
    port: Option<u64>,
}

impl<'a> Parent<'a> {
    fn read(value: &'a Value, place: &'static str, own: Option<&'a str>) -> Result<Self> {
        let reference = Live::inside(value, place);
        // An explicitly empty group is the core group, not the default one.
        Ok(Self {
            group: reference.string(&["group"])?.unwrap_or(GROUP),
            kind: reference.text(&["kind"])?.unwrap_or("Gateway"),
            namespace: reference.text(&["namespace"])?.or(own),
            name: reference.text(&["name"])?.unwrap_or_default(),
            section: reference.text(&["sectionName"])?,
            port: reference.count(&["port"])?,
        })
    }
}
