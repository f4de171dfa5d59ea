//! Variables in values: `$NAME`, `${NAME}`, defaults, alternatives, required ones, `$$`.
//! Keys are left alone, and so is everything under an `x-` key of the top: it counts only where it is used.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Error, Notes, words};

/// How deep defaults may hold variables with defaults.
const DEEPEST: usize = 16;

/// Replaces the variables in every text of the tree.
pub(super) fn tree(
    value: &Value,
    path: &str,
    environment: &BTreeMap<String, String>,
    notes: &mut Notes,
) -> Result<Value, Error> {
    Ok(match value {
        Value::String(string) => Value::String(text(string, path, environment, notes)?),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| tree(item, &format!("{path}[{index}]"), environment, notes))
            .collect::<Result<_, _>>()?,
        Value::Object(entries) => {
            let mut done = serde_json::Map::new();
            for (key, entry) in entries {
                let replaced = if path.is_empty() && key.starts_with("x-") {
                    entry.clone()
                } else if path.is_empty() {
                    tree(entry, key, environment, notes)?
                } else {
                    tree(entry, &format!("{path}.{key}"), environment, notes)?
                };
                done.insert(key.clone(), replaced);
            }
            Value::Object(done)
        }
        other => other.clone(),
    })
}

/// Replaces the variables in one text.
pub(super) fn text(
    source: &str,
    path: &str,
    environment: &BTreeMap<String, String>,
    notes: &mut Notes,
) -> Result<String, Error> {
    let mut reader = Reader {
        path,
        environment,
        notes,
    };
    reader.replace(source, 0)
}

/// What follows the name between braces.
enum Rule<'a> {
    Plain,
    Default { text: &'a str, when_empty: bool },
    Required { text: &'a str, when_empty: bool },
    Instead { text: &'a str, when_empty: bool },
}

struct Reader<'a> {
    path: &'a str,
    environment: &'a BTreeMap<String, String>,
    notes: &'a mut Notes,
}

impl Reader<'_> {
    /// Shows the place of the dollar sign and no more: the text around it may be a password.
    fn invalid(&self, after: &str) -> Error {
        let shown = if after.starts_with('{') {
            let end = after.find('}').map_or(after.len(), |end| end + 1);
            after.get(..end).unwrap_or(after).to_owned()
        } else {
            after.chars().take(1).collect()
        };
        Error::Interpolation {
            path: self.path.to_owned(),
            value: words::shorten(&format!("${shown}")),
        }
    }

    fn replace(&mut self, mut rest: &str, depth: usize) -> Result<String, Error> {
        if depth > DEEPEST {
            return Err(self.invalid("{"));
        }
        let mut done = String::new();
        while let Some((before, after)) = rest.split_once('$') {
            done.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                done.push('$');
                rest = after;
            } else if let Some(after) = after.strip_prefix('{') {
                let end = closing(after).ok_or_else(|| self.invalid(&format!("{{{after}")))?;
                let inner = after.get(..end).unwrap_or_default();
                done.push_str(&self.braced(inner, depth)?);
                rest = after.get(end + 1..).unwrap_or_default();
            } else {
                let (name, after) = name(after).ok_or_else(|| self.invalid(after))?;
                done.push_str(&self.plain(name));
                rest = after;
            }
        }
        done.push_str(rest);
        Ok(done)
    }

    fn braced(&mut self, inner: &str, depth: usize) -> Result<String, Error> {
        let invalid = |reader: &Self| reader.invalid(&format!("{{{inner}}}"));
        let (name, rest) = name(inner).ok_or_else(|| invalid(self))?;
        let (when_empty, operator) = match rest.strip_prefix(':') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let rule = if rest.is_empty() {
            Rule::Plain
        } else if let Some(text) = operator.strip_prefix('-') {
            Rule::Default { text, when_empty }
        } else if let Some(text) = operator.strip_prefix('?') {
            Rule::Required { text, when_empty }
        } else if let Some(text) = operator.strip_prefix('+') {
            Rule::Instead { text, when_empty }
        } else {
            return Err(invalid(self));
        };
        let set = self.environment.get(name).cloned();
        let counts = |when_empty: bool| {
            set.clone()
                .filter(|value| !(when_empty && value.is_empty()))
        };
        match rule {
            Rule::Plain => Ok(self.plain(name)),
            Rule::Default { text, when_empty } => match counts(when_empty) {
                Some(value) => Ok(value),
                None => self.replace(text, depth + 1),
            },
            Rule::Required { text, when_empty } => match counts(when_empty) {
                Some(value) => Ok(value),
                None => Err(Error::Required {
                    path: self.path.to_owned(),
                    variable: name.to_owned(),
                    message: self.replace(text, depth + 1)?,
                }),
            },
            Rule::Instead { text, when_empty } => match counts(when_empty) {
                Some(_) => self.replace(text, depth + 1),
                None => Ok(String::new()),
            },
        }
    }

    fn plain(&mut self, name: &str) -> String {
        if let Some(value) = self.environment.get(name) {
            return value.clone();
        }
        self.notes.add(
            self.path,
            format!("variable {name} is not set; an empty text stands in its place"),
        );
        String::new()
    }
}

/// Splits a variable's name off the front.
fn name(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
        .unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    (!name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit()))
        .then_some((name, rest))
}

/// Returns where the brace that is already open closes.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    let mut previous = ' ';
    for (at, character) in text.char_indices() {
        match character {
            '{' if previous == '$' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
        previous = character;
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn environment() -> BTreeMap<String, String> {
        [("A", "1"), ("EMPTY", ""), ("TAG", "v2")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn variables_are_replaced_as_compose_does() {
        for (source, expected) in [
            ("plain", "plain"),
            ("$A-${TAG}", "1-v2"),
            ("${NO:-x}", "x"),
            ("${EMPTY:-x}|${EMPTY-x}", "x|"),
            ("${NO-}", ""),
            ("${A:+yes}${NO:+no}${EMPTY+set}", "yesset"),
            ("$${A} $$", "${A} $"),
            ("${NO:-${TAG}-${NO2:-deep}}", "v2-deep"),
            ("${A:?must}", "1"),
            ("${NO:-a}b}", "ab}"),
            ("${NO:-http://x/?q=1}", "http://x/?q=1"),
        ] {
            let mut notes = Notes::default();
            let done = text(source, "p", &environment(), &mut notes);
            assert_eq!(done.as_deref(), Ok(expected), "{source}");
            assert!(notes.list.is_empty(), "{source}");
        }
    }

    #[test]
    fn an_unset_variable_is_empty_and_noted() {
        let mut notes = Notes::default();
        let value =
            json!({"x-a": "$NOT", "services": {"web": {"image": "a:$NO", "k": ["${NO2}"]}}});
        let done = tree(&value, "", &environment(), &mut notes).expect("no required variable");
        assert_eq!(done["services"]["web"]["image"], "a:");
        assert_eq!(done["x-a"], "$NOT");
        let paths: Vec<_> = notes.list.iter().map(|note| note.path.as_str()).collect();
        assert_eq!(paths, ["services.web.image", "services.web.k[0]"]);
    }

    #[test]
    fn a_required_variable_and_a_bad_form_are_errors() {
        let mut notes = Notes::default();
        for (source, message) in [
            ("${NO:?set it}", "p: variable NO is not set: set it"),
            ("${EMPTY:?}", "p: variable EMPTY is not set"),
            (
                "cost: $5",
                "p: invalid variable in '$5' (a literal dollar sign is written $$)",
            ),
            (
                "${A",
                "p: invalid variable in '${A' (a literal dollar sign is written $$)",
            ),
            (
                "${A!x}",
                "p: invalid variable in '${A!x}' (a literal dollar sign is written $$)",
            ),
        ] {
            let error = text(source, "p", &environment(), &mut notes).expect_err(source);
            assert_eq!(error.to_string(), message);
        }
        let deep = format!("{}x{}", "${N:-".repeat(100), "}".repeat(100));
        assert!(text(&deep, "p", &environment(), &mut notes).is_err());
    }
}
