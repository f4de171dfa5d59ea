//! Templates as Go's `text/template` has them, with Sprig's functions and seven of our own.
//!
//! A [`Template`] is parsed once and rendered for many rows. What it is given are values, never templates: a
//! value that contains `{{` stays as it is. Nothing is read from the machine; what isn't determined by the
//! variables comes from a [`Source`]. Depth, steps and memory of a rendering are bounded, so that neither a
//! template nor a value can take the program down.
//!
//! Where this differs from the operator: `int`, `float` and `bool` yield texts that know their type and not
//! texts that begin with a marker, so that nothing of it shows in the middle of a text; `keys` and `values`
//! are in the order of the keys; functions of dates refuse what is no date instead of taking the time of day;
//! `chunk` refuses sizes below 1; `deepCopy` keeps versions as they are; complex numbers, and methods other
//! than the parts of a version, are not offered.

mod exec;
mod format;
mod function;
mod json;
mod lexer;
mod number;
mod parser;
mod pattern;
mod references;
mod rune;
mod time;
mod url;
mod value;
mod version;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

pub use function::{NONDETERMINISTIC, REFUSED};
pub use references::References;

use exec::{Fault, Run};
use value::Mark;

/// What a template can refer to, by name.
pub type Variables = BTreeMap<String, String>;

/// Where the time of day and randomness come from.
pub trait Source {
    /// Returns the seconds and nanoseconds since 1970 began.
    fn now(&mut self) -> (i64, u32);
    /// Fills a buffer with random bytes.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// A text that may contain actions, ready to be rendered.
#[derive(Debug)]
pub struct Template {
    text: String,
    /// None for a text without actions.
    program: Option<parser::Program>,
    patterns: pattern::Cache,
}

/// What a template yields for a field of an object.
#[derive(Debug, Clone, PartialEq)]
pub enum Leaf {
    /// A text.
    Text(String),
    /// By `int`.
    Integer(i64),
    /// By `float`.
    Float(f64),
    /// By `bool`.
    Boolean(bool),
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct ParseError {
    /// The line, counted from 1.
    pub line: usize,
    /// The column, in characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Why a template can't be rendered with some variables.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct RenderError {
    /// The line, counted from 1.
    pub line: usize,
    /// The column, in characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong while a template is rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Something is named that isn't there.
    #[error("there is no {key:?}; there {}", list(known))]
    Missing {
        /// What is named.
        key: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A bound is reached.
    #[error("the template does too much: {0}")]
    Limit(&'static str),
    /// The template says so, by `fail`.
    #[error("{0}")]
    Failed(String),
    /// A function doesn't take what it is given.
    #[error("{function}: {message}")]
    Function {
        /// The function.
        function: &'static str,
        /// What is wrong.
        message: String,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

fn list(known: &[String]) -> String {
    match known {
        [] => "is nothing".to_owned(),
        [one] => format!("is {one}"),
        many => format!("are {}", many.join(", ")),
    }
}

impl Problem {
    fn too_much() -> Self {
        Self::Limit("more text than an object could hold")
    }

    fn too_deep() -> Self {
        Self::Limit("values too deep inside one another")
    }
}

impl From<String> for Problem {
    fn from(message: String) -> Self {
        Self::Other(message)
    }
}

impl From<&str> for Problem {
    fn from(message: &str) -> Self {
        Self::Other(message.to_owned())
    }
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let program = if text.contains("{{") {
            let program = parser::parse(text).map_err(|fault| {
                let (line, column) = place(text, fault.at);
                ParseError {
                    line,
                    column,
                    message: fault.message,
                }
            })?;
            Some(program)
        } else {
            None
        };
        Ok(Self {
            text: text.to_owned(),
            program,
            patterns: pattern::Cache::default(),
        })
    }

    /// Returns the text that was parsed.
    pub fn source(&self) -> &str {
        &self.text
    }

    /// Returns the variables that it refers to.
    pub fn references(&self) -> References {
        self.program
            .as_ref()
            .map(References::of)
            .unwrap_or_default()
    }

    /// Tells whether the same variables always yield the same text.
    pub fn is_deterministic(&self) -> bool {
        self.nondeterministic_functions().is_empty()
    }

    /// Returns the functions it calls that need a clock or randomness.
    pub fn nondeterministic_functions(&self) -> Vec<&'static str> {
        let called = self.program.iter().flat_map(|program| &program.called);
        let calls = |names: &[&str]| {
            let mut called = self.program.iter().flat_map(|program| &program.called);
            called.any(|function| names.contains(&function.name))
        };
        let rounds_times = calls(&["toDate", "mustToDate", "dateModify", "mustDateModify"])
            || calls(&["date_modify", "must_date_modify"]);
        called
            .filter(|function| {
                function::NONDETERMINISTIC.contains(&function.name)
                    || (function.name == "durationRound" && rounds_times)
            })
            .map(|function| function.name)
            .collect()
    }

    /// Renders the template; functions that need a clock or randomness fail.
    pub fn render(&self, variables: &Variables) -> Result<Cow<'_, str>, RenderError> {
        let (text, _) = self.run(variables, None)?;
        Ok(text)
    }

    /// Renders the template with a clock and randomness.
    pub fn render_with(
        &self,
        variables: &Variables,
        source: &mut dyn Source,
    ) -> Result<Cow<'_, str>, RenderError> {
        let (text, _) = self.run(variables, Some(source))?;
        Ok(text)
    }

    /// Renders the template for a field of an object: what begins with the result of `int`, `float` or
    /// `bool`, and can be read as a whole, has that type.
    pub fn render_leaf(
        &self,
        variables: &Variables,
        source: Option<&mut dyn Source>,
    ) -> Result<Leaf, RenderError> {
        let (text, mark) = self.run(variables, source)?;
        let typed = match mark {
            Some(Mark::Integer) => number::integer(&text, 10).ok().map(Leaf::Integer),
            Some(Mark::Float) => number::float(&text).map(Leaf::Float),
            Some(Mark::Boolean) => text.parse().ok().map(Leaf::Boolean),
            None => None,
        };
        Ok(typed.unwrap_or_else(|| Leaf::Text(text.into_owned())))
    }

    fn run(
        &self,
        variables: &Variables,
        source: Option<&mut dyn Source>,
    ) -> Result<(Cow<'_, str>, Option<Mark>), RenderError> {
        let Some(program) = &self.program else {
            return Ok((Cow::Borrowed(&self.text), None));
        };
        let source = source.map(|source| source as &mut dyn Source);
        let run = Run::new(program, &self.text, &self.patterns, variables, source);
        let (bytes, mark) = run.main().map_err(|fault| self.located(fault))?;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            // As JSON has it, which is the way to the API server: each byte that belongs to no character
            // becomes U+FFFD.
            Err(error) => {
                let bytes = rune::map(error.as_bytes(), |char| char);
                String::from_utf8_lossy(&bytes).into_owned()
            }
        };
        Ok((Cow::Owned(text), mark))
    }

    fn located(&self, fault: Fault) -> RenderError {
        let (line, column) = place(&self.text, fault.at);
        RenderError {
            line,
            column,
            problem: fault.problem,
        }
    }
}

/// Returns the names of all functions that templates can call, in order.
pub fn functions() -> Vec<&'static str> {
    let names: BTreeSet<_> = function::names().collect();
    names.into_iter().collect()
}

/// Returns the host of an address, as the function `toHost` does: without a scheme, what comes before the
/// first colon.
pub fn host_of(address: &str) -> String {
    match url::Url::parse(address.as_bytes()) {
        Some(url) if !url.host.is_empty() => String::from_utf8_lossy(url.hostname()).into_owned(),
        _ => address.split(':').next().unwrap_or_default().to_owned(),
    }
}

/// Returns the line and the column of a byte.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, line.chars().count() + 1)
}
