//! The compiled form of one definition, and the way there from JSON.
//!
//! A definition becomes a tree of [`Node`]s. A reference to another definition stays a number, so cycles cost
//! nothing and only definitions that a document reaches are ever compiled.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Number, Value};

use super::Library;
use super::format::Format;

/// Deepest nesting of schemas inside one definition.
const DEPTH: u16 = 256;
/// Largest compiled form of a regular expression, in bytes.
const PATTERN: usize = 1 << 20;

/// A set of JSON types; the empty set stands for any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOLEAN: Self = Self(2);
    pub(super) const INTEGER: Self = Self(4);
    /// Includes integers.
    pub(super) const NUMBER: Self = Self(8 | 4);
    pub(super) const STRING: Self = Self(16);
    pub(super) const ARRAY: Self = Self(32);
    pub(super) const OBJECT: Self = Self(64);

    const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    fn named(name: &str) -> Self {
        match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER,
            "string" => Self::STRING,
            "array" => Self::ARRAY,
            "object" => Self::OBJECT,
            _ => Self::default(),
        }
    }

    /// Tells whether a value is of one of these types. A number without a fraction is an integer.
    pub(super) fn accept(self, value: &Value) -> bool {
        let of = match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(number) if is_integer(number) => Self::INTEGER,
            Value::Number(_) => Self(8),
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        };
        self.is_empty() || self.intersects(of)
    }

    /// Returns the types in words, such as `string or integer`.
    pub(super) fn words(self) -> String {
        let words: Vec<&str> = [
            (Self::OBJECT, "object"),
            (Self::ARRAY, "array"),
            (Self::STRING, "string"),
            (Self(8), "number"),
            (Self::INTEGER, "integer"),
            (Self::BOOLEAN, "boolean"),
            (Self::NULL, "null"),
        ]
        .into_iter()
        .filter(|(types, word)| {
            self.contains(*types) && !(*word == "integer" && self.contains(Self(8)))
        })
        .map(|(_, word)| word)
        .collect();
        match words.as_slice() {
            // A null is never worth offering: leaving the field out does the same.
            [rest @ .., "null"] if !rest.is_empty() => rest.join(" or "),
            all => all.join(" or "),
        }
    }
}

fn is_integer(number: &Number) -> bool {
    !number.is_f64()
        || number
            .as_f64()
            .is_some_and(|value| value.is_finite() && value.fract() == 0.0)
}

/// What is asked of one value.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) types: Types,
    pub(super) nullable: bool,
    /// The definition that this one refers to, asked first.
    pub(super) base: Option<u32>,
    pub(super) object: Option<Box<Object>>,
    pub(super) array: Option<Box<Array>>,
    pub(super) text: Option<Box<Text>>,
    pub(super) number: Option<Box<Bounds>>,
    pub(super) allowed: Option<Box<[Value]>>,
    pub(super) logic: Option<Box<Logic>>,
    pub(super) default: Option<Box<Value>>,
    /// An empty string is as good as none: it stands for an unset field of a built-in kind.
    pub(super) empty_is_unset: bool,
}

/// What is asked of an object.
#[derive(Debug, Default)]
pub(super) struct Object {
    /// Sorted by name.
    properties: Box<[(Box<str>, Node)]>,
    pub(super) required: Box<[Box<str>]>,
    pub(super) additional: Additional,
    pub(super) min: Option<usize>,
    pub(super) max: Option<usize>,
    /// A whole Kubernetes object inside another: apiVersion, kind and metadata are known.
    pub(super) embedded: bool,
}

impl Object {
    /// Returns what is asked of a property, if it is one that is declared.
    pub(super) fn property(&self, name: &str) -> Option<&Node> {
        let at = self
            .properties
            .binary_search_by(|(known, _)| (**known).cmp(name))
            .ok()?;
        self.properties.get(at).map(|(_, node)| node)
    }

    /// Returns the names of the declared properties.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.properties.iter().map(|(name, _)| &**name)
    }

    /// Tells whether no properties are declared.
    pub(super) fn is_bare(&self) -> bool {
        self.properties.is_empty()
    }
}

/// What is asked of fields that are not declared.
#[derive(Debug, Default)]
pub(super) enum Additional {
    /// Nothing is said; another part of the schema may.
    #[default]
    Silent,
    /// They are unknown, unless another part of the schema declares them.
    Closed,
    /// They are refused outright (`additionalProperties: false`).
    Refused,
    /// Anything goes.
    Open,
    /// Each of them is asked this.
    Each(Node),
}

/// What is asked of an array.
#[derive(Debug, Default)]
pub(super) struct Array {
    pub(super) items: Option<Node>,
    pub(super) min: Option<usize>,
    pub(super) max: Option<usize>,
    pub(super) unique: Unique,
}

/// Which entries of an array count as the same.
#[derive(Debug, Default)]
pub(super) enum Unique {
    #[default]
    No,
    /// Equal ones.
    Whole,
    /// Those that agree in these keys.
    Keys(Box<[String]>),
}

/// What is asked of a string.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub(super) min: Option<usize>,
    pub(super) max: Option<usize>,
    pub(super) pattern: Option<Pattern>,
    pub(super) format: Option<Format>,
}

/// A regular expression, compiled when it is first needed.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) source: Box<str>,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// Tells whether a text matches. An expression that cannot be compiled matches everything, and is noted.
    pub(super) fn matches(&self, text: &str, library: &Library) -> bool {
        self.compiled
            .get_or_init(|| {
                let compiled = RegexBuilder::new(&in_our_syntax(&self.source))
                    .size_limit(PATTERN)
                    .dfa_size_limit(PATTERN)
                    .build();
                if let Err(error) = &compiled {
                    let error = error.to_string();
                    let cause = error.lines().last().unwrap_or_default();
                    let cause = cause.strip_prefix("error: ").unwrap_or(cause);
                    library.note(format!(
                        "the pattern {:?} is not checked: {cause}",
                        self.source
                    ));
                }
                compiled.ok()
            })
            .as_ref()
            .is_none_or(|pattern| pattern.is_match(text))
    }
}

/// Writes a Go expression so that it means the same here: classes and word boundaries are ASCII, and a bracket
/// inside a class is a character like any other.
fn in_our_syntax(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut letters = pattern.chars().peekable();
    // Some(true) right after the opening bracket, where a closing one is a character.
    let mut class: Option<bool> = None;
    while let Some(letter) = letters.next() {
        let first = class == Some(true);
        if first && letter != '^' {
            class = Some(false);
        }
        match (letter, class) {
            ('\\', _) => match (letters.next(), class) {
                (Some('d'), _) => out.push_str("[0-9]"),
                (Some('D'), _) => out.push_str("[^0-9]"),
                (Some('w'), _) => out.push_str("[0-9A-Za-z_]"),
                (Some('W'), _) => out.push_str("[^0-9A-Za-z_]"),
                (Some('s'), _) => out.push_str(r"[\t\n\f\r ]"),
                (Some('S'), _) => out.push_str(r"[^\t\n\f\r ]"),
                (Some('b'), None) => out.push_str(r"(?-u:\b)"),
                (Some('Q'), None) => {
                    let mut quoted = String::new();
                    while let Some(next) = letters.next() {
                        if next == '\\' && letters.peek() == Some(&'E') {
                            letters.next();
                            break;
                        }
                        quoted.push(next);
                    }
                    out.push_str(&regex::escape(&quoted));
                }
                (Some(other), _) => {
                    out.push('\\');
                    out.push(other);
                }
                (None, _) => out.push('\\'),
            },
            ('[', None) => {
                class = Some(true);
                out.push('[');
            }
            ('[', Some(_)) if letters.peek() == Some(&':') => {
                out.push('[');
                for next in letters.by_ref() {
                    out.push(next);
                    if next == ']' {
                        break;
                    }
                }
            }
            ('[' | '&' | '~', Some(_)) => {
                out.push('\\');
                out.push(letter);
            }
            (']', Some(_)) if first => out.push_str(r"\]"),
            (']', Some(_)) => {
                class = None;
                out.push(']');
            }
            _ => out.push(letter),
        }
    }
    out
}

/// What is asked of a number.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    pub(super) min: Option<Bound>,
    pub(super) max: Option<Bound>,
    pub(super) multiple: Option<Number>,
    pub(super) width: Option<Width>,
}

/// One end of a range.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) value: Number,
    pub(super) exclusive: bool,
}

/// How many bits an integer has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Width {
    Bits32,
    Bits64,
}

/// Alternatives and combinations.
#[derive(Debug, Default)]
pub(super) struct Logic {
    pub(super) all_of: Box<[Node]>,
    pub(super) any_of: Box<[Node]>,
    pub(super) one_of: Box<[Node]>,
    pub(super) not: Option<Node>,
}

impl Logic {
    /// Returns the parts that may declare fields.
    pub(super) fn branches(&self) -> impl Iterator<Item = &Node> {
        self.all_of.iter().chain(&self.any_of).chain(&self.one_of)
    }
}

/// Compiles the definitions of one library.
pub(super) struct Compiler<'a> {
    pub(super) library: &'a Library,
    /// The rules of custom resources apply: an object that declares no fields has none.
    pub(super) custom: bool,
}

impl Compiler<'_> {
    /// Compiles a definition.
    pub(super) fn definition(&self, name: &str, schema: &Value) -> Node {
        let mut node = self.node(schema, true, 0);
        if name.ends_with(".resource.Quantity") {
            node.text.get_or_insert_default().format = Some(Format::Quantity);
        }
        node
    }

    /// Compiles one schema. `skeleton` is false inside alternatives, which check values but declare nothing.
    fn node(&self, schema: &Value, skeleton: bool, depth: u16) -> Node {
        let schema = match schema {
            Value::Object(schema) if depth < DEPTH => schema,
            Value::Bool(false) => {
                return Node {
                    logic: Some(Box::new(Logic {
                        not: Some(Node::default()),
                        ..Logic::default()
                    })),
                    ..Node::default()
                };
            }
            _ => return Node::default(),
        };
        let mut node = Node {
            types: types(schema),
            nullable: flag(schema, "nullable"),
            base: self.base(schema),
            text: text(schema).map(Box::new),
            number: bounds(schema).map(Box::new),
            allowed: list(schema, "enum").map(|values| values.to_vec().into()),
            default: schema.get("default").cloned().map(Box::new),
            empty_is_unset: !self.custom,
            ..Node::default()
        };
        if let Some(constant) = schema.get("const") {
            node.allowed = Some([constant.clone()].into());
        }
        node.object = self.object(schema, node.types, skeleton, depth);
        node.array = self.array(schema, skeleton, depth);
        node.logic = self.logic(schema, &mut node.types, node.base.is_some(), depth);
        node
    }

    /// Finds the definition that a schema refers to, directly or by an `allOf` of one.
    fn base(&self, schema: &Map<String, Value>) -> Option<u32> {
        let reference = match schema.get("$ref") {
            Some(reference) => reference,
            None => match list(schema, "allOf") {
                Some([Value::Object(only)]) if only.len() == 1 => only.get("$ref")?,
                _ => return None,
            },
        };
        let reference = reference.as_str()?;
        let found = definition_name(reference).and_then(|name| self.library.position(&name));
        if found.is_none() {
            self.library.note(format!(
                "the reference {reference:?} leads nowhere: what it describes is not checked"
            ));
        }
        found
    }

    fn object(
        &self,
        schema: &Map<String, Value>,
        types: Types,
        skeleton: bool,
        depth: u16,
    ) -> Option<Box<Object>> {
        let mut properties: Vec<(Box<str>, Node)> = schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, property)| {
                (
                    name.as_str().into(),
                    self.node(property, skeleton, depth + 1),
                )
            })
            .collect();
        properties.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let declares = !properties.is_empty();
        let additional = if flag(schema, "x-kubernetes-preserve-unknown-fields") {
            match schema.get("additionalProperties") {
                Some(each @ Value::Object(_)) => {
                    Additional::Each(self.node(each, skeleton, depth + 1))
                }
                _ => Additional::Open,
            }
        } else {
            match schema.get("additionalProperties") {
                Some(Value::Bool(false)) => Additional::Refused,
                Some(Value::Bool(true)) => Additional::Open,
                Some(each) => Additional::Each(self.node(each, skeleton, depth + 1)),
                None if !skeleton => Additional::Silent,
                None if declares => Additional::Closed,
                None if self.custom && types == Types::OBJECT => Additional::Closed,
                None => Additional::Silent,
            }
        };
        let object = Object {
            properties: properties.into(),
            required: list(schema, "required")
                .unwrap_or_default()
                .iter()
                .filter_map(|name| name.as_str().map(Into::into))
                .collect(),
            additional,
            min: count(schema, "minProperties"),
            max: count(schema, "maxProperties"),
            embedded: flag(schema, "x-kubernetes-embedded-resource"),
        };
        let says_nothing = object.is_bare()
            && object.required.is_empty()
            && matches!(object.additional, Additional::Silent)
            && object.min.is_none()
            && object.max.is_none()
            && !object.embedded;
        (!says_nothing).then(|| Box::new(object))
    }

    fn array(&self, schema: &Map<String, Value>, skeleton: bool, depth: u16) -> Option<Box<Array>> {
        let unique = match schema.get("x-kubernetes-list-type").and_then(Value::as_str) {
            Some("set") => Unique::Whole,
            Some("map") => Unique::Keys(
                list(schema, "x-kubernetes-list-map-keys")
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|key| key.as_str().map(str::to_owned))
                    .collect(),
            ),
            _ if flag(schema, "uniqueItems") => Unique::Whole,
            _ => Unique::No,
        };
        let array = Array {
            items: schema
                .get("items")
                .map(|items| self.node(items, skeleton, depth + 1)),
            min: count(schema, "minItems"),
            max: count(schema, "maxItems"),
            unique,
        };
        let says_nothing = array.items.is_none()
            && array.min.is_none()
            && array.max.is_none()
            && matches!(array.unique, Unique::No);
        (!says_nothing).then(|| Box::new(array))
    }

    /// Compiles the alternatives. Those that only tell types apart become part of the types.
    fn logic(
        &self,
        schema: &Map<String, Value>,
        types: &mut Types,
        has_base: bool,
        depth: u16,
    ) -> Option<Box<Logic>> {
        let branches = |key: &str| -> Box<[Node]> {
            list(schema, key)
                .unwrap_or_default()
                .iter()
                .map(|branch| self.node(branch, false, depth + 1))
                .collect()
        };
        let mut alternatives = |key: &str| match type_only(list(schema, key).unwrap_or_default()) {
            Some(union) if types.is_empty() || union.contains(*types) => {
                if types.is_empty() {
                    *types = union;
                }
                Box::default()
            }
            _ => branches(key),
        };
        let any_of = alternatives("anyOf");
        let one_of = alternatives("oneOf");
        let base_is_all_of = has_base && !schema.contains_key("$ref");
        let logic = Logic {
            all_of: if base_is_all_of {
                Box::default()
            } else {
                branches("allOf")
            },
            any_of,
            one_of,
            not: schema
                .get("not")
                .map(|not| self.node(not, false, depth + 1)),
        };
        let says_nothing = logic.branches().next().is_none() && logic.not.is_none();
        (!says_nothing).then(|| Box::new(logic))
    }
}

/// Returns the types of alternatives that say nothing but a type each.
fn type_only(branches: &[Value]) -> Option<Types> {
    if branches.is_empty() {
        return None;
    }
    branches.iter().try_fold(Types::default(), |union, branch| {
        let branch = branch.as_object()?;
        let only = branch
            .keys()
            .all(|key| matches!(key.as_str(), "type" | "description" | "title"));
        let types = types(branch);
        (only && !types.is_empty()).then(|| union.with(types))
    })
}

fn types(schema: &Map<String, Value>) -> Types {
    if flag(schema, "x-kubernetes-int-or-string")
        || schema.get("format").and_then(Value::as_str) == Some("int-or-string")
    {
        return Types::INTEGER.with(Types::STRING);
    }
    match schema.get("type") {
        Some(Value::String(name)) => Types::named(name),
        Some(Value::Array(names)) => names
            .iter()
            .filter_map(Value::as_str)
            .fold(Types::default(), |union, name| {
                union.with(Types::named(name))
            }),
        _ => Types::default(),
    }
}

fn text(schema: &Map<String, Value>) -> Option<Text> {
    let text = Text {
        min: count(schema, "minLength"),
        max: count(schema, "maxLength"),
        pattern: schema
            .get("pattern")
            .and_then(Value::as_str)
            .filter(|source| !source.is_empty())
            .map(|source| Pattern {
                source: source.into(),
                compiled: OnceLock::new(),
            }),
        format: schema
            .get("format")
            .and_then(Value::as_str)
            .and_then(Format::named),
    };
    let says_nothing =
        text.min.is_none() && text.max.is_none() && text.pattern.is_none() && text.format.is_none();
    (!says_nothing).then_some(text)
}

fn bounds(schema: &Map<String, Value>) -> Option<Bounds> {
    // `exclusive…` is a flag beside the bound in OpenAPI 3.0, and a bound of its own in JSON Schema.
    let bound =
        |inclusive: &str, exclusive: &str| match (schema.get(inclusive), schema.get(exclusive)) {
            (_, Some(Value::Number(value))) => Some(Bound {
                value: value.clone(),
                exclusive: true,
            }),
            (Some(Value::Number(value)), flag) => Some(Bound {
                value: value.clone(),
                exclusive: flag == Some(&Value::Bool(true)),
            }),
            _ => None,
        };
    let bounds = Bounds {
        min: bound("minimum", "exclusiveMinimum"),
        max: bound("maximum", "exclusiveMaximum"),
        multiple: match schema.get("multipleOf") {
            Some(Value::Number(step)) if step.as_f64().is_some_and(|step| step > 0.0) => {
                Some(step.clone())
            }
            _ => None,
        },
        width: match schema.get("format").and_then(Value::as_str) {
            // The built-in kinds' integer or string has an int32 inside.
            Some("int32" | "int-or-string") => Some(Width::Bits32),
            Some("int64") => Some(Width::Bits64),
            _ => None,
        },
    };
    let says_nothing = bounds.min.is_none()
        && bounds.max.is_none()
        && bounds.multiple.is_none()
        && bounds.width.is_none();
    (!says_nothing).then_some(bounds)
}

fn flag(schema: &Map<String, Value>, key: &str) -> bool {
    schema.get(key) == Some(&Value::Bool(true))
}

fn list<'a>(schema: &'a Map<String, Value>, key: &str) -> Option<&'a [Value]> {
    schema.get(key)?.as_array().map(Vec::as_slice)
}

fn count(schema: &Map<String, Value>, key: &str) -> Option<usize> {
    let value = schema.get(key)?;
    value
        .as_u64()
        .or_else(|| {
            // `1e3` and `3.0` are counts too.
            let text = value
                .as_f64()
                .filter(|count| *count >= 0.0 && count.fract() == 0.0)?;
            format!("{text:.0}").parse().ok()
        })
        .and_then(|count| usize::try_from(count).ok())
}

/// Returns the name in a reference such as `#/components/schemas/NAME`.
pub(crate) fn definition_name(reference: &str) -> Option<String> {
    let name = ["#/components/schemas/", "#/definitions/", "#/$defs/"]
        .iter()
        .find_map(|prefix| reference.strip_prefix(prefix))
        .or_else(|| (reference == "#").then_some(""))?;
    Some(name.replace("~1", "/").replace("~0", "~"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_keep_the_meaning_they_have_in_go() {
        let cases = [
            (r"^\d+$", "^[0-9]+$"),
            (r"[\w.-]+", "[[0-9A-Za-z_].-]+"),
            (r"[^]a]", r"[^\]a]"),
            ("[a[]", r"[a\[]"),
            ("[[:alpha:]]", "[[:alpha:]]"),
            (r"\bx\b", r"(?-u:\b)x(?-u:\b)"),
            (r"\Qa.b\E.", r"a\.b."),
            (r"[\]x]", r"[\]x]"),
            (r"[a&&b]", r"[a\&\&b]"),
            (r"\", r"\"),
            ("[", "["),
        ];
        for (go, ours) in cases {
            assert_eq!(in_our_syntax(go), ours, "{go}");
        }
    }

    #[test]
    fn types_read_as_words() {
        let words = |names: &[&str]| {
            names
                .iter()
                .fold(Types::default(), |all, name| all.with(Types::named(name)))
                .words()
        };
        assert_eq!(words(&["integer", "string"]), "string or integer");
        assert_eq!(words(&["number"]), "number");
        assert_eq!(words(&["object", "null"]), "object");
        assert_eq!(words(&["null"]), "null");
    }
}
