//! The values of `-o`.
//!
//! Expressions and templates are parsed together with the arguments, so that a mistake in one is a
//! usage error that says where, before anything was done.

use std::ffi::OsStr;
use std::fmt;

use clap::builder::{PossibleValue, TypedValueParser};

use super::jsonpath::{Expression, JsonPathError};
use super::template::{Template, TemplateError};

/// The formats that every command offers, with a word on each, for help and completion.
pub const FORMATS: &[(&str, &str)] = &[
    ("table", "columns for people"),
    ("wide", "table with all columns"),
    ("name", "kind/name, one per line"),
    ("json", "the whole document as JSON"),
    ("yaml", "the whole document as YAML"),
    (
        "jsonpath=",
        "a kubectl JSONPath expression, for example {.items[*].name}",
    ),
    (
        "template=",
        "a Jinja template, for example {{ items[0].name }}",
    ),
];

/// A format, ready to be used.
#[derive(Clone, Debug, Default)]
pub enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// All columns.
    Wide,
    /// `kind/name`, one per line.
    Name,
    /// Indented JSON.
    Json,
    /// YAML.
    Yaml,
    /// What an expression selects.
    JsonPath(Expression),
    /// What a template renders.
    Template(Template),
    /// A report that only some commands offer.
    Report(Report),
}

/// A named format for other tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// SARIF, for code scanning.
    Sarif,
    /// `JUnit` XML, for CI.
    Junit,
    /// Markdown, for comments on pull requests.
    Markdown,
}

impl Report {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Sarif, Self::Junit, Self::Markdown];

    /// Returns the value of `-o` that asks for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sarif => "sarif",
            Self::Junit => "junit",
            Self::Markdown => "markdown",
        }
    }

    const fn help(self) -> &'static str {
        match self {
            Self::Sarif => "SARIF, for code scanning",
            Self::Junit => "JUnit XML, for CI",
            Self::Markdown => "Markdown, for pull requests",
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A value of `-o` that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// It is none of the formats.
    #[error("valid formats are {valid}")]
    Unknown {
        /// The formats that are valid here, as a list to read.
        valid: String,
    },
    /// The expression is wrong.
    #[error(transparent)]
    JsonPath(#[from] JsonPathError),
    /// The template is wrong.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

impl Format {
    /// Parses a value of `-o` for a command that also offers these reports.
    pub fn parse(text: &str, reports: &[Report]) -> Result<Self, FormatError> {
        if let Some(expression) = text.strip_prefix("jsonpath=") {
            return Ok(Self::JsonPath(Expression::parse(expression)?));
        }
        if let Some(template) = text.strip_prefix("template=") {
            return Ok(Self::Template(Template::parse(template)?));
        }
        let report = reports.iter().copied().find(|report| report.name() == text);
        match text {
            "table" => Ok(Self::Table),
            "wide" => Ok(Self::Wide),
            "name" => Ok(Self::Name),
            "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            _ => report.map(Self::Report).ok_or_else(|| {
                let names = FORMATS
                    .iter()
                    .map(|(name, _)| match name.strip_suffix('=') {
                        Some(name) => format!("{name}=…"),
                        None => (*name).to_owned(),
                    });
                let names: Vec<_> = names
                    .chain(reports.iter().map(ToString::to_string))
                    .collect();
                FormatError::Unknown {
                    valid: super::human::list(&names, names.len()),
                }
            }),
        }
    }

    /// Returns the parser for a command that offers only the usual formats.
    pub const fn parser() -> FormatParser {
        FormatParser { reports: &[] }
    }

    /// Returns the parser for a command that also offers these reports.
    pub const fn parser_with(reports: &'static [Report]) -> FormatParser {
        FormatParser { reports }
    }

    /// Tells whether a program reads the result, so that errors should be JSON too.
    pub const fn is_json(&self) -> bool {
        matches!(self, Self::Json)
    }
}

/// Parses `-o` for clap, and tells help and completion what there is.
#[derive(Clone, Copy, Debug)]
pub struct FormatParser {
    reports: &'static [Report],
}

impl TypedValueParser for FormatParser {
    type Value = Format;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Format, clap::Error> {
        let reports = self.reports;
        (move |text: &str| Format::parse(text, reports)).parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let usual = FORMATS.iter().copied();
        let reports = self
            .reports
            .iter()
            .map(|report| (report.name(), report.help()));
        Some(Box::new(
            usual
                .chain(reports)
                .map(|(name, help)| PossibleValue::new(name).help(help)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str, parser: FormatParser) -> Result<Format, String> {
        let argument = clap::Arg::new("output")
            .short('o')
            .long("output")
            .value_parser(parser);
        let matches = clap::Command::new("weftctl")
            .arg(argument)
            .try_get_matches_from(["weftctl", "-o", value]);
        let mut matches = matches.map_err(|error| error.to_string())?;
        Ok(matches.remove_one::<Format>("output").unwrap())
    }

    #[test]
    fn formats_are_parsed_with_the_arguments() {
        assert!(matches!(
            parse("table", Format::parser()),
            Ok(Format::Table)
        ));
        assert!(matches!(parse("yaml", Format::parser()), Ok(Format::Yaml)));
        assert!(matches!(
            parse("jsonpath={.kind}", Format::parser()),
            Ok(Format::JsonPath(_))
        ));
        assert!(matches!(
            parse("template={{ kind }}", Format::parser()),
            Ok(Format::Template(_))
        ));
        let junit = parse("junit", Format::parser_with(&[Report::Junit]));
        assert!(matches!(junit, Ok(Format::Report(Report::Junit))));
    }

    #[test]
    fn mistakes_are_usage_errors_that_help() {
        let cases = [
            (
                "xml",
                "error: invalid value 'xml' for '--output <output>': valid formats are table, wide, name, json, yaml, jsonpath=… and template=…",
            ),
            (
                "junit",
                "error: invalid value 'junit' for '--output <output>': valid formats are",
            ),
            ("JSON", "valid formats are table"),
            ("", "valid formats are table"),
            ("jsonpath", "valid formats are table"),
            (
                "jsonpath={.items[}",
                "invalid jsonpath at character 9: unexpected '}'",
            ),
            (
                "template=a\n{{ kind",
                "invalid template in line 2: syntax error",
            ),
        ];
        for (value, expected) in cases {
            let error = parse(value, Format::parser()).unwrap_err();
            assert!(error.contains(expected), "{value}: {error}");
        }
        let error = parse("xml", Format::parser_with(Report::ALL)).unwrap_err();
        assert!(
            error.contains("template=…, sarif, junit and markdown"),
            "{error}"
        );
    }

    #[test]
    fn help_lists_reports_only_where_they_are_offered() {
        let names = |parser: FormatParser| {
            parser
                .possible_values()
                .unwrap()
                .map(|value| value.get_name().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(Format::parser()),
            FORMATS.iter().map(|(name, _)| *name).collect::<Vec<_>>()
        );
        assert_eq!(
            names(Format::parser_with(&[Report::Sarif])).last().unwrap(),
            "sarif"
        );
    }
}
