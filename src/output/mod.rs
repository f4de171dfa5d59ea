//! Everything between a command's typed result and the user's terminal.
//!
//! A command returns a [`View`]; [`print()`] turns it into the format that `-o` names, and nothing
//! else writes to stdout. Text from outside is escaped on the way, in [`escape`].
//!
//! * `document`: JSON and YAML with `apiVersion` and `kind`
//! * `escape`: text from outside made harmless
//! * `failure`: errors on stderr
//! * `format`: the values of `-o`
//! * `human`: ages, durations, sizes, lists
//! * `jsonpath`, `template`: `-o jsonpath=…` and `-o template=…`
//! * `page`: long text on a terminal
//! * `progress`: what is being done, on stderr
//! * `prompt`: questions
//! * `table`: rows and columns
//! * `terminal`: the owner of stdout and stderr
//! * `watch`: `--watch`

pub mod document;
pub mod escape;
mod failure;
mod format;
pub mod human;
pub mod jsonpath;
pub(crate) mod page;
pub mod progress;
pub mod prompt;
pub mod table;
pub mod template;
pub mod terminal;
mod watch;

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

pub use format::{FORMATS, Format, FormatError, FormatParser, Report};
pub use progress::{Progress, Step};
pub use prompt::{Answers, Prompt, PromptError, Severity};
pub use table::{Column, Table};
pub use terminal::{
    ColorChoice, Delivered, Options, Style, Surroundings, Terminal, Text, WriteError,
};

pub use watch::Watched;

use document::Document;
use table::Layout;

/// What a command returns, and how it looks.
///
/// It serializes as a struct or a map without `apiVersion` and `kind`: these are added. A list is
/// a struct with `items`. Times are RFC 3339, sizes bytes, durations seconds.
pub trait View: Serialize {
    /// The `kind` of the document, for example `DesignList`.
    const KIND: &'static str;

    /// Returns what `-o table` and `-o wide` show.
    fn human(&self) -> Human;

    /// Returns what `-o name` prints: `kind/name` of each thing.
    fn names(&self) -> Vec<String>;

    /// Returns a report that the command offers beyond the usual formats.
    fn report(&self, _report: Report) -> Option<String> {
        None
    }

    /// Returns one sentence for stderr: what changed, or that there is nothing.
    fn summary(&self) -> Option<String> {
        None
    }
}

/// What people read: rows for lists, text for what has no rows (a help page, a diff, the line
/// that says what a command changed).
#[derive(Debug)]
pub enum Human {
    /// Rows and columns.
    Table(Table),
    /// Several of them, with an empty line between.
    Tables(Vec<Table>),
    /// Lines; text from outside in it is escaped when it is printed.
    Text(String),
    /// Lines to be read at leisure: fitted to a terminal, and through a pager if there are many.
    Page(String),
}

/// A [`View`] whose type is forgotten, so that commands can return `Box<dyn Printable>`.
pub trait Printable {
    /// Returns the `kind` of the document.
    fn kind(&self) -> &'static str;

    /// Returns what `-o table` and `-o wide` show.
    fn human(&self) -> Human;

    /// Returns what `-o name` prints.
    fn names(&self) -> Vec<String>;

    /// Returns a report, if the command offers it.
    fn report(&self, report: Report) -> Option<String>;

    /// Returns one sentence for stderr.
    fn summary(&self) -> Option<String>;

    /// Writes the document as indented JSON.
    fn write_json(&self, out: &mut dyn Write) -> io::Result<()>;

    /// Writes the document as JSON in one line.
    fn write_json_line(&self, out: &mut dyn Write) -> io::Result<()>;

    /// Returns the document.
    fn document(&self) -> Result<Value, serde_json::Error>;
}

impl<T: View> Printable for T {
    fn kind(&self) -> &'static str {
        T::KIND
    }

    fn human(&self) -> Human {
        View::human(self)
    }

    fn names(&self) -> Vec<String> {
        View::names(self)
    }

    fn report(&self, report: Report) -> Option<String> {
        View::report(self, report)
    }

    fn summary(&self) -> Option<String> {
        View::summary(self)
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        document::write_json(out, &Document::new(T::KIND, self))
    }

    fn write_json_line(&self, out: &mut dyn Write) -> io::Result<()> {
        document::write_compact_json(out, &Document::new(T::KIND, self))?;
        out.write_all(b"\n")
    }

    fn document(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(Document::new(T::KIND, self))
    }
}

/// A value could not be printed.
#[derive(Debug, thiserror::Error)]
pub enum PrintError {
    /// stdout did not take it.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The template failed on this document.
    #[error(transparent)]
    Template(#[from] template::TemplateError),
    /// The command doesn't offer this report; the argument's parser should have said so.
    #[error("{kind} has no {report} report")]
    NoReport {
        /// The document's kind.
        kind: &'static str,
        /// The report that was asked for.
        report: Report,
    },
    /// The value is not a struct or a map: a bug.
    #[error("cannot turn {kind} into a document")]
    Document {
        /// The document's kind.
        kind: &'static str,
        /// What serde says.
        source: serde_json::Error,
    },
}

/// Prints a command's result to stdout in the format asked for, and its summary to stderr.
pub fn print(
    view: &dyn Printable,
    format: &Format,
    terminal: &Terminal,
) -> Result<Delivered, PrintError> {
    let value = || document_of(view);
    let delivered = match format {
        Format::Table | Format::Wide => {
            let layout = table_layout(format, terminal);
            match view.human() {
                Human::Table(table) => terminal.data(|out| table.write(out, layout))?,
                Human::Tables(tables) => terminal.data(|out| {
                    for (at, table) in tables.iter().enumerate() {
                        if at > 0 {
                            writeln!(out)?;
                        }
                        table.write(out, layout)?;
                    }
                    Ok(())
                })?,
                Human::Text(text) => {
                    terminal.data(|out| out.write_all(escape::block(&text).as_bytes()))?
                }
                Human::Page(text) => page::print(&text, terminal)?,
            }
        }
        Format::Name => terminal.data(|out| {
            view.names()
                .iter()
                .try_for_each(|name| writeln!(out, "{}", escape::line(name)))
        })?,
        Format::Json => terminal.data(|out| view.write_json(out))?,
        Format::Yaml => {
            let value = value()?;
            terminal.data(|out| document::write_yaml(out, &value))?
        }
        Format::JsonPath(expression) => write_text(terminal, &expression.render(&value()?))?,
        Format::Template(template) => write_text(terminal, &template.render(&value()?)?)?,
        Format::Report(report) => {
            let text = view.report(*report).ok_or(PrintError::NoReport {
                kind: view.kind(),
                report: *report,
            })?;
            write_text(terminal, &text)?
        }
    };
    if let Some(summary) = view.summary().filter(|_| delivered == Delivered::All) {
        terminal.note(summary);
    }
    Ok(delivered)
}

fn document_of(view: &dyn Printable) -> Result<Value, PrintError> {
    view.document().map_err(|source| PrintError::Document {
        kind: view.kind(),
        source,
    })
}

fn table_layout(format: &Format, terminal: &Terminal) -> Layout {
    Layout {
        wide: matches!(format, Format::Wide),
        no_headers: !terminal.shows_headers(),
        width: terminal.table_width(),
    }
}

/// Writes text that the user shaped: raw into a pipe, as the data is wanted; escaped on a terminal.
fn write_text(terminal: &Terminal, text: &str) -> Result<Delivered, WriteError> {
    terminal.data(|out| {
        if terminal.stdout_is_terminal() {
            out.write_all(escape::block(text).as_bytes())
        } else {
            out.write_all(text.as_bytes())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::terminal::tests::{captured, person};
    use crate::output::terminal::{Options, Surroundings};

    #[derive(Serialize)]
    pub(super) struct Design {
        name: &'static str,
        version: &'static str,
    }

    pub(super) fn design(name: &'static str, version: &'static str) -> Design {
        Design { name, version }
    }

    #[derive(Serialize)]
    pub(super) struct DesignList {
        pub(super) items: Vec<Design>,
    }

    impl View for DesignList {
        const KIND: &'static str = "DesignList";

        fn human(&self) -> Human {
            let mut table = Table::new([Column::new("NAME"), Column::new("VERSION").wide()]);
            for item in &self.items {
                table.row([item.name, item.version]);
            }
            Human::Table(table)
        }

        fn names(&self) -> Vec<String> {
            self.items
                .iter()
                .map(|item| format!("design/{}", item.name))
                .collect()
        }

        fn report(&self, report: Report) -> Option<String> {
            (report == Report::Markdown).then(|| "# Designs\n".to_owned())
        }

        fn summary(&self) -> Option<String> {
            self.items.is_empty().then(|| "no designs yet".to_owned())
        }
    }

    fn list() -> Box<dyn Printable> {
        let items = vec![
            Design {
                name: "shop",
                version: "v2",
            },
            Design {
                name: "e\u{1b}vil",
                version: "v1",
            },
        ];
        Box::new(DesignList { items })
    }

    fn printed(
        view: &dyn Printable,
        format: &str,
        surroundings: Surroundings,
        options: Options,
    ) -> (String, String) {
        let (terminal, out, err) = captured(surroundings, options);
        let format = Format::parse(format, Report::ALL).unwrap();
        assert_eq!(print(view, &format, &terminal).unwrap(), Delivered::All);
        (out.text(), err.text())
    }

    #[test]
    fn every_format_comes_from_one_value() {
        let cases = [
            ("table", "NAME\nshop\ne\\u{1b}vil\n"),
            (
                "wide",
                "NAME        VERSION\nshop        v2\ne\\u{1b}vil  v1\n",
            ),
            ("name", "design/shop\ndesign/e\\u{1b}vil\n"),
            (
                "json",
                "{\n  \"apiVersion\": \"weftctl.dev/v1\",\n  \"kind\": \"DesignList\",\n  \"items\": [\n    {\n      \
                 \"name\": \"shop\",\n      \"version\": \"v2\"\n    },\n    {\n      \"name\": \"e\\u001bvil\",\n      \
                 \"version\": \"v1\"\n    }\n  ]\n}\n",
            ),
            (
                "yaml",
                "apiVersion: weftctl.dev/v1\nkind: DesignList\nitems:\n- name: shop\n  version: v2\n- name: \
                 \"e\\evil\"\n  version: v1\n",
            ),
            (
                "jsonpath={.kind}: {.items[*].name}",
                "DesignList: shop e\u{1b}vil",
            ),
            (
                "template={{ kind }}{% for i in items %} {{ i.version }}{% endfor %}\n",
                "DesignList v2 v1\n",
            ),
            ("markdown", "# Designs\n"),
        ];
        for (format, expected) in cases {
            let (out, err) = printed(
                list().as_ref(),
                format,
                Surroundings::default(),
                Options::default(),
            );
            assert_eq!(out, expected, "{format}");
            assert_eq!(err, "", "{format}");
        }
    }

    #[test]
    fn nothing_acts_on_a_persons_terminal() {
        for format in [
            "table",
            "wide",
            "name",
            "json",
            "yaml",
            "jsonpath={.items[*].name}",
            "template={{ items[1].name }}",
        ] {
            let (out, _) = printed(list().as_ref(), format, person(80), Options::default());
            assert!(
                !out.contains('\u{1b}') && out.contains("vil"),
                "{format}: {out:?}"
            );
        }
    }

    #[test]
    fn an_empty_list_is_empty_everywhere_and_says_so() {
        let empty = DesignList { items: Vec::new() };
        let cases = [
            ("table", ""),
            ("name", ""),
            (
                "json",
                "{\n  \"apiVersion\": \"weftctl.dev/v1\",\n  \"kind\": \"DesignList\",\n  \"items\": []\n}\n",
            ),
            (
                "yaml",
                "apiVersion: weftctl.dev/v1\nkind: DesignList\nitems: []\n",
            ),
            ("jsonpath={.items[*].name}", ""),
        ];
        for (format, expected) in cases {
            let (out, err) = printed(&empty, format, Surroundings::default(), Options::default());
            assert_eq!(
                (out.as_str(), err.as_str()),
                (expected, "no designs yet\n"),
                "{format}"
            );
        }
        let quiet = Options {
            quiet: true,
            ..Options::default()
        };
        assert_eq!(
            printed(&empty, "table", Surroundings::default(), quiet),
            (String::new(), String::new())
        );
    }

    #[test]
    fn headings_go_with_no_headers() {
        let options = Options {
            no_headers: true,
            ..Options::default()
        };
        assert_eq!(
            printed(list().as_ref(), "table", Surroundings::default(), options).0,
            "shop\ne\\u{1b}vil\n"
        );
    }

    #[test]
    fn a_report_that_the_command_lacks_is_an_error() {
        let (terminal, _, _) = captured(Surroundings::default(), Options::default());
        let error = print(list().as_ref(), &Format::Report(Report::Sarif), &terminal).unwrap_err();
        assert_eq!(error.to_string(), "DesignList has no sarif report");
    }
}
