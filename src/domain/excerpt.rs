//! The beginning of a text that is too long for a message.

use std::borrow::Cow;

/// Returns a text of at most so many characters as it is, and of a longer one its beginning with an ellipsis.
pub fn excerpt(text: &str, characters: usize) -> Cow<'_, str> {
    match text.char_indices().nth(characters) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn only_what_is_too_long_is_cut_and_never_inside_a_character() {
        let table = [
            ("", 0, ""),
            ("äöü", 3, "äöü"),
            ("äöü!", 3, "äöü…"),
            ("日本語", 0, "…"),
        ];
        for (text, characters, expected) in table {
            assert_eq!(excerpt(text, characters), expected, "{text}");
        }
    }
}
