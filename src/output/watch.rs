//! `--watch`: a value printed again whenever it has changed. On a terminal the rows that are new or
//! different; otherwise one JSON document per line, each the whole value.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Delivered, Format, Human, PrintError, Printable, Table, Terminal, table_layout};

/// What has been printed so far.
#[derive(Default)]
pub struct Watched {
    document: Option<Value>,
    table: Table,
    names: BTreeSet<String>,
}

impl Watched {
    /// Prints what has changed since the last time; nothing if nothing has.
    pub fn show(
        &mut self,
        view: &dyn Printable,
        format: &Format,
        terminal: &Terminal,
    ) -> Result<Delivered, PrintError> {
        let document = super::document_of(view)?;
        if self.document.as_ref() == Some(&document) {
            return Ok(Delivered::All);
        }
        let first = self.document.is_none();
        self.document = Some(document);
        let rows = matches!(format, Format::Table | Format::Wide) && terminal.stdout_is_terminal();
        let Human::Table(table) = view.human() else {
            return super::print(view, format, terminal);
        };
        if !rows {
            return match format {
                Format::Table | Format::Wide | Format::Json => {
                    Ok(terminal.data(|out| view.write_json_line(out))?)
                }
                _ => super::print(view, format, terminal),
            };
        }
        let mut layout = table_layout(format, terminal);
        layout.no_headers |= !first && !self.table.is_empty();
        let delivered = terminal.data(|out| table.without(&self.table).write(out, layout))?;
        let names: BTreeSet<String> = view.names().into_iter().collect();
        for gone in self.names.difference(&names) {
            terminal.note(format!("gone: {gone}"));
        }
        (self.table, self.names) = (table, names);
        Ok(delivered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{
        Options, Surroundings,
        terminal::tests::{captured, person},
        tests::{DesignList, design},
    };

    fn watched(surroundings: Surroundings, format: &str) -> (String, String) {
        let (terminal, out, err) = captured(surroundings, Options::default());
        let format = Format::parse(format, &[]).unwrap();
        let mut watched = Watched::default();
        let states = [
            vec![design("shop", "v1")],
            vec![design("shop", "v1")],
            vec![design("shop", "v1"), design("till", "v1")],
            vec![design("till", "v2")],
        ];
        for items in states {
            let view = DesignList { items };
            assert_eq!(
                watched.show(&view, &format, &terminal).unwrap(),
                Delivered::All
            );
        }
        (out.text(), err.text())
    }

    #[test]
    fn a_person_sees_the_rows_that_changed() {
        let (out, err) = watched(person(80), "wide");
        assert_eq!(out, "NAME  VERSION\nshop  v1\ntill  v1\ntill  v2\n");
        assert_eq!(err, "gone: design/shop\n");
    }

    #[test]
    fn a_program_gets_one_document_per_line_and_change() {
        let (out, _) = watched(Surroundings::default(), "table");
        let lines: Vec<Value> = out
            .lines()
            .map(|l| serde_json::from_str(l).unwrap())
            .collect();
        let counts: Vec<_> = lines
            .iter()
            .map(|l| l["items"].as_array().unwrap().len())
            .collect();
        assert_eq!(counts, [1, 2, 1]);
        let (names, _) = watched(Surroundings::default(), "name");
        assert_eq!(
            names,
            "design/shop\ndesign/shop\ndesign/till\ndesign/till\n"
        );
    }
}
