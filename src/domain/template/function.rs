//! The functions that templates can call, by topic.

mod builtin;
mod date;
mod dictionary;
mod encoding;
mod lists;
mod numeric;
mod own;
mod paths;
mod reflection;
mod regular;
mod texts;
mod unpredictable;
mod versions;

use super::Problem;
use super::exec::Run;
use super::time::Time;
use super::value::{Map, Text, Value};

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Any,
    Text,
    Int,
    Float,
    Boolean,
    Map,
    Time,
}

impl Type {
    /// Returns Go's name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Text => "string",
            Self::Int => "int",
            Self::Float => "float64",
            Self::Boolean => "bool",
            Self::Map => "map[string]interface {}",
            Self::Time => "time.Time",
        }
    }
}

/// What a function yields.
pub(super) type Outcome<'a> = Result<Value<'a>, Problem>;

/// A function that a template can call.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    /// What it takes.
    pub(super) fixed: &'static [Type],
    /// What it takes any number of after that.
    pub(super) variadic: Option<Type>,
    pub(super) body: Body,
}

/// What a function does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Body {
    /// Evaluates its arguments up to the first false one.
    And,
    /// Evaluates its arguments up to the first true one.
    Or,
    Call(for<'a> fn(&mut Run<'a>, Arguments<'_, 'a>) -> Outcome<'a>),
}

/// What a function is called with; count and types are as it asks for.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'v, 'a>(pub(super) &'v [Value<'a>]);

impl<'v, 'a> Arguments<'v, 'a> {
    fn any(self, index: usize) -> Result<&'v Value<'a>, Problem> {
        self.0
            .get(index)
            .ok_or_else(|| "an argument is missing".into())
    }

    fn wrong<T>() -> Result<T, Problem> {
        Err("an argument has the wrong type".into())
    }

    fn text(self, index: usize) -> Result<&'v Text<'a>, Problem> {
        match self.any(index)? {
            Value::Text(text) => Ok(text),
            _ => Self::wrong(),
        }
    }

    fn bytes(self, index: usize) -> Result<&'v [u8], Problem> {
        Ok(self.text(index)?.bytes())
    }

    fn int(self, index: usize) -> Result<i64, Problem> {
        match self.any(index)? {
            Value::Int(number) => Ok(*number),
            _ => Self::wrong(),
        }
    }

    fn boolean(self, index: usize) -> Result<bool, Problem> {
        match self.any(index)? {
            Value::Boolean(flag) => Ok(*flag),
            _ => Self::wrong(),
        }
    }

    fn map(self, index: usize) -> Result<&'v Map<'a>, Problem> {
        match self.any(index)? {
            Value::Map(map) => Ok(map),
            _ => Self::wrong(),
        }
    }

    fn time(self, index: usize) -> Result<&'v Time, Problem> {
        match self.any(index)? {
            Value::Time(time) => Ok(time),
            _ => Self::wrong(),
        }
    }

    fn from(self, index: usize) -> &'v [Value<'a>] {
        self.0.get(index..).unwrap_or_default()
    }

    fn maps(self, index: usize) -> impl Iterator<Item = &'v Map<'a>> {
        self.from(index).iter().filter_map(|value| match value {
            Value::Map(map) => Some(map),
            _ => None,
        })
    }
}

/// Shortens the tables.
const fn function(
    name: &'static str,
    fixed: &'static [Type],
    body: for<'a> fn(&mut Run<'a>, Arguments<'_, 'a>) -> Outcome<'a>,
) -> Function {
    Function {
        name,
        fixed,
        variadic: None,
        body: Body::Call(body),
    }
}

/// The same for a function that takes any number of arguments after the fixed ones.
const fn variadic(
    name: &'static str,
    fixed: &'static [Type],
    more: Type,
    body: for<'a> fn(&mut Run<'a>, Arguments<'_, 'a>) -> Outcome<'a>,
) -> Function {
    Function {
        name,
        fixed,
        variadic: Some(more),
        body: Body::Call(body),
    }
}

/// What Sprig or Go has and we don't offer, with the reason.
pub const REFUSED: &[(&str, &str)] = &[
    ("env", "it reads the environment of the program"),
    ("expandenv", "it reads the environment of the program"),
    ("getHostByName", "it asks the name servers of the program"),
    (
        "bcrypt",
        "each call yields another text, so each pass would write",
    ),
    (
        "htpasswd",
        "each call yields another text, so each pass would write",
    ),
    (
        "encryptAES",
        "each call yields another text, so each pass would write",
    ),
    ("decryptAES", "keep secrets in a Secret, not in a template"),
    (
        "derivePassword",
        "keep secrets in a Secret, not in a template",
    ),
    ("genPrivateKey", "each pass would make another key"),
    ("genCA", "each pass would make another certificate"),
    ("genCAWithKey", "each pass would make another certificate"),
    (
        "genSelfSignedCert",
        "each pass would make another certificate",
    ),
    (
        "genSelfSignedCertWithKey",
        "each pass would make another certificate",
    ),
    ("genSignedCert", "each pass would make another certificate"),
    (
        "genSignedCertWithKey",
        "each pass would make another certificate",
    ),
    (
        "buildCustomCert",
        "it belongs to the functions that make certificates",
    ),
];

/// The functions that need a clock or randomness.
pub const NONDETERMINISTIC: &[&str] = &[
    "ago",
    "now",
    "randAlpha",
    "randAlphaNum",
    "randAscii",
    "randBytes",
    "randInt",
    "randNumeric",
    "shuffle",
    "uuidv4",
];

/// All functions; where two have a name, the first one counts.
const TABLES: [&[Function]; 13] = [
    own::FUNCTIONS,
    texts::FUNCTIONS,
    numeric::FUNCTIONS,
    lists::FUNCTIONS,
    dictionary::FUNCTIONS,
    encoding::FUNCTIONS,
    reflection::FUNCTIONS,
    regular::FUNCTIONS,
    date::FUNCTIONS,
    paths::FUNCTIONS,
    versions::FUNCTIONS,
    unpredictable::FUNCTIONS,
    builtin::FUNCTIONS,
];

/// Returns the function that has a name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    TABLES
        .iter()
        .copied()
        .flatten()
        .find(|function| function.name == name)
}

/// Returns all names.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    TABLES
        .iter()
        .copied()
        .flatten()
        .map(|function| function.name)
}
