//! Fields that aren't as they are wanted.

use serde_json::Value;

use super::Owner;
use crate::path::Path;
use crate::secret;

/// What follows the mask of a live value that isn't the wanted one.
const DIFFERS: &str = " (differs)";

/// A field that isn't as it is wanted. Values of Secrets are masked.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldDrift {
    /// The place, such as `spec.template.spec.containers[name=web].image`.
    pub path: String,
    /// The value that is wanted; none when the field is to go. For a list whose items only stand in
    /// another order: the names of these in order, here and in `live`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Value>,
    /// The value that it has; none when there is none. Where it equals the wanted one, the field is to
    /// become ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Value>,
    /// Who holds it now, ourselves included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<Owner>,
}

/// A drift as it is found. The values come later, so that secret ones never do.
pub(super) struct Found {
    pub(super) path: String,
    pub(super) values: Values,
    pub(super) owners: Vec<Owner>,
    /// Whether the values agree, and only the holders don't.
    pub(super) of_holders: bool,
}

pub(super) enum Values {
    /// They stand at these places.
    At {
        wanted: Option<Path>,
        live: Option<Path>,
    },
    /// They are these.
    Are(Option<Value>, Option<Value>),
}

/// Gives drifts their values.
pub(super) fn told(found: Vec<Found>, desired: &Value, live: &Value) -> Vec<FieldDrift> {
    let has_secrets = secret::holds_secrets(desired) || secret::holds_secrets(live);
    let masked = has_secrets.then(|| {
        let (mut desired, mut live) = (desired.clone(), live.clone());
        secret::mask(&mut desired);
        secret::mask(&mut live);
        (desired, live)
    });
    let (desired, live) = match &masked {
        Some((desired, live)) => (desired, live),
        None => (desired, live),
    };
    let drifts = found.into_iter().map(|found| {
        let (wanted, live) = match found.values {
            Values::Are(wanted, live) => (wanted, live),
            Values::At {
                wanted: wanted_at,
                live: live_at,
            } => {
                let wanted = wanted_at.map(|path| shown(&path, desired));
                let mut live = live_at.map(|path| shown(&path, live));
                if let (Some(wanted), Some(Value::String(live))) = (&wanted, &mut live)
                    && wanted == live
                    && live == secret::MASK
                    && !found.of_holders
                {
                    live.push_str(DIFFERS);
                }
                (wanted, live)
            }
        };
        FieldDrift {
            path: found.path,
            wanted,
            live,
            owners: found.owners,
        }
    });
    drifts.collect()
}

fn shown(path: &Path, document: &Value) -> Value {
    // Without a value at the place, something above it is masked as a whole.
    let value = path.find(document).cloned();
    value.unwrap_or_else(|| secret::MASK.into())
}
