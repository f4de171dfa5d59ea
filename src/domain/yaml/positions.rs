//! Where the values of a document stand: a second pass, made only for documents that need it.

use granit_parser::{Event, Parser, Span};

use super::{Limits, Location, Text, read};
use crate::path::{Path, Segment};

/// The places of all keys and values of one document.
///
/// A path that isn't in the text (a missing field, a merged key) gives the place of its nearest
/// ancestor that is.
#[derive(Debug)]
pub struct Positions {
    root: Option<Node>,
    start: Location,
}

#[derive(Debug)]
struct Node {
    at: Location,
    children: Children,
}

#[derive(Debug)]
enum Children {
    None,
    Items(Vec<Node>),
    Entries(Vec<(String, Location, Node)>),
}

impl Positions {
    /// Reads the places of a document that has been parsed before; what cannot be read has none.
    pub fn of(text: &Text<'_>) -> Self {
        let mut reader = Reader {
            parser: read::parser(text, &Limits::STREAM),
            line_offset: text.line_offset,
        };
        let mut start = Location {
            line: u32::try_from(text.line_offset + 1).unwrap_or(u32::MAX),
            column: 1,
        };
        let mut root = None;
        while let Some((event, span)) = reader.next() {
            if let Some(node) = reader.node(&event, &span) {
                start = node.at;
                root = Some(node);
                break;
            }
        }
        Self { root, start }
    }

    /// Returns where the value at `path` starts.
    pub fn value(&self, path: &Path) -> Location {
        self.find(path).0
    }

    /// Returns where the key of the last step of `path` stands (for an index: its value).
    pub fn key(&self, path: &Path) -> Location {
        self.find(path).1
    }

    fn find(&self, path: &Path) -> (Location, Location) {
        let mut found = (self.start, self.start);
        let Some(mut node) = self.root.as_ref() else {
            return found;
        };
        for segment in path.segments() {
            match (segment, &node.children) {
                (Segment::Index(index), Children::Items(items)) if *index < items.len() => {
                    node = &items[*index];
                    found = (node.at, node.at);
                }
                (Segment::Key(key), Children::Entries(entries)) => {
                    let Some((_, key_at, value)) = entries.iter().find(|e| e.0 == *key) else {
                        return found;
                    };
                    node = value;
                    found = (value.at, *key_at);
                }
                _ => return found,
            }
        }
        found
    }
}

struct Reader<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    line_offset: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<(Event<'a>, Span)> {
        self.parser.next_event()?.ok()
    }

    fn location(&self, span: &Span) -> Location {
        Location::new(span.start.line() + self.line_offset, span.start.col() + 1)
    }

    /// Recursion is bounded by the parser's own nesting limits.
    fn node(&mut self, event: &Event<'a>, span: &Span) -> Option<Node> {
        let at = self.location(span);
        let children = match event {
            Event::Scalar(..) | Event::Alias(_) => Children::None,
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                while let Some((event, span)) = self.next() {
                    match self.node(&event, &span) {
                        Some(node) => items.push(node),
                        None => break,
                    }
                }
                Children::Items(items)
            }
            Event::MappingStart(..) => {
                let mut entries = Vec::new();
                while let Some((event, key_span)) = self.next() {
                    let key = match &event {
                        Event::Scalar(text, ..) => text.to_string(),
                        Event::MappingEnd => break,
                        _ => String::new(),
                    };
                    if !matches!(event, Event::Scalar(..)) {
                        self.node(&event, &key_span)?;
                    }
                    let (event, span) = self.next()?;
                    let key_at = self.location(&key_span);
                    let value = self.node(&event, &span)?;
                    entries.push((key, key_at, value));
                }
                Children::Entries(entries)
            }
            _ => return None,
        };
        Some(Node { at, children })
    }
}
