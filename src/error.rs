//! What goes wrong, as the user meets it: a stable code, what and where, the chain of causes,
//! and what to type next. Exit codes hang on codes, in one table ([`code`]), so that an error
//! reads the same in process, from a server and in `weftctl explain`.
//!
//! Layers below `commands` have their own enums; they become [`Error`] here and in `service`.

pub mod code;
pub(crate) mod from;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use code::{Code, Kind};

/// The result of everything above the domain.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error at the command boundary, and on the wire.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Body", into = "Body")]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    message: String,
    place: Place,
    causes: Vec<String>,
    hints: Vec<String>,
    /// Further errors of the same run; the first one's siblings, never nested.
    more: Vec<Error>,
    /// Whether it kept a command from answering a question.
    undecided: bool,
}

/// Where an error lies: in a file, or at something remote.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Place {
    /// The file, as the user named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line in the file, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column in characters, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The kubeconfig context.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The resource, design, URL or path concerned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
}

impl Place {
    /// A place in a file.
    pub fn file(file: impl Into<String>, location: Option<weft_domain::yaml::Location>) -> Self {
        Self {
            file: Some(file.into()),
            line: location.map(|l| l.line),
            column: location.map(|l| l.column),
            ..Self::default()
        }
    }

    /// Something with a name.
    pub fn object(object: impl Into<String>) -> Self {
        Self {
            object: Some(object.into()),
            ..Self::default()
        }
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(file) = &self.file {
            parts.push(match (self.line, self.column) {
                (Some(line), Some(column)) => format!("{file}:{line}:{column}"),
                (Some(line), None) => format!("{file}:{line}"),
                _ => file.clone(),
            });
        }
        if let Some(context) = &self.context {
            parts.push(format!("context {context:?}"));
        }
        if let Some(object) = &self.object {
            parts.push(object.clone());
        }
        f.write_str(&parts.join(", "))
    }
}

impl Error {
    /// An error with the code's own hint.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            code,
            message: message.into(),
            place: Place::default(),
            causes: Vec::new(),
            hints: Vec::new(),
            more: Vec::new(),
            undecided: false,
        }))
    }

    /// A bug: something that the lines before had ruled out.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Code::Internal, message)
    }

    /// Adds where it happened.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.0.place = place;
        self
    }

    /// Adds the file where it happened, keeping line and column.
    #[must_use]
    pub fn in_file(mut self, file: &str) -> Self {
        self.0.place.file = Some(file.to_owned());
        self
    }

    /// Adds the context and the object, where none is known yet.
    #[must_use]
    pub fn in_context(mut self, context: &str, object: &impl fmt::Display) -> Self {
        let place = &mut self.0.place;
        place.context.get_or_insert_with(|| context.to_owned());
        place.object.get_or_insert_with(|| object.to_string());
        self
    }

    /// Adds the context to this error and its siblings, where none is known yet.
    #[must_use]
    pub fn of_context(mut self, context: &str) -> Self {
        let known = &mut self.0.place.context;
        known.get_or_insert_with(|| context.to_owned());
        let more = std::mem::take(&mut self.0.more).into_iter();
        self.0.more = more.map(|error| error.of_context(context)).collect();
        self
    }

    /// Adds a cause, outermost first.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.0.causes.push(cause.to_string());
        self
    }

    /// Adds an error and everything that caused it.
    #[must_use]
    pub fn because_of(mut self, cause: &(dyn std::error::Error + 'static)) -> Self {
        let mut next = Some(cause);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Many libraries repeat the inner message in the outer one.
            if self
                .0
                .causes
                .last()
                .is_none_or(|last| !last.ends_with(&text))
            {
                self.0.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// Adds something that the user can type or change.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }

    /// Adds the nearest of the words that would have been right, if one is near.
    #[must_use]
    pub fn did_you_mean<'a>(
        self,
        word: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match weft_domain::near::nearest(word, candidates) {
            Some(near) => self.hint(format!("did you mean {near:?}?")),
            None => self,
        }
    }

    /// The error of a command that answers a question: a failure without a finer kind must not
    /// look like "no" (`cli-conventions` §2, exit 3).
    #[must_use]
    pub fn undecided(mut self) -> Self {
        self.0.undecided = true;
        self
    }

    /// The same under another code.
    #[must_use]
    pub fn coded(mut self, code: Code) -> Self {
        self.0.code = code;
        self
    }

    /// Leads other errors, whatever their kinds: it says what they are together.
    #[must_use]
    pub fn along_with(mut self, mut other: Error) -> Self {
        let more = std::mem::take(&mut other.0.more);
        self.0.more.push(other);
        self.0.more.extend(more);
        self
    }

    /// One error out of several, ordered so that the one that decides the exit code leads
    /// (`cli-conventions` §2). `None` when there are none.
    pub fn all(errors: impl IntoIterator<Item = Error>) -> Option<Self> {
        let mut flat: Vec<Error> = Vec::new();
        for mut error in errors {
            let more = std::mem::take(&mut error.0.more);
            flat.push(error);
            flat.extend(more);
        }
        let first = flat
            .iter()
            .enumerate()
            .min_by_key(|(index, error)| (error.kind().precedence(), *index))
            .map(|(index, _)| index)?;
        let mut lead = flat.remove(first);
        lead.0.more = flat;
        Some(lead)
    }

    /// The stable code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The kind, which is the exit code.
    pub fn kind(&self) -> Kind {
        match self.0.code.kind() {
            Kind::Failure if self.0.undecided => Kind::Unknown,
            kind => kind,
        }
    }

    /// What happened, in one line.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Where it happened.
    pub fn place(&self) -> &Place {
        &self.0.place
    }

    /// The chain of causes, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.0.causes
    }

    /// What to type next: the error's own hints, or the code's.
    pub fn hints(&self) -> Vec<&str> {
        if self.0.hints.is_empty() {
            let hint = self.0.code.entry().hint;
            if hint.is_empty() {
                Vec::new()
            } else {
                vec![hint]
            }
        } else {
            self.0.hints.iter().map(String::as_str).collect()
        }
    }

    /// What to type next, as far as it is the error's own and not the code's.
    pub fn own_hints(&self) -> &[String] {
        &self.0.hints
    }

    /// The other errors of the same run.
    pub fn more(&self) -> &[Error] {
        &self.0.more
    }

    /// The errors that a result tells of.
    pub fn of_bodies(bodies: &[Body]) -> Vec<Self> {
        bodies.iter().cloned().map(Self::from).collect()
    }

    /// What happened, why and where, in one line.
    pub fn in_one_line(&self) -> String {
        let place = self.place().to_string();
        let parts = std::iter::once(self.message()).chain(self.causes().iter().map(String::as_str));
        let parts = parts.chain(std::iter::once(place.as_str()));
        let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        parts.join(": ")
    }

    /// This error and its siblings, each by itself.
    pub fn apart(mut self) -> Vec<Self> {
        let more = std::mem::take(&mut self.0.more);
        std::iter::once(self).chain(more).collect()
    }

    /// This error and its siblings.
    pub fn iter(&self) -> impl Iterator<Item = &Error> {
        std::iter::once(self).chain(self.0.more.iter())
    }

    /// The printed form, colours left to the terminal. Siblings of one code stand together, with
    /// their hint once; of many only the first few are listed, unless `verbose`. The error that
    /// decides the exit code comes last: that is where a person looks.
    pub fn render(&self, verbose: bool) -> String {
        use fmt::Write;
        const SHOWN: usize = 10;
        let mut groups: Vec<(Code, Vec<String>, Vec<&Error>)> = Vec::new();
        for error in self.iter() {
            let hints: Vec<String> = error.hints().into_iter().map(str::to_owned).collect();
            let same = |group: &&mut (Code, Vec<String>, Vec<&Error>)| {
                group.0 == error.code() && group.1 == hints
            };
            match groups.iter_mut().find(same) {
                Some((_, _, errors)) => errors.push(error),
                None => groups.push((error.code(), hints, vec![error])),
            }
        }
        let mut text = String::new();
        for (code, hints, errors) in groups.iter().rev() {
            let shown = if verbose { errors.len() } else { SHOWN };
            for error in errors.iter().take(shown) {
                error.render_one(&mut text);
            }
            match errors.len().saturating_sub(shown) {
                0 => {}
                hidden => _ = writeln!(text, "and {hidden} more; -v lists them"),
            }
            for hint in hints {
                let _ = writeln!(text, "  hint:   {hint}");
            }
            let _ = writeln!(text, "  more:   weftctl explain {}", code.id());
        }
        text
    }

    fn render_one(&self, text: &mut String) {
        use fmt::Write;
        let _ = writeln!(text, "error[{}]: {}", self.code().id(), self.message());
        if !self.0.place.is_empty() {
            let _ = writeln!(text, "  where:  {}", self.0.place);
        }
        for cause in &self.0.causes {
            let _ = writeln!(text, "  cause:  {cause}");
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(true))
    }
}

impl std::error::Error for Error {}

/// The JSON form of an error, on stderr under `-o json` and as the body of a refused request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Error")]
pub struct Body {
    /// Always `weftctl.dev/v1`.
    #[serde(default)]
    api_version: String,
    /// Always `Error`.
    #[serde(default)]
    kind: String,
    /// The stable code, for example `E0100`.
    code: String,
    /// What happened, in one line.
    message: String,
    /// What to type next.
    #[serde(default)]
    hint: Option<String>,
    /// The chain of causes, outermost first.
    #[serde(default)]
    cause: Vec<String>,
    /// What it is about: a file with a position, a resource, a URL.
    #[serde(default)]
    object: Place,
    /// Whether the same call may succeed later.
    #[serde(default)]
    retryable: bool,
    /// The exit code of the command.
    #[serde(default)]
    exit_code: i32,
    /// Further errors of the same run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<Body>,
}

impl From<Error> for Body {
    fn from(error: Error) -> Self {
        let hints = error.hints().join("; ");
        let entry = error.code().entry();
        let exit_code = error.kind().exit_code();
        Self {
            api_version: crate::api::API_VERSION.to_owned(),
            kind: "Error".to_owned(),
            code: error.code().id(),
            message: error.0.message,
            hint: (!hints.is_empty()).then_some(hints),
            cause: error.0.causes,
            object: error.0.place,
            retryable: entry.retryable,
            exit_code,
            others: error.0.more.into_iter().map(Body::from).collect(),
        }
    }
}

impl Body {
    /// The code. A newer server may know some that we don't: its exit code still says the kind.
    pub fn code(&self) -> Code {
        let general = || Code::general(Kind::from_exit_code(self.exit_code));
        Code::from_id(&self.code).unwrap_or_else(general)
    }
}

impl From<Body> for Error {
    fn from(body: Body) -> Self {
        let code = body.code();
        let own_hint = body.hint.filter(|hint| hint != code.entry().hint);
        Self(Box::new(Inner {
            code,
            message: body.message,
            place: body.object,
            causes: body.cause,
            hints: own_hint.into_iter().collect(),
            more: body.others.into_iter().map(Error::from).collect(),
            undecided: false,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_of_several_errors_follows_the_order_of_the_table() {
        let order = [
            Code::Internal,
            Code::Usage,
            Code::TokenRefused,
            Code::NotYaml,
            Code::DesignNotFound,
            Code::Unreachable,
            Code::Failed,
        ];
        for (index, code) in order.iter().enumerate() {
            let mut codes = order[index..].to_vec();
            codes.reverse();
            let error = Error::all(codes.into_iter().map(|c| Error::new(c, "x"))).unwrap();
            assert_eq!(error.code(), *code);
            assert_eq!(error.iter().count(), order.len() - index);
        }
        assert!(Error::all([]).is_none());
    }

    #[test]
    fn an_error_survives_the_wire() {
        let error = Error::all([
            Error::new(Code::NotYaml, "cannot read x")
                .at(Place::file("a.yaml", None))
                .because("tab")
                .hint("use blanks"),
            Error::new(Code::DesignNotFound, "no design \"shop\""),
        ])
        .unwrap();
        let text = serde_json::to_string(&error).unwrap();
        let back: Error = serde_json::from_str(&text).unwrap();
        assert_eq!(back.render(true), error.render(true));
    }
}
