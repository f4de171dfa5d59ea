//! Texts of a small grammar: shell words, env files, object names, base64.

use std::fmt::Write as _;

/// Splits a command line as a shell does, without expanding anything.
///
/// Returns `None` when a quote is not closed.
pub(super) fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut started = false;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            '\'' => {
                started = true;
                loop {
                    match characters.next()? {
                        '\'' => break,
                        other => word.push(other),
                    }
                }
            }
            '"' => {
                started = true;
                loop {
                    match characters.next()? {
                        '"' => break,
                        '\\' => match characters.next()? {
                            '\n' => {}
                            escaped @ ('"' | '\\' | '$' | '`') => word.push(escaped),
                            other => {
                                word.push('\\');
                                word.push(other);
                            }
                        },
                        other => word.push(other),
                    }
                }
            }
            '\\' => match characters.next()? {
                '\n' => {}
                other => {
                    started = true;
                    word.push(other);
                }
            },
            space if space.is_whitespace() => {
                if started {
                    words.push(std::mem::take(&mut word));
                    started = false;
                }
            }
            other => {
                started = true;
                word.push(other);
            }
        }
    }
    if started {
        words.push(word);
    }
    Some(words)
}

/// How a value of an env file was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quoting {
    /// Variables in it are expanded.
    Open,
    /// It stands as it is.
    Literal,
}

/// One line of an env file: the name, and the value unless only a name was given.
pub(super) type EnvLine = (String, Option<(String, Quoting)>);

/// Reads an env file: `NAME=value`, `export NAME=value`, quotes, comments, values of several lines.
///
/// With `raw` every value stands as written. The error is the number of the line that cannot be read.
pub(super) fn env_file(text: &str, raw: bool) -> Result<Vec<EnvLine>, usize> {
    let mut found = Vec::new();
    let text = text.trim_start_matches('\u{feff}');
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let line = line.trim_start();
        if line.trim_end().is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").map_or(line, str::trim_start);
        let Some((name, value)) = line.split_once('=') else {
            let name = line.trim_end();
            if name.contains(char::is_whitespace) {
                return Err(index + 1);
            }
            found.push((name.to_owned(), None));
            continue;
        };
        let name = name.trim_end();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(index + 1);
        }
        if raw {
            found.push((name.to_owned(), Some((value.to_owned(), Quoting::Literal))));
            continue;
        }
        let value = value.trim_start();
        let quote = value
            .chars()
            .next()
            .filter(|first| matches!(first, '"' | '\''));
        let Some(quote) = quote else {
            let end = value
                .char_indices()
                .zip(std::iter::once(' ').chain(value.chars()))
                .find(|((_, character), before)| *character == '#' && before.is_whitespace())
                .map_or(value.len(), |((at, _), _)| at);
            let value = value.get(..end).unwrap_or(value).trim_end().to_owned();
            found.push((name.to_owned(), Some((value, Quoting::Open))));
            continue;
        };
        let mut quoted = value.get(1..).unwrap_or_default().to_owned();
        let value = loop {
            if let Some(value) = unquote(&quoted, quote) {
                break value;
            }
            let Some((_, more)) = lines.next() else {
                return Err(index + 1);
            };
            quoted.push('\n');
            quoted.push_str(more);
        };
        let quoting = if quote == '"' {
            Quoting::Open
        } else {
            Quoting::Literal
        };
        found.push((name.to_owned(), Some((value, quoting))));
    }
    Ok(found)
}

/// Returns the text up to the closing quote, or `None` when there is none yet.
fn unquote(text: &str, quote: char) -> Option<String> {
    let mut value = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character == quote {
            return Some(value);
        }
        if quote == '"' && character == '\\' {
            match characters.next()? {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                // Stays escaped for the expansion of variables that follows.
                '$' => value.push_str("$$"),
                escaped @ ('"' | '\\') => value.push(escaped),
                other => {
                    value.push('\\');
                    value.push(other);
                }
            }
        } else {
            value.push(character);
        }
    }
    None
}

/// Makes a name that Kubernetes accepts for any object: a DNS label that starts with a letter.
///
/// Returns `None` when nothing of the name is left.
pub(super) fn object_name(name: &str) -> Option<String> {
    let mut label = String::new();
    for character in name.chars() {
        let character = character.to_ascii_lowercase();
        if character.is_ascii_lowercase() || character.is_ascii_digit() {
            label.push(character);
        } else if !label.is_empty() && !label.ends_with('-') || character == '-' {
            label.push('-');
        }
    }
    let label = label.trim_matches('-');
    if label.is_empty() {
        return None;
    }
    let label = if label.starts_with(|first: char| first.is_ascii_digit()) {
        format!("x-{label}")
    } else {
        label.to_owned()
    };
    let cut = label.get(..63).unwrap_or(&label);
    Some(cut.trim_end_matches('-').to_owned())
}

/// Makes a key that a `ConfigMap` or a Secret accepts.
pub(super) fn data_key(name: &str) -> String {
    let key: String = name
        .chars()
        .map(|character| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' => character,
            _ => '_',
        })
        .take(250)
        .collect();
    match key.as_str() {
        "" => "_".to_owned(),
        // These two prefixes are not allowed.
        text if text == "." || text.starts_with("..") => format!("_{text}"),
        _ => key,
    }
}

/// Says whether the text can be the value of a label.
pub(super) fn is_label_value(text: &str) -> bool {
    text.is_empty() || text.len() <= 63 && is_name_part(text)
}

/// Says whether the text can be the key of a label or an annotation.
pub(super) fn is_label_key(text: &str) -> bool {
    let name = match text.split_once('/') {
        None => text,
        Some((prefix, name)) => {
            let dns = prefix.len() <= 253
                && prefix.split('.').all(|label| {
                    !label.is_empty()
                        && label.len() <= 63
                        && !label.starts_with('-')
                        && !label.ends_with('-')
                        && label
                            .chars()
                            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                });
            if !dns {
                return false;
            }
            name
        }
    };
    !name.is_empty() && name.len() <= 63 && is_name_part(name)
}

/// Letters and digits, with `-`, `_` and `.` inside.
fn is_name_part(text: &str) -> bool {
    let edge = |character: Option<char>| character.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(text.chars().next())
        && edge(text.chars().next_back())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Protects a text from the expansion of `$(NAME)` that the kubelet does in commands and variables.
pub(super) fn escape_dollars(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        escaped.push(character);
        if character == '$' && matches!(characters.peek(), Some('$' | '(')) {
            escaped.push('$');
        }
    }
    escaped
}

/// Writes the text between quotes, shortened to what fits a message.
pub(super) fn shorten(text: &str) -> String {
    let mut short = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == 80 {
            short.push('…');
            break;
        }
        if character.is_control() {
            let _ = write!(short, "{}", character.escape_default());
        } else {
            short.push(character);
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_splits_like_a_shell_does() {
        for (line, expected) in [
            ("npm run start", Some(vec!["npm", "run", "start"])),
            (
                "sh -c 'echo \"a b\"'",
                Some(vec!["sh", "-c", "echo \"a b\""]),
            ),
            (
                r#"a "b \"c\" \d" e\ f"#,
                Some(vec!["a", "b \"c\" \\d", "e f"]),
            ),
            ("  a\n\tb  ", Some(vec!["a", "b"])),
            ("--name='x'y\"z\"", Some(vec!["--name=xyz"])),
            ("a '' \"\"", Some(vec!["a", "", ""])),
            ("a \\\n b", Some(vec!["a", "b"])),
            ("", Some(vec![])),
            ("echo 'open", None),
            ("echo \"open", None),
            ("echo \\", None),
        ] {
            let expected =
                expected.map(|words| words.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(split(line), expected, "{line}");
        }
    }

    #[test]
    fn an_env_file_is_read_with_its_quotes_and_comments() {
        let text = "# a\nA=1\nexport B = two # rest\nC=\"x\\n${A}\"\nD='$A # no'\nE=\nF\nG=\"l1\nl2\"\nH=a#b\nI=\"\\$A\"\n";
        let open = |text: &str| Some((text.to_owned(), Quoting::Open));
        let expected: Vec<EnvLine> = vec![
            ("A".into(), open("1")),
            ("B".into(), open("two")),
            ("C".into(), open("x\n${A}")),
            ("D".into(), Some(("$A # no".into(), Quoting::Literal))),
            ("E".into(), open("")),
            ("F".into(), None),
            ("G".into(), open("l1\nl2")),
            ("H".into(), open("a#b")),
            ("I".into(), open("$$A")),
        ];
        assert_eq!(env_file(text, false), Ok(expected));
        assert_eq!(
            env_file("A='x' # y", true),
            Ok(vec![(
                "A".into(),
                Some(("'x' # y".into(), Quoting::Literal))
            )])
        );
        assert_eq!(env_file("A=1\nnot a line\n", false), Err(2));
        assert_eq!(env_file("=x", false), Err(1));
        assert_eq!(env_file("A=\"open\n\n", false), Err(1));
    }

    #[test]
    fn names_become_dns_labels() {
        for (name, expected) in [
            ("web", Some("web")),
            ("My_DB", Some("my-db")),
            ("a..b", Some("a-b")),
            ("_x_", Some("x")),
            ("3scale", Some("x-3scale")),
            ("café", Some("caf")),
            ("___", None),
            ("", None),
        ] {
            assert_eq!(object_name(name).as_deref(), expected, "{name}");
        }
        assert_eq!(
            object_name(&"a".repeat(80)).map(|name| name.len()),
            Some(63)
        );
    }

    #[test]
    fn dollars_survive_the_expansion_of_the_kubelet() {
        for (text, expected) in [
            ("$HOME", "$HOME"),
            ("$(date)", "$$(date)"),
            ("$$", "$$$"),
            ("$$(x)", "$$$$(x)"),
            ("a$", "a$"),
        ] {
            assert_eq!(escape_dollars(text), expected, "{text}");
            assert_eq!(kubelet(expected), text);
        }
    }

    /// The kubelet's expansion, with no variable known.
    fn kubelet(text: &str) -> String {
        text.replace("$$", "$")
    }

    #[test]
    fn label_keys_and_values_follow_the_rules() {
        for text in ["a", "a.b/c_d-e", "traefik.enable", "example.com/x"] {
            assert!(is_label_key(text), "{text}");
        }
        for text in ["", "-a", "a/", "/a", "A_b/c", "a b", "a/b/c"] {
            assert!(!is_label_key(text), "{text}");
        }
        assert!(is_label_value("") && is_label_value("v1.2_x"));
        assert!(!is_label_value("Host(`x`)") && !is_label_value(&"x".repeat(64)));
        assert_eq!(data_key("a/b c.txt"), "a_b_c.txt");
        assert_eq!(data_key("../x"), "_.._x");
    }
}
