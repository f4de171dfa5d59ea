//! What a check finds, as data first and as a sentence second.

use std::fmt;

use serde_json::Value;

use crate::path::Path;

/// Longest piece of a document that is repeated in a message, in characters.
const SHOWN: usize = 60;

/// One departure of an object from its schema.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// Where it is. For a field that should not be there this is the field itself, for a missing one the object
    /// that lacks it.
    pub path: Path,
    /// What is wrong there.
    pub problem: Problem,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_root() {
            write!(out, "{}: ", self.path)?;
        }
        self.problem.fmt(out)
    }
}

/// The ways in which a value can be wrong. Displayed as a lowercase fragment without a final stop.
#[derive(Debug, Clone, PartialEq)]
pub enum Problem {
    /// A field that the schema does not know.
    UnknownField {
        /// The field's name.
        field: String,
        /// The known field whose name is nearest, when one is near enough.
        suggestion: Option<String>,
    },
    /// A required field is absent or null.
    Missing {
        /// The field's name.
        field: String,
    },
    /// A value of another type.
    WrongType {
        /// The types that would be right, such as `string or integer`.
        expected: String,
        /// What is there.
        found: Found,
    },
    /// A value outside its enumeration.
    NotAllowed {
        /// What is there.
        found: Found,
        /// The values that would be right, as JSON texts.
        allowed: Vec<String>,
    },
    /// A string that its regular expression does not match.
    Pattern {
        /// The expression.
        pattern: String,
        /// What is there.
        found: Found,
    },
    /// A string that is not of its format.
    Format {
        /// The format, in words.
        format: &'static str,
        /// What is there.
        found: Found,
    },
    /// A number that is too small or too large.
    Range {
        /// The bound that is broken.
        limit: Limit,
        /// What is there.
        found: Found,
    },
    /// A number that is not a multiple of its step.
    Multiple {
        /// The step.
        of: String,
        /// What is there.
        found: Found,
    },
    /// A string, array or object that is too short or too long.
    Length {
        /// What is counted: `characters`, `items` or `fields`.
        unit: &'static str,
        /// The bound that is broken.
        limit: Limit,
        /// How many there are.
        found: usize,
    },
    /// An entry of an array that repeats an earlier one.
    Duplicate {
        /// The keys that identify an entry; empty where the whole entry does.
        keys: Vec<String>,
        /// What they hold, unless it must not be shown.
        value: Option<String>,
        /// The index of the earlier entry.
        first: usize,
    },
    /// None, or more than one, of several alternatives holds.
    NoAlternative {
        /// How many alternatives hold.
        matched: usize,
        /// How many there are.
        of: usize,
        /// What the alternatives ask for, where that can be said briefly.
        hints: Vec<String>,
    },
    /// A value that the schema excludes.
    Excluded,
    /// The object and its schema together take too long to check.
    TooComplex,
}

impl Problem {
    /// Leaves out what the object has there, which must not be shown.
    pub fn conceal(&mut self) {
        match self {
            Self::WrongType { found, .. }
            | Self::NotAllowed { found, .. }
            | Self::Pattern { found, .. }
            | Self::Format { found, .. }
            | Self::Range { found, .. }
            | Self::Multiple { found, .. } => found.text = None,
            Self::Duplicate { value, .. } => *value = None,
            Self::UnknownField { .. }
            | Self::Missing { .. }
            | Self::Length { .. }
            | Self::NoAlternative { .. }
            | Self::Excluded
            | Self::TooComplex => {}
        }
    }

    /// Returns a word for the kind of problem that stays the same between versions.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::UnknownField { .. } => "unknown-field",
            Self::Missing { .. } => "missing",
            Self::WrongType { .. } => "wrong-type",
            Self::NotAllowed { .. } => "not-allowed",
            Self::Pattern { .. } => "pattern",
            Self::Format { .. } => "format",
            Self::Range { .. } => "range",
            Self::Multiple { .. } => "multiple",
            Self::Length { .. } => "length",
            Self::Duplicate { .. } => "duplicate",
            Self::NoAlternative { .. } => "no-alternative",
            Self::Excluded => "excluded",
            Self::TooComplex => "too-complex",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownField { field, suggestion } => {
                write!(out, "unknown field {:?}", shorten(field))?;
                match suggestion {
                    Some(near) => write!(out, ", did you mean {near:?}?"),
                    None => Ok(()),
                }
            }
            Self::Missing { field } => write!(out, "missing field {field:?}"),
            Self::WrongType { expected, found } => {
                write!(out, "expected {expected}, found {found}")
            }
            Self::NotAllowed { found, allowed } => {
                write!(out, "{found} is not allowed, only ")?;
                for (position, value) in allowed.iter().enumerate() {
                    let gap = match position {
                        0 => "",
                        last if last + 1 == allowed.len() => " or ",
                        _ => ", ",
                    };
                    write!(out, "{gap}{value}")?;
                }
                Ok(())
            }
            Self::Pattern { pattern, found } => {
                write!(
                    out,
                    "{found} does not match the pattern {}",
                    shorten(pattern)
                )
            }
            Self::Format { format, found } => write!(out, "{found} is not {format}"),
            Self::Range { limit, found } => write!(out, "must be {limit}, found {found}"),
            Self::Multiple { of, found } => {
                write!(out, "must be a multiple of {of}, found {found}")
            }
            Self::Length { unit, limit, found } => {
                let unit = if limit.is_one() {
                    unit.trim_end_matches('s')
                } else {
                    unit
                };
                write!(out, "must have {limit} {unit}, found {found}")
            }
            Self::Duplicate { keys, value, first } => {
                out.write_str("duplicate entry")?;
                match (keys.is_empty(), value) {
                    (true, Some(value)) => write!(out, " {value}")?,
                    (false, Some(value)) => write!(out, " with {} {value}", keys.join(", "))?,
                    (false, None) => write!(out, " with the same {}", keys.join(", "))?,
                    (true, None) => {}
                }
                write!(out, ", first at index {first}")
            }
            Self::NoAlternative { matched, of, hints } => {
                if *matched == 0 {
                    write!(out, "matches none of the {of} forms allowed here")?;
                } else {
                    write!(
                        out,
                        "matches {matched} of {of} forms where exactly one is allowed"
                    )?;
                }
                if hints.is_empty() {
                    Ok(())
                } else {
                    write!(out, " ({})", hints.join("; "))
                }
            }
            Self::Excluded => out.write_str("has a form that is not allowed here"),
            Self::TooComplex => out.write_str("takes too long to check against its schema"),
        }
    }
}

/// A bound of a number or of a count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// This or more.
    AtLeast(String),
    /// This or less.
    AtMost(String),
    /// More than this.
    Above(String),
    /// Less than this.
    Below(String),
}

impl Limit {
    fn is_one(&self) -> bool {
        let (Self::AtLeast(bound) | Self::AtMost(bound) | Self::Above(bound) | Self::Below(bound)) =
            self;
        bound == "1"
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(out, "at least {bound}"),
            Self::AtMost(bound) => write!(out, "at most {bound}"),
            Self::Above(bound) => write!(out, "more than {bound}"),
            Self::Below(bound) => write!(out, "less than {bound}"),
        }
    }
}

/// A value that was found: its type and, where it may be shown, its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The type, in the words of JSON Schema.
    pub kind: &'static str,
    /// The value as JSON, shortened; absent for arrays and objects, and for what must not be shown.
    pub text: Option<String>,
}

impl Found {
    /// Describes a value, without its text when that must not be shown.
    pub(super) fn new(value: &Value, conceal: bool) -> Self {
        let text = match value {
            _ if conceal => None,
            Value::Null | Value::Array(_) | Value::Object(_) => None,
            Value::String(text) => Some(format!("{:?}", shorten(text))),
            scalar => Some(scalar.to_string()),
        };
        Self {
            kind: kind_of(value),
            text,
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => write!(out, "{} {text}", self.kind),
            None => out.write_str(self.kind),
        }
    }
}

/// Returns the type of a value, in the words of JSON Schema.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Cuts a text to what a message can hold.
pub(super) fn shorten(text: &str) -> std::borrow::Cow<'_, str> {
    crate::excerpt::excerpt(text, SHOWN)
}
