//! Values into texts that every YAML parser reads back as the same values.

use std::fmt::Write as _;

use serde_json::Value;

/// Put before a string to have the library quote it: the byte order mark is always escaped, the
/// unassigned character after it never.
const QUOTE: &str = "\u{feff}\u{e0fff}";

/// What stands before that character in the output: the opening quote and the escaped mark.
/// Inside a string the quote would have a backslash before it.
const QUOTED: &str = "\"\\uFEFF";

/// Returns the YAML text of a value, with a line end.
///
/// Strings that some parser would take for another type are quoted; long lines are not folded;
/// what acts on a terminal or isn't seen is escaped.
pub fn to_string<T: serde::Serialize>(value: &T) -> String {
    let text = write(value);
    let invisible = !text.is_ascii() && text.contains(is_invisible);
    let tabbed = text.contains('\t') && text.lines().any(starts_with_tab);
    if !invisible && !tabbed {
        return text;
    }
    serde_json::to_value(value).map_or(text, |value| unmarked(&write(&marked(&value))))
}

fn write<T: serde::Serialize>(value: &T) -> String {
    let mut text = String::new();
    // A `String` takes everything, and a tree of JSON values has nothing that YAML can't say.
    let written = serde_saphyr::to_fmt_writer_with_options(&mut text, value, options());
    debug_assert!(written.is_ok(), "{written:?}");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Tells whether a character beyond the controls is invisible or reorders its neighbours.
pub fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}'                       // soft hyphen
        | '\u{34f}'                    // combining grapheme joiner
        | '\u{61c}'                    // Arabic letter mark
        | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers
        | '\u{17b4}' | '\u{17b5}'      // Khmer inherent vowels
        | '\u{180b}'..='\u{180f}'      // Mongolian selectors and vowel separator
        | '\u{200b}'..='\u{200f}'      // zero width, left-to-right and right-to-left marks
        | '\u{2028}'..='\u{202e}'      // line and paragraph separators, overrides
        | '\u{2060}'..='\u{206f}'      // joiners, invisible operators, isolates, old format characters
        | '\u{feff}'                   // byte order mark
        | '\u{fff0}'..='\u{fffb}'      // unassigned specials, interlinear annotations
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' // shorthand and music controls
        | '\u{e0000}'..='\u{e0fff}'    // tags and further selectors
    )
}

/// Tells whether a line's indentation goes over into a tab. Where that is the first line of a
/// block, Go's YAML reader refuses the text.
fn starts_with_tab(line: &str) -> bool {
    line.trim_start_matches(' ').starts_with('\t')
}

/// Returns a copy in which each string that has to be quoted begins with [`QUOTE`].
fn marked(value: &Value) -> Value {
    let mark = |text: &String| {
        let tabbed = text.contains('\n') && text.lines().any(starts_with_tab);
        if tabbed || text.contains(is_invisible) {
            format!("{QUOTE}{text}")
        } else {
            text.clone()
        }
    };
    match value {
        Value::String(text) => Value::String(mark(text)),
        Value::Array(items) => items.iter().map(marked).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (mark(key), marked(value)))
            .collect(),
        other => other.clone(),
    }
}

/// Takes the marks away and spells invisible characters as escapes.
///
/// The library escapes controls but leaves bidirectional overrides and invisible characters raw,
/// and a block whose first line starts with a tab has no indentation indicator. The mark forces
/// such strings into double quotes (the library's own wrapper for that doesn't reach keys).
fn unmarked(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 16);
    let mut rest = text;
    // Where a mark was taken away: the next one there belongs to the string.
    let mut opened = None;
    while let Some(at) = rest.find(is_invisible) {
        let (before, from) = rest.split_at(at);
        let mut after = from.chars();
        let code = after.next().map_or(0, u32::from);
        safe.push_str(before);
        rest = after.as_str();
        let unquoted = safe.strip_suffix(QUOTED).map(str::len);
        match (code, unquoted) {
            (0xe_0fff, Some(length))
                if opened != Some(length) && !safe[..length].ends_with('\\') =>
            {
                opened = Some(length);
                safe.truncate(length);
                safe.push('"');
            }
            // Writing to a string cannot fail.
            (..=0xffff, _) => _ = write!(safe, "\\u{code:04X}"),
            _ => _ = write!(safe, "\\U{code:08X}"),
        }
    }
    safe.push_str(rest);
    safe
}

/// Returns a text of several documents, separated by `---` lines.
pub fn to_string_many<'a>(values: impl IntoIterator<Item = &'a Value>) -> String {
    let mut text = String::new();
    for (index, value) in values.into_iter().enumerate() {
        if index > 0 {
            text.push_str("---\n");
        }
        text.push_str(&to_string(value));
    }
    text
}

fn options() -> serde_saphyr::SerializerOptions {
    serde_saphyr::ser_options! {
        indent_step: 2,
        min_fold_chars: usize::MAX,
        folded_wrap_chars: usize::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::{Limits, parse_one};
    use serde_json::json;

    /// Strings that some YAML parser takes for something else when they stand unquoted.
    const AWKWARD: &[&str] = &[
        "",
        " ",
        "  x",
        "x ",
        "~",
        "null",
        "Null",
        "NULL",
        "y",
        "n",
        "Y",
        "N",
        "yes",
        "Yes",
        "no",
        "NO",
        "on",
        "off",
        "true",
        "True",
        "FALSE",
        "0",
        "-0",
        "08",
        "0400",
        "0o14",
        "0777_7",
        "1_000",
        "1__0",
        "0x1F",
        "-0x1f",
        "0b11",
        "+12",
        "1e3",
        "1E5",
        "1.5e3",
        "1.",
        ".5",
        "-.5",
        "1.0",
        "1e400",
        ".inf",
        "-.inf",
        "+.INF",
        ".nan",
        ".NaN",
        "2001-01-01",
        "2001-12-14t21:59:43.10-05:00",
        "12:30:45",
        "190:20:30",
        "1:30",
        "<<",
        "=",
        "- x",
        "-",
        "--",
        "---",
        "...",
        "? x",
        "?",
        "a: b",
        "a:",
        ": a",
        "a #b",
        "# a",
        "#a",
        "&a",
        "*a",
        "!a",
        "!!str x",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "{a",
        "}",
        "[a",
        "]",
        ",",
        "a, b",
        "'",
        "\"",
        "it's",
        "say \"x\"",
        "back\\slash",
        "\t",
        "a\tb",
        "\ta\nb",
        "\ta\n",
        "\n\ta",
        "\t\na",
        " \ta\nb",
        "\u{ad}",
        "\u{202e}\n\tx",
        "\"\\uFEFF\u{e0fff}",
        "a\nb",
        "a\n",
        "\na",
        "\n",
        "a\n\n",
        " a\nb",
        "a\n b",
        "a\r\nb",
        "a\rb",
        "\u{0}",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "\u{2029}",
        "\u{feff}",
        "\u{202e}abc",
        "é",
        "漢字",
        "🚀",
        "a trailing colon:",
        "x: y: z",
        "key: value # no",
        "{{ .Values.x }}",
        "{% raw %}",
        "$(X)",
        "%",
        "0.1.2",
        "1.2.3",
        "v1",
        "0xG",
        "inf",
        "NaN",
        "a\\nb",
        "no ",
        "1 ",
        "0b1_1",
        "0_7",
        "1_",
    ];

    #[test]
    fn every_string_comes_back_as_itself() {
        for text in AWKWARD {
            for value in [
                json!(text),
                json!({ "k": text }),
                json!([text, text]),
                json!({ *text: 1 }),
            ] {
                let written = to_string(&value);
                let read = parse_one(&written, &Limits::STREAM);
                assert_eq!(
                    read.as_ref(),
                    Ok(&value),
                    "{text:?} was written as {written:?}"
                );
            }
        }
    }

    #[test]
    fn typed_looking_strings_are_quoted() {
        for text in AWKWARD
            .iter()
            .filter(|text| super::super::scalar::is_typed(text))
        {
            let written = to_string(&json!({ "k": text }));
            assert!(
                written.contains(['"', '\'']),
                "{text:?} was written as {written:?}"
            );
        }
    }

    #[test]
    fn no_control_character_is_written_raw() {
        for text in AWKWARD {
            let written = to_string(&json!({ "k": text }));
            let raw = written
                .chars()
                .find(|c| c.is_control() && !"\n\t".contains(*c));
            assert_eq!(raw, None, "{text:?} was written as {written:?}");
        }
    }

    #[test]
    fn no_block_starts_with_a_tab_and_nothing_invisible_is_raw() {
        for text in AWKWARD {
            let written = to_string(&json!({ "k": text, *text: [text] }));
            let tabbed = |(first, second): (&str, &str)| {
                first.trim_end().ends_with(['|', '>', '-', '+']) && starts_with_tab(second)
            };
            let lines = written.lines().zip(written.lines().skip(1));
            assert!(
                !lines.into_iter().any(tabbed),
                "{text:?} was written as {written:?}"
            );
            assert!(
                !written.contains(is_invisible),
                "{text:?} was written as {written:?}"
            );
        }
    }

    #[test]
    fn long_lines_stay_whole_and_keys_keep_their_order() {
        let value = json!({ "z": "word ".repeat(100).trim(), "a": { "y": [], "x": {} }, "b": [[1], {"c": null}] });
        let written = to_string(&value);
        assert_eq!(parse_one(&written, &Limits::STREAM), Ok(value));
        assert!(written.starts_with("z: "), "{written}");
        assert_eq!(
            written.lines().next().map(str::len),
            Some(3 + 499),
            "{written}"
        );
    }
}
