//! `-o jsonpath=…` in kubectl's dialect.
//!
//! A template is text with `{…}` actions: paths, quoted literals, and `{range …}…{end}`. Paths are
//! translated into RFC 9535 and evaluated by `serde_json_path`. What is missing prints nothing.
//!
//! Kept from kubectl because scripts rely on it: `$` inside a range is the current object, a union
//! lists all of its first branch before the second, a dot inside `['a.b']` separates, and `!=`
//! skips objects without the field. More generous than kubectl: a path without braces is a path,
//! `['a.b']` also finds a key of that name, an index out of bounds prints nothing, filters may use
//! `&&`, `||`, `!` and `null`, and keys may be in double quotes.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::CharIndices;

use serde_json::Value;
use serde_json_path::JsonPath;

use super::document;

/// The longest expression, in bytes.
const LONGEST: usize = 16 * 1_024;
/// The deepest nesting of ranges, filters and parentheses.
const DEEPEST: usize = 32;
/// The most paths that the unions of one action may stand for.
const MOST: usize = 256;

/// An expression that was parsed.
#[derive(Clone, Debug)]
pub struct Expression(Vec<Node>);

/// An expression that cannot be parsed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid jsonpath at character {position}: {message}")]
pub struct JsonPathError {
    /// Where, counted in characters from 1.
    pub position: usize,
    /// What is wrong.
    pub message: String,
}

#[derive(Clone, Debug)]
enum Node {
    Text(String),
    Paths(Vec<JsonPath>),
    Range(Vec<JsonPath>, Vec<Node>),
}

impl Expression {
    /// Parses an expression; one without braces is a single path.
    pub fn parse(source: &str) -> Result<Self, JsonPathError> {
        let mut parser = Parser {
            source,
            chars: source.char_indices().peekable(),
            depth: 0,
        };
        if source.len() > LONGEST {
            return Err(parser.error(0, format!("longer than {LONGEST} bytes")));
        }
        if !source.contains('{') {
            let paths = parser.bare()?;
            return Ok(Self(vec![Node::Paths(paths)]));
        }
        Ok(Self(parser.nodes(None)?))
    }

    /// Returns what the expression prints of a document.
    pub fn render(&self, document: &Value) -> String {
        let mut text = String::new();
        render(&self.0, document, &mut text);
        text
    }
}

fn render(nodes: &[Node], current: &Value, text: &mut String) {
    for node in nodes {
        match node {
            Node::Text(literal) => text.push_str(literal),
            Node::Paths(paths) => {
                for (number, value) in query(paths, current).enumerate() {
                    if number > 0 {
                        text.push(' ');
                    }
                    push_value(value, text);
                }
            }
            Node::Range(paths, body) => {
                for value in query(paths, current) {
                    render(body, value, text);
                }
            }
        }
    }
}

fn query<'a>(paths: &'a [JsonPath], current: &'a Value) -> impl Iterator<Item = &'a Value> {
    paths.iter().flat_map(|path| path.query(current))
}

/// Appends a value as kubectl prints it: strings raw, whole numbers without a fraction, objects
/// and arrays as compact JSON.
fn push_value(value: &Value, text: &mut String) {
    match value {
        Value::String(string) => text.push_str(string),
        Value::Array(_) | Value::Object(_) => {
            let mut json = Vec::new();
            // Neither writing to memory nor serializing a `Value` can fail.
            _ = document::write_compact_json(&mut json, value);
            text.push_str(&String::from_utf8_lossy(&json));
        }
        Value::Number(number) => match number
            .as_f64()
            .filter(|f| number.is_f64() && f.fract() == 0.0 && f.abs() < 1e15)
        {
            Some(whole) => _ = write!(text, "{whole:.0}"),
            None => _ = write!(text, "{number}"),
        },
        Value::Null | Value::Bool(_) => _ = write!(text, "{value}"),
    }
}

/// One step of a path, before translation.
#[derive(Clone, Debug)]
enum Segment {
    /// What RFC 9535 writes as `[…]`, and whether it can only select one value.
    Plain { selector: String, single: bool },
    /// One of several continuations.
    Union(Vec<Vec<Segment>>),
    /// `..`: the next segment applies at every depth.
    Descend,
}

impl Segment {
    fn key(name: &str) -> Self {
        Self::Plain {
            selector: format!("[{}]", Value::from(name)),
            single: true,
        }
    }

    fn many(selector: impl Into<String>) -> Self {
        Self::Plain {
            selector: selector.into(),
            single: false,
        }
    }
}

/// The RFC 9535 spellings that a path stands for, without their first `$` or `@`.
fn expand(segments: &[Segment]) -> Vec<String> {
    let mut paths = vec![String::new()];
    for segment in segments {
        match segment {
            Segment::Plain { selector, .. } => append(&mut paths, selector),
            Segment::Descend => append(&mut paths, ".."),
            Segment::Union(branches) => {
                // As in kubectl: everything by the first branch, then everything by the second.
                paths = branches
                    .iter()
                    .flat_map(|branch| expand(branch))
                    .flat_map(|branch| paths.iter().map(move |path| format!("{path}{branch}")))
                    .take(MOST + 1)
                    .collect();
            }
        }
    }
    paths
}

fn append(paths: &mut [String], text: &str) {
    for path in paths {
        path.push_str(text);
    }
}

/// One side of a comparison: the spellings it stands for, and whether they are paths.
struct Operand {
    at: usize,
    forms: Vec<String>,
    path: bool,
    single: bool,
}

struct Parser<'a> {
    source: &'a str,
    chars: Peekable<CharIndices<'a>>,
    depth: usize,
}

type Parsed<T> = Result<T, JsonPathError>;

impl Parser<'_> {
    fn error(&self, offset: usize, message: impl Into<String>) -> JsonPathError {
        let position = self.source[..offset].chars().count() + 1;
        JsonPathError {
            position,
            message: message.into(),
        }
    }

    fn offset(&mut self) -> usize {
        self.chars
            .peek()
            .map_or(self.source.len(), |&(offset, _)| offset)
    }

    fn rest(&mut self) -> &str {
        let offset = self.offset();
        &self.source[offset..]
    }

    fn peek(&mut self) -> Option<char> {
        self.chars.peek().map(|&(_, c)| c)
    }

    fn next(&mut self) -> Option<char> {
        self.chars.next().map(|(_, c)| c)
    }

    fn eat(&mut self, text: &str) -> bool {
        let eaten = self.rest().starts_with(text);
        if eaten {
            for _ in text.chars() {
                self.next();
            }
        }
        eaten
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let ends = self
            .rest()
            .strip_prefix(word)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
        ends && self.eat(word)
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> String {
        let mut text = String::new();
        while let Some((_, c)) = self.chars.next_if(|&(_, c)| keep(c)) {
            text.push(c);
        }
        text
    }

    fn spaces(&mut self) {
        while self.chars.next_if(|&(_, c)| c.is_whitespace()).is_some() {}
    }

    fn expect(&mut self, text: &str, missing: &str) -> Parsed<()> {
        self.spaces();
        let offset = self.offset();
        if self.eat(text) {
            Ok(())
        } else {
            Err(self.unexpected(offset, missing))
        }
    }

    /// Names what stands at an offset, or what is missing if that is the end.
    fn unexpected(&self, offset: usize, missing: &str) -> JsonPathError {
        match self.source[offset..].chars().next() {
            Some(c) => self.error(offset, format!("unexpected {c:?}, {missing}")),
            None => self.error(offset, missing),
        }
    }

    fn deeper<T>(&mut self, at: usize, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == DEEPEST {
            return Err(self.error(at, format!("nested deeper than {DEEPEST}")));
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        result
    }

    /// Parses text and actions up to the end, or up to the `{end}` of the range opened at `range`.
    fn nodes(&mut self, range: Option<usize>) -> Parsed<Vec<Node>> {
        let mut nodes = Vec::new();
        loop {
            let text = self.take_while(|c| c != '{');
            if !text.is_empty() {
                nodes.push(Node::Text(text));
            }
            let start = self.offset();
            if self.next().is_none() {
                return match range {
                    Some(range) => Err(self.error(range, "range without {end}")),
                    None => Ok(nodes),
                };
            }
            self.spaces();
            let at = self.offset();
            if self.eat_word("end") {
                self.expect("}", "a '}' is missing")?;
                return if range.is_some() {
                    Ok(nodes)
                } else {
                    Err(self.error(at, "end without {range}"))
                };
            }
            nodes.push(self.action(start)?);
        }
    }

    fn action(&mut self, start: usize) -> Parsed<Node> {
        let at = self.offset();
        let node = if self.eat_word("range") {
            self.spaces();
            let paths = self.paths(false)?;
            self.expect("}", "a '}' is missing")?;
            let body = self.deeper(start, |parser| parser.nodes(Some(start)))?;
            return Ok(Node::Range(paths, body));
        } else if let Some('"' | '\'') = self.peek() {
            Node::Text(self.quoted()?)
        } else if let Some('0'..='9' | '-' | '+') = self.peek() {
            let number =
                self.take_while(|c| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E'));
            match number.parse::<f64>() {
                Ok(_) => Node::Text(number.trim_start_matches('+').to_owned()),
                Err(_) => return Err(self.error(at, format!("{number} is not a number"))),
            }
        } else if self.eat_word("true") {
            Node::Text("true".to_owned())
        } else if self.eat_word("false") {
            Node::Text("false".to_owned())
        } else {
            Node::Paths(self.paths(false)?)
        };
        self.expect("}", "a '}' is missing")?;
        Ok(node)
    }

    /// Parses a whole expression without braces.
    fn bare(&mut self) -> Parsed<Vec<JsonPath>> {
        self.spaces();
        let bare_name = self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_');
        if self.peek().is_none() {
            return Err(self.error(0, "nothing to select; try {.items[*].name}"));
        }
        let paths = self.paths(bare_name)?;
        let end = self.offset();
        if end < self.source.len() {
            Err(self.unexpected(end, "expected the end of the path"))
        } else {
            Ok(paths)
        }
    }

    fn paths(&mut self, bare_name: bool) -> Parsed<Vec<JsonPath>> {
        let at = self.offset();
        let segments = self.segments(bare_name, false)?;
        let spellings = expand(&segments);
        if spellings.len() > MOST {
            return Err(self.error(at, format!("unions for more than {MOST} paths")));
        }
        spellings
            .iter()
            .map(|path| {
                JsonPath::parse(&format!("${path}"))
                    .map_err(|error| self.error(at, error.message()))
            })
            .collect()
    }

    /// Parses the steps of a path; inside a filter operators end it too.
    fn segments(&mut self, bare_name: bool, in_filter: bool) -> Parsed<Vec<Segment>> {
        let mut segments = Vec::new();
        if bare_name {
            segments.push(self.field(in_filter));
        } else if let Some('$' | '@') = self.peek() {
            self.next();
        }
        loop {
            let at = self.offset();
            let name_ends = |c: char| ends_name(c, in_filter);
            if self.eat("..") {
                segments.push(Segment::Descend);
                match self.peek() {
                    Some('[') => {}
                    Some(c) if !name_ends(c) => segments.push(self.field(in_filter)),
                    _ => return Err(self.error(at, "'..' needs a name or a bracket after it")),
                }
            } else if self.eat(".") {
                match self.peek() {
                    Some(c) if !name_ends(c) => segments.push(self.field(in_filter)),
                    // `{.}` is the current object.
                    _ if segments.is_empty() => return Ok(segments),
                    _ => return Err(self.error(at, "'.' needs a name after it")),
                }
            } else if self.eat("[") {
                let segment = self.deeper(at, |parser| parser.bracket(at))?;
                segments.push(segment);
            } else if !in_filter && self.peek().is_some_and(char::is_whitespace) {
                self.spaces();
            } else if let Some(c) = self.peek().filter(|&c| !name_ends(c)) {
                let hint = if segments.is_empty() {
                    format!("unexpected {c:?}; a path begins with a dot")
                } else {
                    format!("unexpected {c:?}")
                };
                return Err(self.error(at, hint));
            } else {
                return Ok(segments);
            }
        }
    }

    /// Parses a name after a dot; a backslash takes the next character as it is.
    fn field(&mut self, in_filter: bool) -> Segment {
        let mut name = String::new();
        let mut escaped = false;
        while let Some((_, c)) = self.chars.next_if(|&(_, c)| !ends_name(c, in_filter)) {
            if c == '\\' {
                escaped = true;
                name.extend(self.next());
            } else {
                name.push(c);
            }
        }
        if name == "*" && !escaped {
            Segment::many("[*]")
        } else {
            Segment::key(&name)
        }
    }

    /// Parses what follows a `[`.
    fn bracket(&mut self, at: usize) -> Parsed<Segment> {
        let mut branches: Vec<Vec<Segment>> = Vec::new();
        loop {
            self.spaces();
            let element = self.offset();
            match self.peek() {
                Some('?') => branches.push(vec![self.filter()?]),
                Some('*') => {
                    self.next();
                    branches.push(vec![Segment::many("[*]")]);
                }
                Some('"' | '\'') => branches.extend(self.quoted_key()?),
                Some('0'..='9' | '-' | ':') => branches.push(vec![self.index()?]),
                None => return Err(self.error(at, "a ']' is missing")),
                Some(_) => {
                    return Err(self.unexpected(
                        element,
                        "expected an index, a slice, '*', a quoted name or ?(…)",
                    ));
                }
            }
            self.spaces();
            let end = self.offset();
            match self.next() {
                Some(',') => {}
                Some(']') => break,
                None => return Err(self.error(at, "a ']' is missing")),
                Some(_) => return Err(self.unexpected(end, "expected ',' or ']'")),
            }
        }
        match branches.as_mut_slice() {
            [only] if only.len() == 1 => Ok(only.remove(0)),
            _ => Ok(Segment::Union(branches)),
        }
    }

    fn index(&mut self) -> Parsed<Segment> {
        let at = self.offset();
        let text = self.take_while(|c| c.is_ascii_digit() || matches!(c, '-' | ':'));
        let numbers: Vec<&str> = text.split(':').collect();
        let fits = |number: &&str| number.is_empty() || number.parse::<i32>().is_ok();
        if numbers.len() > 3 || !numbers.iter().all(fits) {
            return Err(self.error(at, format!("{text} is not an index or a slice")));
        }
        let plain: Vec<String> = numbers
            .iter()
            .map(|n| n.parse::<i32>().map_or(String::new(), |n| n.to_string()))
            .collect();
        if plain
            .get(2)
            .is_some_and(|step| step == "0" || step.starts_with('-'))
        {
            return Err(self.error(at, "the step of a slice must be positive"));
        }
        Ok(Segment::Plain {
            selector: format!("[{}]", plain.join(":")),
            single: plain.len() == 1,
        })
    }

    /// Parses a key in quotes. A dot in it separates, as in kubectl, unless there is a key of that
    /// very name.
    fn quoted_key(&mut self) -> Parsed<Vec<Vec<Segment>>> {
        let Some(quote) = self.next() else {
            return Ok(Vec::new());
        };
        let at = self.offset();
        let mut names = vec![String::new()];
        let mut whole = String::new();
        loop {
            let c = match self.next() {
                None => return Err(self.error(at, "a quoted name does not end")),
                Some(c) if c == quote => break,
                Some('.') => {
                    whole.push('.');
                    names.push(String::new());
                    continue;
                }
                Some('\\') => self.next(),
                Some(c) => Some(c),
            };
            whole.extend(c);
            if let Some(name) = names.last_mut() {
                name.extend(c);
            }
        }
        let mut branches = vec![vec![Segment::key(&whole)]];
        if names.len() > 1 && names.iter().all(|name| !name.is_empty()) {
            branches.push(names.iter().map(|name| Segment::key(name)).collect());
        }
        Ok(branches)
    }

    /// Parses a quoted literal with Go's escapes.
    fn quoted(&mut self) -> Parsed<String> {
        let start = self.offset();
        let quote = self.next();
        let mut text = String::new();
        loop {
            let at = self.offset();
            let c = match self.next() {
                None => return Err(self.error(start, "a quoted text does not end")),
                c if c == quote => return Ok(text),
                Some('\\') => match self.next() {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some('0') => '\0',
                    Some('a') => '\u{7}',
                    Some('b') => '\u{8}',
                    Some('f') => '\u{c}',
                    Some('v') => '\u{b}',
                    Some('x') => self.code(at, 2)?,
                    Some('u') => self.code(at, 4)?,
                    Some('U') => self.code(at, 8)?,
                    Some(c @ ('\\' | '"' | '\'' | '/')) => c,
                    _ => {
                        return Err(self.error(at, "unknown escape; try \\n, \\t, \\\\ or \\u0041"));
                    }
                },
                Some(c) => c,
            };
            text.push(c);
        }
    }

    fn code(&mut self, at: usize, digits: usize) -> Parsed<char> {
        let text: String = (0..digits)
            .filter_map(|_| self.chars.next_if(|(_, c)| c.is_ascii_hexdigit()))
            .map(|(_, c)| c)
            .collect();
        u32::from_str_radix(&text, 16)
            .ok()
            .filter(|_| text.len() == digits)
            .and_then(char::from_u32)
            .ok_or_else(|| self.error(at, "an escape names no character"))
    }

    /// Parses `?(…)`; the parentheses may be missing, as in RFC 9535.
    fn filter(&mut self) -> Parsed<Segment> {
        let at = self.offset();
        self.next();
        let condition = self.either()?;
        // Unions in nested filters would multiply.
        if condition.len() > 4 * LONGEST {
            return Err(self.error(at, "a filter with too many unions"));
        }
        Ok(Segment::many(format!("[?{condition}]")))
    }

    fn either(&mut self) -> Parsed<String> {
        self.joined("||", Self::both)
    }

    fn both(&mut self) -> Parsed<String> {
        self.joined("&&", Self::condition)
    }

    fn joined(&mut self, operator: &str, part: fn(&mut Self) -> Parsed<String>) -> Parsed<String> {
        let mut text = part(self)?;
        loop {
            self.spaces();
            if !self.eat(operator) {
                return Ok(text);
            }
            text.extend([operator, &part(self)?]);
        }
    }

    fn condition(&mut self) -> Parsed<String> {
        self.spaces();
        let at = self.offset();
        if self.eat("!") {
            let inner = self.deeper(at, Self::condition)?;
            return Ok(format!("!({inner})"));
        }
        if self.eat("(") {
            let inner = self.deeper(at, Self::either)?;
            self.expect(")", "a ')' is missing")?;
            return Ok(format!("({inner})"));
        }
        let left = self.operand()?;
        self.spaces();
        let at = self.offset();
        let Some(operator) = ["==", "!=", "<=", ">=", "<", ">"]
            .into_iter()
            .find(|operator| self.eat(operator))
        else {
            if !left.path {
                return Err(self.unexpected(at, "expected a comparison"));
            }
            return Ok(format!("({})", left.forms.join("||")));
        };
        self.spaces();
        let right = self.operand()?;
        if let Some(side) = [&left, &right].into_iter().find(|side| !side.single) {
            return Err(self.error(side.at, "a comparison needs a path to one value"));
        }
        let mut cases = Vec::new();
        for l in &left.forms {
            for r in &right.forms {
                // RFC 9535 finds a missing field unequal to everything; kubectl skips the object.
                let exists = |side: &Operand, form: &str| {
                    if operator == "!=" && side.path {
                        format!("{form}&&")
                    } else {
                        String::new()
                    }
                };
                cases.push(format!(
                    "({}{}{l}{operator}{r})",
                    exists(&left, l),
                    exists(&right, r)
                ));
            }
        }
        if cases.len() > MOST {
            return Err(self.error(at, format!("unions for more than {MOST} comparisons")));
        }
        Ok(format!("({})", cases.join("||")))
    }

    fn operand(&mut self) -> Parsed<Operand> {
        let at = self.offset();
        let literal = |form: String| Operand {
            at,
            forms: vec![form],
            path: false,
            single: true,
        };
        match self.peek() {
            Some('"' | '\'') => Ok(literal(Value::from(self.quoted()?).to_string())),
            Some('0'..='9' | '-') => {
                let number = self
                    .take_while(|c| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E'));
                match serde_json::from_str::<serde_json::Number>(&number) {
                    Ok(number) => Ok(literal(number.to_string())),
                    Err(_) => Err(self.error(at, format!("{number} is not a number"))),
                }
            }
            Some('@' | '.' | '[' | '$') => {
                let segments = self.segments(false, true)?;
                let single = segments.iter().all(is_single);
                let forms = expand(&segments)
                    .into_iter()
                    .map(|path| format!("@{path}"))
                    .collect::<Vec<_>>();
                if forms.len() > MOST {
                    return Err(self.error(at, format!("unions for more than {MOST} paths")));
                }
                Ok(Operand {
                    at,
                    forms,
                    path: true,
                    single,
                })
            }
            _ => {
                match ["true", "false", "null"]
                    .into_iter()
                    .find(|word| self.eat_word(word))
                {
                    Some(word) => Ok(literal(word.to_owned())),
                    None => Err(self
                        .unexpected(at, "expected a path, a text, a number, true, false or null")),
                }
            }
        }
    }
}

/// Tells whether a segment can only select one value. A union of a dotted key counts: just one of
/// its two readings is ever there.
fn is_single(segment: &Segment) -> bool {
    match segment {
        Segment::Plain { single, .. } => *single,
        Segment::Union(branches) => branches.iter().flatten().all(is_single),
        Segment::Descend => false,
    }
}

fn ends_name(c: char, in_filter: bool) -> bool {
    c.is_whitespace()
        || matches!(c, '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
        || in_filter && matches!(c, '=' | '!' | '<' | '>' | '(' | ')' | '&' | '|')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        serde_json::json!({
            "apiVersion": "v1", "kind": "List", "items": [
                {"apiVersion": "v1", "kind": "Service",
                 "metadata": {"annotations": {"weftctl.dev/x": "one"}, "labels": {"app": "shop"}, "name": "web", "namespace": "shop"},
                 "spec": {"big": 12_345_678, "empty": [], "float": 2_500_000.0, "none": {}, "note": null, "paused": false,
                          "ports": [{"name": "http", "port": 80, "weight": 1.5}, {"name": "https", "port": 443}],
                          "replicas": 3, "text": "a \"b\" <c>\n\tend"}},
                {"apiVersion": "v1", "kind": "Service",
                 "metadata": {"labels": {"app": "data"}, "name": "db", "namespace": "shop"},
                 "spec": {"paused": true, "ports": [{"name": "pg", "port": 5432}], "replicas": 1}},
                {"apiVersion": "v1", "kind": "Service",
                 "metadata": {"name": "cache", "namespace": "edge"},
                 "spec": {"ports": [{"name": "redis", "port": 6379}]}},
            ],
            "metadata": {"resourceVersion": ""},
        })
    }

    /// What `kubectl get services -o jsonpath=…` (v1.32.4) printed for the document above.
    const KUBECTL: &[(&str, &str)] = &[
        ("{.items[*].metadata.name}", "web db cache"),
        ("{.items[0].metadata.name}", "web"),
        ("{.items[-1].metadata.name}", "cache"),
        ("{.items[-1:].metadata.name}", "cache"),
        ("{.items[0:2].metadata.name}", "web db"),
        ("{.items[:2].metadata.name}", "web db"),
        ("{.items[::2].metadata.name}", "web cache"),
        ("{.items[0,2].metadata.name}", "web cache"),
        (
            "{.items[*]['metadata.name','metadata.namespace']}",
            "web db cache shop shop edge",
        ),
        ("{.items[0].metadata['name','namespace']}", "web shop"),
        ("{.items[0]['metadata']['name']}", "web"),
        (r"{.items[0].metadata.annotations.weftctl\.dev/x}", "one"),
        (r"{.items[0].metadata.annotations['weftctl\.dev/x']}", "one"),
        (
            r#"{range .items[*]}{.metadata.name}{"\t"}{.metadata.namespace}{"\n"}{end}"#,
            "web\tshop\ndb\tshop\ncache\tedge\n",
        ),
        (
            "{range .items[*]}{.metadata.name}:{range .spec.ports[*]}{.port},{end};{end}",
            "web:80,443,;db:5432,;cache:6379,;",
        ),
        ("{range .items[*]}{@.metadata.name} {end}", "web db cache "),
        ("{range .items[*]}{$.metadata.name} {end}", "web db cache "),
        ("{range .nothing[*]}{.name} x{end}after", "after"),
        (
            "{range .nothing[*]}{range .more[*]}y{end} x{end}after",
            "after",
        ),
        (r#"{.items[?(@.metadata.name=="db")].spec.replicas}"#, "1"),
        ("{.items[?(@.metadata.name=='db')].spec.replicas}", "1"),
        ("{.items[?(@.spec.replicas>1)].metadata.name}", "web"),
        ("{.items[?(@.spec.replicas==1)].metadata.name}", "db"),
        ("{.items[?(@.spec.replicas!=1)].metadata.name}", "web"),
        ("{.items[?(@.spec.replicas<=3)].metadata.name}", "web db"),
        ("{.items[?(@.spec.paused==true)].metadata.name}", "db"),
        ("{.items[?(@.spec.replicas)].metadata.name}", "web db"),
        (
            r#"{.items[?(@.metadata.labels.app != "shop")].metadata.name}"#,
            "db",
        ),
        (r#"{.items[0].spec.ports[?(@.name=="https")].port}"#, "443"),
        ("{.items[?(@.spec.ports[0].port==80)].metadata.name}", "web"),
        ("{..name}", "web http https db pg cache redis"),
        ("{..ports[*].name}", "http https pg redis"),
        ("{.items[*].spec.ports[*].port}", "80 443 5432 6379"),
        (
            "{.items[0].spec.ports[0]}",
            r#"{"name":"http","port":80,"weight":1.5}"#,
        ),
        (
            "{.items[0].spec.ports}",
            r#"[{"name":"http","port":80,"weight":1.5},{"name":"https","port":443}]"#,
        ),
        ("{.items[0].metadata.labels}", r#"{"app":"shop"}"#),
        ("{.items[0].spec.note}", "null"),
        ("{.items[0].spec.text}", "a \"b\" <c>\n\tend"),
        ("{.items[0].spec.big}", "12345678"),
        ("{.items[0].spec.float}", "2500000"),
        ("{.items[0].spec.paused}", "false"),
        ("{.items[0].spec.empty}", "[]"),
        ("{.items[0].spec.none}", "{}"),
        ("{.items[0].spec.ports[0].weight}", "1.5"),
        ("{.items[0].spec.ports[*].weight}", "1.5"),
        ("{.missing}", ""),
        ("{.items[0].missing.deep}", ""),
        ("{.items[0].metadata.name.deep}", ""),
        (
            "count: {.kind}, first={.items[0].metadata.name}!",
            "count: List, first=web!",
        ),
        ("{$.kind}", "List"),
        ("{@.kind}", "List"),
        ("{ .kind }", "List"),
        (r#"{.kind }{"\n"}"#, "List\n"),
        ("{.kind .apiVersion}", ""),
        ("{.kind}{.apiVersion}", "Listv1"),
        ("{'single'}", "single"),
        (r#"{"a\tb\u0041"}"#, "a\tbA"),
        (r#"{"quote \" in"}"#, r#"quote " in"#),
        (r"{'it\'s'}", "it's"),
        ("{1}", "1"),
        ("{true}", "true"),
        ("{-1.5}", "-1.5"),
        ("{.items[0].metadata.labels.*}", "shop"),
        ("{.items[*].metadata.labels.app}", "shop data"),
        ("{.items[0].spec.ports.name}", ""),
        ("{['kind']}", "List"),
        ("{$['kind']}", "List"),
        ("{.items.length}", ""),
        ("{.items[0].spec.ports[0]['name', 'port']}", "http 80"),
        ("{.items[*].spec.ports[0].port}", "80 5432 6379"),
        (
            "{range .items[*]}[{.metadata.name}, {.spec.replicas}] {end}",
            "[web, 3] [db, 1] [cache, ] ",
        ),
        ("{range .items}{.metadata.name}{end}", ""),
        (
            r#"{range .items[*].metadata}{.name}{","}{end}"#,
            "web,db,cache,",
        ),
        (r#"{.items[?(@.metadata.name=="a b")].kind}"#, ""),
        ("{.items[?(@.spec.replicas > 1)]['metadata.name']}", "web"),
        (r"\{.kind}", r"\List"),
        (
            r#"{.items[?(@.kind=="Service")].metadata.name}"#,
            "web db cache",
        ),
        (r#"{.items[?(@.spec.text=="x")]}"#, ""),
        ("{.items[0].spec.ports[1:].name}", "https"),
        ("{range .items[0:2]}{.metadata.name}{end}", "webdb"),
        (
            "{.items[?(@.metadata.name==@.metadata.name)].kind}",
            "Service Service Service",
        ),
        ("{.a}}", "}"),
        ("{.items..name}", "web http https db pg cache redis"),
        ("{.items[*]..port}", "80 443 5432 6379"),
        (
            "{.items[0].spec.ports[*]}",
            r#"{"name":"http","port":80,"weight":1.5} {"name":"https","port":443}"#,
        ),
        ("{.items[*].spec.paused}", "false true"),
        ("{.items[?(@.metadata.labels)].metadata.name}", "web db"),
        (
            r#"{range .items[*]}{range .spec.ports[*]}{.name}{"="}{.port}{" "}{end}{end}done"#,
            "http=80 https=443 pg=5432 redis=6379 done",
        ),
        ("{.items[0:3:2].metadata.name}", "web cache"),
        (
            "{.items[*].metadata.annotations}",
            r#"{"weftctl.dev/x":"one"}"#,
        ),
    ];

    #[test]
    fn prints_what_kubectl_prints() {
        for &(source, expected) in KUBECTL {
            let text = Expression::parse(source).map(|expression| expression.render(&document()));
            assert_eq!(text.as_deref(), Ok(expected), "{source}");
        }
    }

    /// Where kubectl prints nothing, fails, or prints the expression itself.
    #[test]
    fn is_more_generous_than_kubectl() {
        let cases = [
            (".items[0].metadata.name", "web"),
            ("items[*].metadata.name", "web db cache"),
            ("$.kind", "List"),
            ("['kind']", "List"),
            ("{.items[7].metadata.name}", ""),
            ("{.items[1:9].metadata.name}", "db cache"),
            ("{.items[2:1].metadata.name}", ""),
            ("{.items[0].metadata.annotations['weftctl.dev/x']}", "one"),
            ("{.items[0].metadata[\"name\"]}", "web"),
            (
                "{.items[?(@.metadata.name=='web' && @.kind=='Service')].kind}",
                "Service",
            ),
            (
                "{.items[?(@.metadata.name=='db' || !@.spec.replicas)].metadata.name}",
                "db cache",
            ),
            (
                "{.items[?(@.spec.replicas==3 && (@.kind=='X' || @.spec.paused==false))].metadata.name}",
                "web",
            ),
            ("{.items[?(@.spec.note==null)].metadata.name}", "web"),
            (
                "{.items[?(@.spec.ports[?(@.port>6000)])].metadata.name}",
                "cache",
            ),
            (
                "{.items[?(@.metadata['labels.app']=='data')].metadata.name}",
                "db",
            ),
            ("{.}", &document().to_string()),
        ];
        for (source, expected) in cases {
            let text = Expression::parse(source).map(|expression| expression.render(&document()));
            assert_eq!(text.as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn errors_point_at_the_character() {
        let cases = [
            ("", 1, "nothing to select; try {.items[*].name}"),
            ("{.kind", 7, "a '}' is missing"),
            (
                "{.items[}",
                9,
                "unexpected '}', expected an index, a slice, '*', a quoted name or ?(…)",
            ),
            ("{.items[0", 8, "a ']' is missing"),
            (
                "{.items[a]}",
                9,
                "unexpected 'a', expected an index, a slice, '*', a quoted name or ?(…)",
            ),
            ("{.items[1:2:0]}", 9, "the step of a slice must be positive"),
            ("{.items[1:2:3:4]}", 9, "1:2:3:4 is not an index or a slice"),
            ("{range .items[*]}{.kind}", 1, "range without {end}"),
            ("ä{end}", 3, "end without {range}"),
            ("{kind}", 2, "unexpected 'k'; a path begins with a dot"),
            ("{#}", 2, "unexpected '#'; a path begins with a dot"),
            ("{.kind,.apiVersion}", 7, "unexpected ',', a '}' is missing"),
            ("{.items[0]metadata}", 11, "unexpected 'm'"),
            ("{\"open}", 2, "a quoted text does not end"),
            (
                "{\"\\q\"}",
                3,
                "unknown escape; try \\n, \\t, \\\\ or \\u0041",
            ),
            ("{\"\\ud800\"}", 3, "an escape names no character"),
            (
                "{.items[?(@.x==]}",
                16,
                "unexpected ']', expected a path, a text, a number, true, false or null",
            ),
            (
                "{.items[?(@.x=='a']}",
                19,
                "unexpected ']', a ')' is missing",
            ),
            (
                "{.items[?(@.ports[*].port==443)]}",
                11,
                "a comparison needs a path to one value",
            ),
            (
                "{.items[?('a')]}",
                14,
                "unexpected ')', expected a comparison",
            ),
            ("{..}", 2, "'..' needs a name or a bracket after it"),
            ("{.items.}", 8, "'.' needs a name after it"),
            ("plain text", 7, "unexpected 't'"),
        ];
        for (source, position, message) in cases {
            let error = Expression::parse(source).unwrap_err();
            assert_eq!(
                (error.position, error.message.as_str()),
                (position, message),
                "{source}"
            );
        }
    }

    #[test]
    fn hostile_expressions_are_refused() {
        let ranges = "{range .a[*]}".repeat(1_000) + &"{end}".repeat(1_000);
        let filters = format!("{{.a{}", "[?(@.b".repeat(2_000));
        let nots = format!("{{.a[?({}@.b)]}}", "!".repeat(5_000));
        let parentheses = format!("{{.a[?{}", "(".repeat(5_000));
        let unions = format!("{{{}}}", "['a','b']".repeat(40));
        let compared = format!("{{.a[?(@{0}==@{0})]}}", "['a','b']".repeat(6));
        let nested = format!("{{.a{}{}}}", "[?(@['x','y']".repeat(30), ")]".repeat(30));
        let long = format!("{{.{}}}", "a".repeat(LONGEST));
        for source in [
            ranges,
            filters,
            nots,
            parentheses,
            unions,
            compared,
            nested,
            long,
        ] {
            assert!(Expression::parse(&source).is_err(), "{}", &source[..20]);
        }
    }

    #[test]
    fn every_prefix_and_suffix_parses_or_fails_without_panic() {
        let sources = [
            r#"a{range .items[?(@.a['b.c',"d"]!="x\n" && !(@..b))]}{"\t"}{.e\.f[0:1:2,-1]} ü{end}{@.*}"#,
            r"{.items[?(@.x>=-1.5e3||@.y==null)]['a\.b']..c}",
        ];
        for source in sources {
            Expression::parse(source).unwrap();
            for (at, _) in source.char_indices() {
                for part in [&source[at..], &source[..at]] {
                    if let Ok(expression) = Expression::parse(part) {
                        expression.render(&document());
                    }
                }
            }
        }
    }
}
