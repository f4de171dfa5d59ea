//! Near misses: "did you mean".

/// Returns the candidate nearest to `word`, if one is near enough to be a typing error: at most
/// one wrong character in three, case aside.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let candidates = candidates
        .into_iter()
        .map(|candidate| (candidate, candidate));
    several(word, candidates, &mut { usize::MAX })
        .first()
        .copied()
}

/// Returns up to three candidates that are equally near to `word`, and near enough.
///
/// A candidate is its name and how to show it. Each comparison takes one from the budget, and none
/// is made without.
pub fn several<'a>(
    word: &str,
    candidates: impl Iterator<Item = (&'a str, &'a str)>,
    budget: &mut usize,
) -> Vec<&'a str> {
    /// A longer word isn't worth its quadratic comparison.
    const LONGEST: usize = 256;
    let lower = word.to_lowercase();
    let length = word.chars().count();
    let limit = (length / 3).max(1);
    let mut near: Vec<(usize, &str)> = Vec::new();
    for (candidate, shown) in candidates {
        if *budget == 0 || word.len() > LONGEST {
            break;
        }
        *budget -= 1;
        let apart = candidate.chars().count().abs_diff(length);
        // The same name under another way to show it, in another namespace for instance, is near.
        if apart > limit || (candidate == word && shown == word) {
            continue;
        }
        let distance = distance(&lower, &candidate.to_lowercase());
        if distance <= limit {
            near.push((distance, shown));
        }
    }
    near.sort_unstable();
    near.dedup();
    let best = near.first().map_or(0, |(distance, _)| *distance);
    near.retain(|(distance, _)| *distance == best);
    near.into_iter().take(3).map(|(_, shown)| shown).collect()
}

/// Counts the typing errors (insert, delete, replace, swap) between two words.
pub fn distance(a: &str, b: &str) -> usize {
    strsim::damerau_levenshtein(a, b)
}

#[cfg(test)]
mod tests {
    use super::{nearest, several};

    const WORDS: [&str; 4] = ["replicas", "selector", "template", "paused"];

    #[test]
    fn only_near_words_are_suggested() {
        assert_eq!(nearest("replica", WORDS), Some("replicas"));
        assert_eq!(nearest("Replicas", WORDS), Some("replicas"));
        assert_eq!(nearest("tmeplate", WORDS), Some("template"));
        assert_eq!(nearest("strategy", WORDS), None);
    }

    #[test]
    fn ties_are_all_named_and_the_budget_holds() {
        let words = ["web-1", "web-2", "db", "web-10"].map(|word| (word, word));
        let (mut budget, mut small) = (100, 1);
        assert_eq!(
            several("web-3", words.into_iter(), &mut budget),
            ["web-1", "web-2"]
        );
        assert_eq!(budget, 96);
        assert_eq!(several("web-3", words.into_iter(), &mut small), ["web-1"]);
    }
}
