//! Near misses: "did you mean".

/// Returns the candidate nearest to `word`, if one is near enough to be a typing error: at most
/// one wrong character in three, case aside.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = word.to_lowercase();
    let limit = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = distance(&lower, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= limit && *candidate != word)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Counts the typing errors (insert, delete, replace, swap) between two words.
pub fn distance(a: &str, b: &str) -> usize {
    strsim::damerau_levenshtein(a, b)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn only_near_words_are_suggested() {
        let words = ["replicas", "selector", "template", "paused"];
        assert_eq!(nearest("replica", words), Some("replicas"));
        assert_eq!(nearest("Replicas", words), Some("replicas"));
        assert_eq!(nearest("tmeplate", words), Some("template"));
        assert_eq!(nearest("strategy", words), None);
    }
}
