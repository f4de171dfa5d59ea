//! Makes text from outside harmless to look at.
//!
//! A label, a row or a registry's answer must not move the cursor, recolour the screen, reverse a
//! line or hide in it. Everything that shows text to people ([`Text`](super::terminal::Text),
//! tables, names, prompts, progress) passes through here, so that no command can forget it.
//! A backslash that is already in the text stays as it is: this is for eyes, not for parsing back.

use std::borrow::Cow;
use std::fmt::Write as _;

pub(crate) use weft_domain::yaml::is_invisible;

/// Escapes everything that could act on a terminal, line breaks and tabs included.
pub fn line(text: &str) -> Cow<'_, str> {
    escape(text, is_unsafe)
}

/// Escapes like [`line()`] but keeps line feeds and tabs, for text of several lines.
pub fn block(text: &str) -> Cow<'_, str> {
    escape(text, |c| is_unsafe(c) && c != '\n' && c != '\t')
}

/// Tells whether a character acts on a terminal or on the order of what is read, or isn't seen.
pub fn is_unsafe(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

fn escape(text: &str, bad: impl Fn(char) -> bool) -> Cow<'_, str> {
    let Some(first) = text.find(&bad) else {
        return Cow::Borrowed(text);
    };
    let mut safe = String::with_capacity(text.len() + 16);
    safe.push_str(&text[..first]);
    for c in text[first..].chars() {
        match c {
            c if !bad(c) => safe.push(c),
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            // Writing to a string cannot fail.
            c => _ = write!(safe, "\\u{{{:x}}}", u32::from(c)),
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_becomes_visible() {
        let cases = [
            ("plain", "plain"),
            ("", ""),
            ("grüße 🦀 日本", "grüße 🦀 日本"),
            ("e\u{301}", "e\u{301}"),
            ("❤\u{fe0f}", "❤\u{fe0f}"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\nb\r\nc\td", "a\\nb\\r\\nc\\td"),
            (
                "bell\u{7} back\u{8} del\u{7f} nul\0",
                "bell\\u{7} back\\u{8} del\\u{7f} nul\\u{0}",
            ),
            ("next\u{85}line", "next\\u{85}line"),
            ("\u{202e}txt.exe", "\\u{202e}txt.exe"),
            ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
            (
                "a\u{200e}b\u{200f}c\u{61c}",
                "a\\u{200e}b\\u{200f}c\\u{61c}",
            ),
            ("ad\u{200b}min\u{feff}", "ad\\u{200b}min\\u{feff}"),
            ("tag\u{e0041}", "tag\\u{e0041}"),
            ("back\\slash", "back\\slash"),
            // Lone surrogates cannot be in a string: decoding has made them visible already.
            (
                &String::from_utf8_lossy(b"a\xed\xa0\x80b"),
                "a\u{fffd}\u{fffd}\u{fffd}b",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(line(text), expected, "{text:?}");
            assert!(!line(text).chars().any(is_unsafe), "{text:?}");
        }
    }

    #[test]
    fn a_block_keeps_its_lines() {
        assert_eq!(block("a\n\tb\r\u{1b}c"), "a\n\tb\\r\\u{1b}c");
    }

    #[test]
    fn harmless_text_is_not_copied() {
        assert!(matches!(line("web-7d4b9"), Cow::Borrowed(_)));
    }
}
