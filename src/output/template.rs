//! `-o template=…`: a document rendered by a minijinja template.
//!
//! What is not there renders as nothing, however deep it would have been. A template reaches no
//! file, no variable and no other template, and its output is bounded.

use std::io::{self, Write};
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::Value;

const NAME: &str = "template";

/// The most that a template may write.
const LIMIT: usize = 64 * 1_024 * 1_024;

/// A template that was parsed.
#[derive(Clone, Debug)]
pub struct Template {
    environment: Arc<Environment<'static>>,
    limit: usize,
}

/// A template that cannot be parsed or rendered.
#[derive(Debug, thiserror::Error)]
#[error("invalid template{}: {message}", .line.map(|line| format!(" in line {line}")).unwrap_or_default())]
pub struct TemplateError {
    /// The line, counted from 1, if one is at fault.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

impl From<minijinja::Error> for TemplateError {
    fn from(error: minijinja::Error) -> Self {
        let message = match error.detail() {
            Some(detail) => format!("{}: {detail}", error.kind()),
            None => error.kind().to_string(),
        };
        Self {
            line: error.line(),
            message,
        }
    }
}

impl Template {
    /// Parses a template.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_syntax(
            SyntaxConfig::builder()
                .keep_trailing_newline(true)
                .build()?,
        );
        environment.add_template_owned(NAME, source.to_owned())?;
        Ok(Self {
            environment: Arc::new(environment),
            limit: LIMIT,
        })
    }

    /// Renders a document.
    pub fn render(&self, document: &Value) -> Result<String, TemplateError> {
        let mut out = Bounded {
            bytes: Vec::new(),
            limit: self.limit,
            full: false,
        };
        let result = self.environment.get_template(NAME).and_then(|template| {
            template
                .render_captured_to(Serde(document), &mut out)
                .map(drop)
        });
        if out.full {
            let message = format!(
                "it writes more than {}",
                super::human::size(self.limit as u64)
            );
            return Err(TemplateError {
                line: None,
                message,
            });
        }
        result?;
        String::from_utf8(out.bytes).map_err(|error| TemplateError {
            line: None,
            message: error.to_string(),
        })
    }
}

/// A buffer that refuses to grow without end.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
    full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len().saturating_add(bytes.len()) > self.limit {
            self.full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str) -> Result<String, TemplateError> {
        let document = serde_json::json!({
            "kind": "DesignList",
            "items": [{"name": "shop", "size": 3, "note": null}, {"name": "<b>", "size": 1.5}],
        });
        Template::parse(source)?.render(&document)
    }

    #[test]
    fn templates_render() {
        let cases = [
            ("", ""),
            ("{{ kind }}", "DesignList"),
            ("{{ kind }}\n", "DesignList\n"),
            (
                "{% for i in items %}{{ i.name }}={{ i.size }} {% endfor %}",
                "shop=3 <b>=1.5 ",
            ),
            ("{{ items | length }} {{ items[0].name | upper }}", "2 SHOP"),
            (
                "{{ items[0] | tojson }}",
                r#"{"name": "shop", "note": null, "size": 3}"#,
            ),
            ("[{{ nothing }}{{ nothing.at.all[3].there }}]", "[]"),
            ("{% for i in nothing.more %}x{% endfor %}", ""),
            ("{% if nothing.more %}x{% else %}y{% endif %}", "y"),
        ];
        for (source, expected) in cases {
            assert_eq!(render(source).unwrap(), expected, "{source}");
        }
    }

    #[test]
    fn errors_name_the_line() {
        let cases = [
            (
                "a\n{{ kind",
                "invalid template in line 2: syntax error: unexpected end of input, expected end of variable block",
            ),
            (
                "{% include '/etc/passwd' %}",
                "invalid template in line 1: syntax error: unknown statement include",
            ),
            (
                "{{ kind | nope }}",
                "invalid template in line 1: unknown filter: filter nope is unknown",
            ),
        ];
        for (source, expected) in cases {
            assert_eq!(
                render(source).unwrap_err().to_string(),
                expected,
                "{source}"
            );
        }
    }

    #[test]
    fn output_is_bounded() {
        let mut template =
            Template::parse("{% for i in range(100000) %}{{ 'x' * 100000 }}{% endfor %}").unwrap();
        template.limit = 1_024 * 1_024;
        let error = template.render(&Value::Null).unwrap_err();
        assert_eq!(
            error.to_string(),
            "invalid template: it writes more than 1 MiB"
        );
    }
}
