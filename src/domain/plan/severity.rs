//! How much a plan takes away: what a plain yes does not allow.

use super::Action;

/// More removals than this in one run are severe, whatever they are.
pub const MANY: usize = 100;

/// What takes more with it than itself, by the beginning of its id.
const HOLDERS: [(&str, &str); 3] = [
    ("Namespace/", "everything in it"),
    (
        "apiextensions.k8s.io/CustomResourceDefinition/",
        "every object of its kind",
    ),
    ("PersistentVolumeClaim/", "its data"),
];

/// Returns what makes some actions on the objects of these ids severe, in words: the first that takes
/// more with it than itself, or how many objects are deleted. Nothing comes back where a plain yes is
/// enough.
pub fn severe<'a>(actions: impl IntoIterator<Item = (Action, &'a str)>) -> Option<String> {
    let (mut deleted, mut holders) = (0, Vec::new());
    for (action, id) in actions {
        if !matches!(action, Action::Pruned | Action::Replaced) {
            continue;
        }
        deleted += 1;
        let holder = HOLDERS.iter().find(|(start, _)| id.starts_with(start));
        holders.extend(holder.map(|(_, what)| (id, what)));
    }
    match holders.as_slice() {
        [] if deleted > MANY => Some(format!("{deleted} objects")),
        [] => None,
        [(id, what)] => Some(format!("{id} with {what}")),
        [(id, what), more @ ..] => Some(format!(
            "{id} with {what}, and {} more of its sort",
            more.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_others_and_what_is_very_much_is_severe() {
        let cases = [
            (
                Action::Pruned,
                "Namespace/eu",
                "Namespace/eu with everything in it",
            ),
            (
                Action::Replaced,
                "PersistentVolumeClaim/eu/data",
                "PersistentVolumeClaim/eu/data with its data",
            ),
            (
                Action::Pruned,
                "apiextensions.k8s.io/CustomResourceDefinition/gadgets.example",
                "apiextensions.k8s.io/CustomResourceDefinition/gadgets.example with every object of its kind",
            ),
            (Action::Released, "PersistentVolumeClaim/eu/data", ""),
            (Action::Configured, "Namespace/eu", ""),
            (Action::Pruned, "ConfigMap/eu/a", ""),
            (Action::Replaced, "example.org/Namespace/eu/a", ""),
        ];
        for (action, id, expected) in cases {
            let found = severe([(action, id)]).unwrap_or_default();
            assert_eq!(found, expected, "{action} {id}");
        }
        let both = [
            (Action::Pruned, "Namespace/a"),
            (Action::Pruned, "Namespace/b"),
        ];
        assert_eq!(
            severe(both).as_deref(),
            Some("Namespace/a with everything in it, and 1 more of its sort")
        );
        let many = |count: usize| std::iter::repeat_n((Action::Pruned, "ConfigMap/eu/a"), count);
        assert_eq!(severe(many(MANY)), None);
        assert_eq!(severe(many(MANY + 1)).as_deref(), Some("101 objects"));
    }
}
