//! Values into texts that every YAML parser reads back as the same values.

use serde_json::Value;

/// Returns the YAML text of a value, with a line end.
///
/// Strings that some parser would take for another type are quoted; long lines are not folded.
pub fn to_string<T: serde::Serialize>(value: &T) -> String {
    let mut text = String::new();
    // A `String` takes everything, and a tree of JSON values has nothing that YAML can't say.
    let written = serde_saphyr::to_fmt_writer_with_options(&mut text, value, options());
    debug_assert!(written.is_ok(), "{written:?}");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
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
