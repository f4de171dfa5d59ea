//! Rows of a database that become Kubernetes objects (`tenant`): where they are, and which count.
//!
//! * [`hub`]: a hub says where the rows are and what their columns mean.
//! * [`form`]: a form says which objects one row yields.
//! * [`row`], [`render`]: rows × forms, the objects that there shall be.
//! * [`monitoring`]: what is measured, and the dashboard and alerts that are made of it.
//! * [`node`]: how what one form makes of one row is.
//! * [`operator`]: what the operator leaves on objects that were its own.
//! * [`lint`]: what does not fit together before any row is looked at.

mod fields;
pub mod form;
pub mod hub;
pub mod lint;
pub mod monitoring;
pub mod node;
pub mod operator;
pub mod render;
pub mod row;

use operator::OPERATORS;

/// Lists the custom resources that are hubs and forms, under their new and old names: `apiVersion` and kind.
pub fn custom_resources() -> impl Iterator<Item = (&'static str, &'static str)> {
    let hubs = OPERATORS.iter().map(|names| (names.api_version, names.hub));
    let forms = OPERATORS
        .iter()
        .map(|names| (names.api_version, names.form));
    hubs.chain(forms)
}

/// Returns the name of the resource set of a hub; no design has one like it.
pub fn set_name(hub: &str) -> String {
    format!("tenant/{hub}")
}

/// Returns the hub that a resource set is named after; none for a design.
pub fn hub_of_set(name: &str) -> Option<&str> {
    name.strip_prefix("tenant/")
}

/// The texts that switch a row on; every other one leaves it off.
const TRUTHY: [&str; 7] = ["1", "true", "TRUE", "True", "yes", "YES", "Yes"];

/// The texts that nobody means as "on": what else is off may well be a mistake.
const FALSY: [&str; 8] = ["", "0", "false", "FALSE", "False", "no", "NO", "No"];

/// Whether the text of the column `activate` switches its row on. The list is exact: neither `on` nor
/// ` 1` is in it.
pub fn is_active(activate: &str) -> bool {
    TRUTHY.contains(&activate)
}

/// Whether the text of the column `activate` says neither yes nor no, such as a status: it leaves the
/// row off, which may not be meant.
pub fn is_neither(activate: &str) -> bool {
    !is_active(activate) && !FALSY.contains(&activate)
}

#[cfg(test)]
mod tests {
    use super::{is_active, is_neither};

    #[test]
    fn only_the_listed_texts_switch_a_row_on() {
        for text in ["1", "true", "TRUE", "True", "yes", "YES", "Yes"] {
            assert!(is_active(text) && !is_neither(text), "{text:?}");
        }
        for text in ["", "0", "false", "FALSE", "False", "no", "NO", "No"] {
            assert!(!is_active(text) && !is_neither(text), "{text:?}");
        }
        let odd = [
            "on", "t", "f", "Y", "y", "active", "2", " 1", "1 ", "tRUE", "yEs", "\u{1}", "-1",
        ];
        for text in odd {
            assert!(!is_active(text) && is_neither(text), "{text:?}");
        }
    }
}
