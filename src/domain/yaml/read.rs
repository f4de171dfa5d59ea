//! Texts into values: one document at a time, so that an error in one leaves the others readable.

use std::borrow::Cow;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};

use super::{Error, Limits, Location, Measure, Problem, scalar};
use crate::base64;

/// One document of a text: its lines, and where they start in the whole.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    /// The lines of the document, its `---` line included.
    pub text: &'a str,
    /// How many lines of the input stand before it.
    pub line_offset: usize,
}

/// The documents of a text.
#[derive(Debug, Clone)]
pub struct Documents<'a> {
    rest: &'a str,
    line_offset: usize,
    done: bool,
    /// Lengths of JSON documents that follow one another without markers, the last one first.
    json: Vec<usize>,
}

/// Splits a text at its document markers; JSON documents may follow one another without any.
///
/// A line that starts with `---` ends the document before it wherever it stands, block and
/// quoted scalars included (YAML 1.2.2 §9.1.2), so no parsing is needed to find the borders.
pub fn split(text: &str) -> Documents<'_> {
    let rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    Documents {
        rest,
        line_offset: 0,
        done: false,
        json: json_lengths(rest),
    }
}

/// The lengths of several JSON documents in a row; none for everything else.
fn json_lengths(text: &str) -> Vec<usize> {
    if !text.trim_start().starts_with('{') {
        return Vec::new();
    }
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
    let (mut lengths, mut start) = (Vec::new(), 0);
    while let Some(next) = stream.next() {
        if next.is_err() {
            return Vec::new();
        }
        lengths.push(stream.byte_offset() - start);
        start = stream.byte_offset();
    }
    if lengths.len() < 2 {
        return Vec::new();
    }
    lengths.reverse();
    lengths
}

impl<'a> Iterator for Documents<'a> {
    type Item = Text<'a>;

    fn next(&mut self) -> Option<Text<'a>> {
        if let Some(length) = self.json.pop() {
            let text = &self.rest[..length];
            let document = Text {
                text,
                line_offset: self.line_offset,
            };
            self.line_offset += text.matches('\n').count();
            self.rest = &self.rest[length..];
            self.done = self.json.is_empty();
            return Some(document);
        }
        if self.done {
            return None;
        }
        let mut lines = 0;
        let mut at = 0;
        let mut content = false;
        loop {
            let line_end = self.rest[at..]
                .find('\n')
                .map_or(self.rest.len(), |i| at + i + 1);
            let line = &self.rest[at..line_end];
            let marker = line
                .strip_prefix("---")
                .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
            // Directives and comments before the first marker belong to its document.
            if marker && content {
                break;
            }
            content |= marker || !(line.starts_with(['#', '%']) || line.trim().is_empty());
            at = line_end;
            lines += 1;
            if at == self.rest.len() {
                self.done = true;
                break;
            }
        }
        let document = Text {
            text: &self.rest[..at],
            line_offset: self.line_offset,
        };
        self.rest = &self.rest[at..];
        self.line_offset += lines;
        Some(document)
    }
}

/// The parser of a document; the second pass for places must see what the first one saw.
pub(super) fn parser<'a>(
    document: &Text<'a>,
    limits: &Limits,
) -> Parser<'a, granit_parser::StrInput<'a>> {
    let mut options = granit_parser::Options::default();
    options.set_emit_comments(false);
    options.flow_nesting_limit = limits.depth + 1;
    options.block_nesting_limit = limits.depth + 1;
    options.simple_key_max_lookahead = 1 << 16;
    Parser::new_from_str_with_options(document.text, options)
}

/// Parses one document; nothing but comments gives `None`.
///
/// # Errors
/// With the place in the whole input, when the text is not YAML or over a limit.
pub fn parse(document: &Text<'_>, limits: &Limits) -> Result<Option<Value>, Error> {
    if document.text.len() > limits.document_bytes {
        return Err(Problem::Limit {
            what: Measure::Bytes,
            limit: limits.document_bytes,
        }
        .at(document.line_offset + 1, 1));
    }
    let mut composer = Composer {
        parser: parser(document, limits),
        line_offset: document.line_offset,
        limits,
        nodes: 0,
        anchors: Vec::new(),
        open_anchors: Vec::new(),
        entries: Vec::new(),
        items: Vec::new(),
    };
    composer.document()
}

/// Parses a text that must hold exactly one document.
///
/// # Errors
/// As [`parse`], and [`Problem::OneDocument`].
pub fn parse_one(text: &str, limits: &Limits) -> Result<Value, Error> {
    let mut found = None;
    let mut count = 0;
    let mut line = 0;
    for document in split(text) {
        if let Some(value) = parse(&document, limits)? {
            count += 1;
            line = document.line_offset;
            found = Some(value);
        }
    }
    match (count, found) {
        (1, Some(value)) => Ok(value),
        _ => Err(Problem::OneDocument(count).at(line + 1, 1)),
    }
}

struct Composer<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    line_offset: usize,
    limits: &'a Limits,
    nodes: usize,
    /// Anchored values by anchor id, with the number of nodes each expands to.
    anchors: Vec<(usize, Value, usize)>,
    /// Anchors whose node is not complete yet.
    open_anchors: Vec<usize>,
    /// Entries of the mappings that are not complete yet, each with the place of its key: only
    /// a complete one knows how much room it needs, and most of a document are small mappings.
    entries: Vec<(String, Location, Value)>,
    /// Items of the sequences that are not complete yet.
    items: Vec<Value>,
}

impl<'a> Composer<'a> {
    fn document(&mut self) -> Result<Option<Value>, Error> {
        let mut found = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd => return Ok(found),
                // An empty document: the parser makes a null of it.
                Event::Scalar(ref text, ScalarStyle::Plain, 0, None)
                    if found.is_none() && (text.is_empty() || text == "~") => {}
                event => {
                    if found.is_some() {
                        return Err(self.fail(&span, Problem::OneDocument(2)));
                    }
                    found = Some(self.value(event, &span, 0)?);
                }
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Error> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                let mark = error.marker();
                let problem = syntax(&error, self.limits);
                Err(problem.at(mark.line() + self.line_offset, mark.col() + 1))
            }
            None => Ok((
                Event::StreamEnd,
                Span::empty(granit_parser::Marker::default()),
            )),
        }
    }

    fn fail(&self, span: &Span, problem: Problem) -> Error {
        let location = self.location(span);
        Error { location, problem }
    }

    fn location(&self, span: &Span) -> Location {
        Location::new(span.start.line() + self.line_offset, span.start.col() + 1)
    }

    fn count(&mut self, nodes: usize, span: &Span) -> Result<(), Error> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > self.limits.nodes {
            return Err(self.fail(
                span,
                Problem::Limit {
                    what: Measure::Nodes,
                    limit: self.limits.nodes,
                },
            ));
        }
        Ok(())
    }

    /// Composes the node that `event` starts. Recursion is bounded by `limits.depth`.
    fn value(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<Value, Error> {
        self.count(1, span)?;
        let before = self.nodes;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(text, style, tag.as_deref(), span)?;
                self.keep(anchor, &value, before);
                Ok(value)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.enter(anchor, depth, span)?;
                let start = self.items.len();
                loop {
                    let (event, span) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    let item = self.value(event, &span, depth + 1)?;
                    self.items.push(item);
                }
                let value = Value::Array(self.items.drain(start..).collect());
                self.leave(anchor, &value, before);
                Ok(value)
            }
            Event::MappingStart(_, anchor, _) => {
                self.enter(anchor, depth, span)?;
                let value = Value::Object(self.mapping(depth)?);
                self.leave(anchor, &value, before);
                Ok(value)
            }
            Event::Alias(id) => {
                if self.open_anchors.contains(&id) {
                    return Err(self.fail(span, Problem::RecursiveAlias));
                }
                let Some((_, value, nodes)) = self.anchors.iter().rev().find(|a| a.0 == id) else {
                    return Err(self.fail(span, Problem::Syntax("unknown anchor".into())));
                };
                let (nodes, deep) = (*nodes, depth + depth_of(value) > self.limits.depth);
                // Count before cloning, so that an alias bomb never takes its memory.
                self.count(nodes, span)?;
                if deep {
                    return Err(self.fail(span, too_deep(self.limits)));
                }
                let found = self.anchors.iter().rev().find(|a| a.0 == id);
                Ok(found.map(|a| a.1.clone()).unwrap_or_default())
            }
            _ => Err(self.fail(span, Problem::Syntax("unexpected end of a node".into()))),
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Map<String, Value>, Error> {
        let start = self.entries.len();
        let mut merges: Vec<Value> = Vec::new();
        loop {
            let (event, key_span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let is_merge = matches!(
                &event,
                Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<"
            );
            let key = if is_merge {
                self.count(1, &key_span)?;
                String::new()
            } else {
                self.key(event, &key_span, depth + 1)?
            };
            let (event, span) = self.next()?;
            let value = self.value(event, &span, depth + 1)?;
            if is_merge {
                match value {
                    Value::Object(_) => merges.push(value),
                    Value::Array(items) if items.iter().all(Value::is_object) => {
                        merges.extend(items);
                    }
                    _ => return Err(self.fail(&span, Problem::Merge)),
                }
                continue;
            }
            self.entries.push((key, self.location(&key_span), value));
        }
        let mut map = Map::with_capacity(self.entries.len() - start);
        for (key, location, value) in self.entries.drain(start..) {
            match map.entry(key) {
                serde_json::map::Entry::Vacant(place) => {
                    place.insert(value);
                }
                serde_json::map::Entry::Occupied(place) => {
                    let key = place.key().clone();
                    let problem = Problem::DuplicateKey { key };
                    return Err(Error { location, problem });
                }
            }
        }
        // Keys of the mapping itself win, then those of earlier merged mappings.
        for merged in merges {
            if let Value::Object(merged) = merged {
                for (key, value) in merged {
                    map.entry(key).or_insert(value);
                }
            }
        }
        Ok(map)
    }

    /// A key as the string that Kubernetes makes of it: `1` and `yes` become "1" and "true".
    fn key(&mut self, event: Event<'a>, span: &Span, depth: usize) -> Result<String, Error> {
        if let Event::Scalar(text, style, 0, None) = event {
            self.count(1, span)?;
            if style != ScalarStyle::Plain {
                return Ok(text.into_owned());
            }
            return match scalar::plain(&text) {
                Ok(Value::String(key)) => Ok(key),
                Ok(Value::Null) => Err(self.fail(span, Problem::Key)),
                Ok(other) => Ok(other.to_string()),
                Err(not_finite) => Ok(not_finite),
            };
        }
        match self.value(event, span, depth)? {
            Value::String(key) => Ok(key),
            value @ (Value::Bool(_) | Value::Number(_)) => Ok(value.to_string()),
            _ => Err(self.fail(span, Problem::Key)),
        }
    }

    fn scalar(
        &self,
        text: Cow<'a, str>,
        style: ScalarStyle,
        tag: Option<&Tag>,
        span: &Span,
    ) -> Result<Value, Error> {
        let Some(tag) = tag else {
            if style != ScalarStyle::Plain {
                return Ok(Value::String(text.into_owned()));
            }
            return scalar::plain(&text).map_err(|n| self.fail(span, Problem::NotFinite(n)));
        };
        let suffix = match tag.handle() {
            "tag:yaml.org,2002:" => tag.suffix(),
            // Verbatim: `!<tag:yaml.org,2002:int>`.
            "" => tag
                .suffix()
                .strip_prefix("tag:yaml.org,2002:")
                .unwrap_or(""),
            _ => "",
        };
        let refuse = |text: &str| {
            self.fail(
                span,
                Problem::Tag {
                    tag: format!("!!{suffix}"),
                    value: text.to_owned(),
                },
            )
        };
        match suffix {
            "null" if matches!(scalar::word(&text), Some(Value::Null)) || text.is_empty() => {
                Ok(Value::Null)
            }
            "bool" => match scalar::word(&text) {
                Some(value @ Value::Bool(_)) => Ok(value),
                _ => Err(refuse(&text)),
            },
            "int" | "float" => match scalar::number(&text) {
                Some(number) if suffix == "float" || !number.is_f64() => Ok(Value::Number(number)),
                _ => Err(refuse(&text)),
            },
            "null" => Err(refuse(&text)),
            "binary" => match base64::decode(&text).map(String::from_utf8) {
                Some(Ok(text)) => Ok(Value::String(text)),
                _ => Err(refuse("the value")),
            },
            // `!!str`, `!`, and tags that Kubernetes' parser ignores.
            _ => Ok(Value::String(text.into_owned())),
        }
    }

    fn enter(&mut self, anchor: usize, depth: usize, span: &Span) -> Result<(), Error> {
        if depth >= self.limits.depth {
            return Err(self.fail(span, too_deep(self.limits)));
        }
        if anchor != 0 {
            self.open_anchors.push(anchor);
        }
        Ok(())
    }

    fn leave(&mut self, anchor: usize, value: &Value, before: usize) {
        if anchor != 0 {
            self.open_anchors.pop();
        }
        self.keep(anchor, value, before);
    }

    fn keep(&mut self, anchor: usize, value: &Value, before: usize) {
        if anchor != 0 {
            let nodes = self.nodes - before + 1;
            // What is kept counts as well: a thousand nested anchors hold a thousand copies.
            self.nodes = self.nodes.saturating_add(nodes);
            if self.nodes <= self.limits.nodes {
                self.anchors.push((anchor, value.clone(), nodes));
            }
        }
    }
}

fn depth_of(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth_of).max().unwrap_or(0),
        _ => 0,
    }
}

fn too_deep(limits: &Limits) -> Problem {
    Problem::Limit {
        what: Measure::Depth,
        limit: limits.depth,
    }
}

fn syntax(error: &granit_parser::ScanError, limits: &Limits) -> Problem {
    use granit_parser::ErrorKind;
    match error.kind() {
        ErrorKind::RecursionLimitExceeded => too_deep(limits),
        kind => {
            let text = kind.to_string();
            if text.contains("nesting") || text.contains("recursion") {
                too_deep(limits)
            } else {
                Problem::Syntax(text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn problem(text: &str) -> (u32, u32, Problem) {
        let error = split(text)
            .find_map(|document| parse(&document, &Limits::STREAM).err())
            .expect("the text is refused");
        (error.location.line, error.location.column, error.problem)
    }

    #[test]
    fn documents_are_split_at_their_markers() {
        let text =
            "# head\n%YAML 1.2\n---\na: 1\n--- # next\nb: |\n  x\n---\n---\nc: \"---\"\n...\n";
        let lines: Vec<usize> = split(text).map(|d| d.line_offset).collect();
        assert_eq!(lines, [0, 4, 7, 8]);
        let values: Vec<Option<Value>> = split(text)
            .map(|d| parse(&d, &Limits::STREAM).unwrap())
            .collect();
        assert_eq!(
            values,
            [
                Some(json!({"a": 1})),
                Some(json!({"b": "x\n"})),
                None,
                Some(json!({"c": "---"}))
            ]
        );
    }

    #[test]
    fn json_is_read_as_it_is() {
        let text =
            "{\n\t\"a\": [1, 2.5, true, null, \"x\\u00e9\\ud83d\\ude80\\/\"],\n\t\"b\": {}\n}";
        assert_eq!(
            parse_one(text, &Limits::STREAM),
            Ok(json!({"a": [1, 2.5, true, null, "xé🚀/"], "b": {}}))
        );
    }

    #[test]
    fn json_documents_may_follow_one_another() {
        let text = "{\"a\": 1}\n{\"b\":\n 2}{\"c\": 3, \"c\": 4}\n";
        let found: Vec<_> = split(text)
            .map(|d| parse(&d, &Limits::STREAM).map_err(|e| e.location.line))
            .collect();
        assert_eq!(
            found,
            [Ok(Some(json!({"a": 1}))), Ok(Some(json!({"b": 2}))), Err(3)]
        );
    }

    #[test]
    fn merge_keys_fill_what_is_missing() {
        let text = "base: &b {x: 1, q: 2}\nother: &o {q: 3, z: 4}\nv:\n  <<: [*b, *o]\n  x: 9\n";
        let value = parse_one(text, &Limits::STREAM).unwrap();
        assert_eq!(value["v"], json!({"x": 9, "q": 2, "z": 4}));
        assert_eq!(problem("a:\n  <<: 5\n"), (2, 7, Problem::Merge));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let duplicate = |key: &str| Problem::DuplicateKey {
            key: key.to_owned(),
        };
        assert_eq!(problem("a: 1\nb: 2\na: 3\n"), (3, 1, duplicate("a")));
        assert_eq!(
            problem("x: 1\n---\n1: a\n\"1\": b\n"),
            (4, 1, duplicate("1"))
        );
        assert_eq!(problem("a:\n  ~: 1\n"), (2, 3, Problem::Key));
        assert_eq!(problem("? [a]\n: 1\n"), (1, 3, Problem::Key));
        assert_eq!(problem("a: &x [*x]\n"), (1, 8, Problem::RecursiveAlias));
        assert_eq!(
            problem("a: .inf\n"),
            (1, 4, Problem::NotFinite(".inf".into()))
        );
        assert!(matches!(
            problem("a: !!int x\n"),
            (1, _, Problem::Tag { .. })
        ));
        for text in [
            "a: [1,\n",
            "a: *nope\n",
            "a:\n\t- 1\n",
            "'",
            "a: b: c\n",
            "{\"a\": 1",
            "\u{0}",
        ] {
            assert!(
                matches!(problem(text), (_, _, Problem::Syntax(_))),
                "{text:?}"
            );
        }
    }

    #[test]
    fn alias_bombs_end_before_they_take_memory() {
        use std::fmt::Write;
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let alias = format!("*a{}, ", level - 1).repeat(10);
            writeln!(text, "a{level}: &a{level} [{alias}]").unwrap();
        }
        let (line, _, problem) = problem(&text);
        assert!(line <= 7, "stopped in line {line}");
        assert!(matches!(problem, Problem::Limit { limit: 100_000, .. }));
    }

    #[test]
    fn depth_is_bounded_in_every_form() {
        for text in [
            "[".repeat(100_000),
            "{a: ".repeat(100_000),
            "- ".repeat(100_000),
            (0..300).fold(String::new(), |text, depth| {
                text + &" ".repeat(depth) + "a:\n"
            }),
            "? ".repeat(10_000),
        ] {
            let (_, _, problem) = problem(&text);
            assert!(
                matches!(problem, Problem::Limit { limit: 128, .. }),
                "{problem}"
            );
        }
        // Through aliases: 100 levels named, then 100 more around them.
        let text = format!(
            "a: &x {}{}\nb: {}*x{}\n",
            "[".repeat(100),
            "]".repeat(100),
            "[".repeat(100),
            "]".repeat(100)
        );
        assert!(matches!(
            problem(&text),
            (2, _, Problem::Limit { limit: 128, .. })
        ));
    }

    #[test]
    fn a_document_over_its_size_is_refused_at_its_first_line() {
        let limits = Limits {
            document_bytes: 10,
            ..Limits::STREAM
        };
        let text = "a: 1\n---\nb: 123456789\n";
        let errors: Vec<_> = split(text)
            .filter_map(|d| parse(&d, &limits).err())
            .collect();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].location.line, 3 - 1);
    }

    #[test]
    fn places_of_keys_and_values_are_found() {
        use crate::path::{
            Path,
            Segment::{Index, Key},
        };
        let text = "# c\n---\na: # here\n  - b: 1\n    # and here\n    c:   two\n  - [x, y]\n";
        let document = split(text).next().unwrap();
        let positions = super::super::Positions::of(&document);
        let path = Path::from(vec![Key("a".into()), Index(0), Key("c".into())]);
        assert_eq!(positions.key(&path).to_string(), "6:5");
        assert_eq!(positions.value(&path).to_string(), "6:10");
        let missing = Path::from(vec![Key("a".into()), Index(1), Index(7)]);
        assert_eq!(positions.value(&missing).to_string(), "7:5");
    }
}
