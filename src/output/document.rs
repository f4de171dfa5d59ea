//! JSON and YAML documents: `apiVersion` and `kind` first, then the value's own fields.
//!
//! JSON is written straight from the value, so that a long list is never held twice. Neither form
//! carries a raw character that could act on a terminal: JSON spells them `\u009b`, YAML quotes
//! them.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use super::escape;

/// The version of every document that we write.
pub const API_VERSION: &str = "weftctl.dev/v1";

/// A value with the two fields that say what it is.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a, T: ?Sized> {
    #[serde(rename = "apiVersion")]
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    body: &'a T,
}

impl<'a, T: Serialize + ?Sized> Document<'a, T> {
    pub(super) fn new(kind: &'static str, body: &'a T) -> Self {
        Self {
            api_version: API_VERSION,
            kind,
            body,
        }
    }
}

/// Writes a value as JSON indented by two blanks, with a line break at the end.
pub fn write_json<T: Serialize + ?Sized>(out: &mut dyn Write, value: &T) -> io::Result<()> {
    serialize(&mut *out, value, PrettyFormatter::new())?;
    out.write_all(b"\n")
}

/// Writes a value as JSON without any blanks or line breaks.
pub fn write_compact_json<T: Serialize + ?Sized>(out: &mut dyn Write, value: &T) -> io::Result<()> {
    serialize(out, value, CompactFormatter)
}

/// Writes a value as YAML.
pub fn write_yaml(out: &mut dyn Write, value: &Value) -> io::Result<()> {
    out.write_all(weft_domain::yaml::to_string(value).as_bytes())
}

fn serialize<T: Serialize + ?Sized>(
    out: &mut dyn Write,
    value: &T,
    formatter: impl Formatter,
) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(
        out,
        Escaping(formatter),
    ))?;
    Ok(())
}

/// Escapes in JSON strings what `serde_json` leaves raw: DEL, C1 controls, bidirectional
/// overrides and invisible characters. Everything else is the inner formatter's.
struct Escaping<F>(F);

impl<F: Formatter> Formatter for Escaping<F> {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|&(_, c)| escape::is_unsafe(c)) {
            self.0.write_string_fragment(out, &rest[..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        self.0.write_string_fragment(out, rest)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWKWARD: &str = "a\u{1b}b\u{7f}c\u{9b}d\u{202e}e\u{200b}f\u{e0041}g\u{feff}h\nü\t\"q\"\\";

    fn json(value: &Value) -> String {
        let mut out = Vec::new();
        write_json(&mut out, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_indented_and_ends_with_a_line_break() {
        let value = serde_json::json!({"items": [{"name": "a", "ports": []}, {}]});
        assert_eq!(
            json(&value),
            serde_json::to_string_pretty(&value).unwrap() + "\n"
        );
    }

    #[test]
    fn json_has_no_raw_controls_and_reads_back_the_same() {
        let value = serde_json::json!({ AWKWARD: [AWKWARD] });
        let text = json(&value);
        assert!(
            !text.chars().any(|c| escape::is_unsafe(c) && c != '\n'),
            "{text}"
        );
        assert!(
            text.contains(
                r#"a\u001bb\u007fc\u009bd\u202ee\u200bf\udb40\udc41g\ufeffh\nü\t\"q\"\\"#
            ),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn a_string_that_looks_like_our_mark_survives_in_yaml() {
        const QUOTE: &str = "\u{feff}\u{e0fff}";
        for text in [
            QUOTE.to_owned(),
            format!("{QUOTE}{QUOTE}"),
            format!("\"{QUOTE}"),
            format!("\\\"{QUOTE}x"),
            "\"\\uFEFF\u{e0fff}".to_owned(),
        ] {
            let value =
                serde_json::json!({ text.as_str(): [text.as_str(), {"plain": "\"\\uFEFF"}] });
            let yaml = weft_domain::yaml::to_string(&value);
            assert!(!yaml.contains(escape::is_invisible));
            assert_eq!(
                weft_domain::yaml::parse_one(&yaml, &weft_domain::yaml::Limits::STREAM).unwrap(),
                value,
                "{yaml:?}"
            );
        }
    }

    #[test]
    fn yaml_has_no_raw_controls_and_reads_back_the_same() {
        for c in (0..=0xe_0fff)
            .filter_map(char::from_u32)
            .filter(|c| escape::is_unsafe(*c))
        {
            for text in [
                format!("a{c}b"),
                format!("{c}"),
                format!("a\n{c}\n"),
                format!("{c} # x"),
                format!("{}{c}", "word ".repeat(40)),
            ] {
                let value = serde_json::json!({ text.as_str(): [text.as_str()] });
                let yaml = weft_domain::yaml::to_string(&value);
                assert!(
                    !yaml
                        .chars()
                        .any(|c| escape::is_unsafe(c) && !matches!(c, '\n' | '\t')),
                    "{:x} {yaml:?}",
                    u32::from(c)
                );
                assert_eq!(
                    weft_domain::yaml::parse_one(&yaml, &weft_domain::yaml::Limits::STREAM)
                        .unwrap(),
                    value,
                    "{yaml:?}"
                );
            }
        }
    }
}
