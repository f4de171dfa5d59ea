//! Rows and columns for people.
//!
//! A command declares columns and adds rows; layout is decided here. Into a pipe every row is one
//! line, complete and without trailing blanks; on a terminal long cells wrap within the width, and
//! where not even the headings fit, each row becomes a block of `HEADING  value` lines. Cells are
//! escaped when they are laid out.

use std::io::{self, Write};

use comfy_table::{ColumnConstraint, ContentArrangement, Width, presets};
use dialoguer::console::{measure_text_width, truncate_str};

use super::escape;

/// The blanks between two columns.
const GAP: u16 = 2;

/// On a terminal a cell is cut here; comfy-table counts in 16 bits and nobody reads on.
const MOST: usize = 2_000;

/// A column is not squeezed below this while its content is wider.
const LEAST: usize = 12;

/// A heading, and whether it is only shown by `-o wide`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    heading: &'static str,
    wide: bool,
}

impl Column {
    /// Declares a column; headings are shown in upper case.
    pub const fn new(heading: &'static str) -> Self {
        Self {
            heading,
            wide: false,
        }
    }

    /// Keeps the column for `-o wide`.
    #[must_use]
    pub const fn wide(self) -> Self {
        Self { wide: true, ..self }
    }
}

/// What `-o table` and `-o wide` show of a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

/// How a table is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Show the columns that are kept for `-o wide`.
    pub wide: bool,
    /// Leave the headings out.
    pub no_headers: bool,
    /// Fit into this many columns of text; `None` for a pipe.
    pub width: Option<u16>,
}

impl Table {
    /// Starts a table.
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        Self {
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row: one cell for each column, in their order. An empty cell shows as `-`.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) -> &mut Self {
        let cells = cells.into_iter().map(Into::into).collect::<Vec<_>>();
        debug_assert_eq!(cells.len(), self.columns.len(), "one cell per column");
        self.rows.push(cells);
        self
    }

    /// Returns the rows that another table doesn't have.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let rows = self.rows.iter().filter(|row| !other.rows.contains(row));
        Self {
            columns: self.columns.clone(),
            rows: rows.cloned().collect(),
        }
    }

    /// Tells whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes the table; one without rows writes nothing.
    pub fn write(&self, out: &mut dyn Write, layout: Layout) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let shown: Vec<usize> = (0..self.columns.len())
            .filter(|&i| layout.wide || !self.columns[i].wide)
            .collect();
        let headings: Vec<String> = shown
            .iter()
            .map(|&i| escape::line(&self.columns[i].heading.to_uppercase()).into_owned())
            .collect();
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| shown.iter().map(|&i| cell(row.get(i))).collect())
            .collect();
        match layout.width {
            None => write_lines(out, &headings, &rows, layout.no_headers),
            Some(width) => write_fitted(out, &headings, &rows, layout.no_headers, width),
        }
    }
}

/// Escapes a cell; nothing shows as a dash, so that the columns of a line can be counted.
fn cell(text: Option<&String>) -> String {
    match text.map(String::as_str) {
        None | Some("") => "-".to_owned(),
        Some(text) => escape::line(text).into_owned(),
    }
}

/// Writes one line per row. A pipe needs every cell whole, however long, and comfy-table counts
/// widths in 16 bits: this, the plain case, is laid out by hand.
fn write_lines(
    out: &mut dyn Write,
    headings: &[String],
    rows: &[Vec<String>],
    no_headers: bool,
) -> io::Result<()> {
    let lines = || {
        (!no_headers)
            .then_some(headings)
            .into_iter()
            .chain(rows.iter().map(Vec::as_slice))
    };
    let mut widths = vec![0; headings.len()];
    for line in lines() {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = measure_text_width(cell).max(*width);
        }
    }
    for line in lines() {
        let mut text = String::new();
        let mut owed = 0;
        for (cell, width) in line.iter().zip(&widths) {
            text.extend(std::iter::repeat_n(' ', owed));
            text.push_str(cell);
            owed = width - measure_text_width(cell) + usize::from(GAP);
        }
        writeln!(out, "{}", text.trim_end())?;
    }
    Ok(())
}

fn write_fitted(
    out: &mut dyn Write,
    headings: &[String],
    rows: &[Vec<String>],
    no_headers: bool,
    width: u16,
) -> io::Result<()> {
    let mut widest: Vec<usize> = headings
        .iter()
        .map(|heading| measure_text_width(heading))
        .collect();
    let headed = widest.clone();
    for row in rows {
        for (widest, cell) in widest.iter_mut().zip(row) {
            *widest = measure_text_width(cell).max(*widest);
        }
    }
    let gaps = usize::from(GAP) * headings.len().saturating_sub(1);
    if widest.iter().sum::<usize>() + gaps <= usize::from(width) {
        return write_lines(out, headings, rows, no_headers);
    }
    let least: Vec<usize> = widest
        .iter()
        .zip(&headed)
        .map(|(widest, headed)| *headed.max(widest.min(&LEAST)))
        .collect();
    if least.iter().sum::<usize>() + gaps > usize::from(width) {
        let headings = if no_headers { &[] } else { headings };
        return write_blocks(out, headings, rows, usize::from(width));
    }
    let rows = rows.iter().map(|row| {
        row.iter()
            .map(|cell| truncate_str(cell, MOST, "...").into_owned())
    });
    let mut table = comfy_table::Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    if !no_headers {
        table.set_header(headings);
    }
    table.add_rows(rows);
    let end = headings.len().saturating_sub(1);
    for (index, least) in least.into_iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            let padding = if index == end { 0 } else { GAP };
            column.set_padding((0, padding));
            let least = u16::try_from(least)
                .unwrap_or(width)
                .saturating_add(padding);
            column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(least)));
        }
    }
    for line in table.lines() {
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Writes each row as a block of lines, for a terminal too narrow for columns. A word that doesn't
/// fit beside its heading gets a line of its own and stays whole, so that it can be copied.
fn write_blocks(
    out: &mut dyn Write,
    headings: &[String],
    rows: &[Vec<String>],
    width: usize,
) -> io::Result<()> {
    let gap = usize::from(GAP);
    let widths = headings.iter().map(|heading| measure_text_width(heading));
    let indent = widths.max().map_or(0, |widest| widest + gap);
    let room = width.saturating_sub(indent);
    for (number, row) in rows.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        for (column, cell) in row.iter().enumerate() {
            let heading = headings.get(column).map_or("", String::as_str);
            let pad = indent - measure_text_width(heading);
            for (number, line) in wrap(cell, room).iter().enumerate() {
                let fits = measure_text_width(line) <= room;
                match (number, fits) {
                    (0, true) => writeln!(out, "{heading}{:pad$}{line}", "")?,
                    (0, false) => writeln!(out, "{heading}\n{:gap$}{line}", "")?,
                    (_, true) => writeln!(out, "{:indent$}{line}", "")?,
                    (_, false) => writeln!(out, "{:gap$}{line}", "")?,
                }
            }
        }
    }
    Ok(())
}

/// Breaks a text at blanks into lines of at most `width` columns; a longer word is a line.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if measure_text_width(line) + 1 + measure_text_width(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn designs() -> Table {
        let mut table = Table::new([
            Column::new("Name"),
            Column::new("VERSION"),
            Column::new("ID").wide(),
            Column::new("NOTE"),
        ]);
        table.row([
            "shop",
            "0.0.2",
            "7d0c",
            "takes orders from the shop front and hands them to the warehouse",
        ]);
        table.row(["a-rather-long-name", "1.0.0", "91aa", ""]);
        table
    }

    fn text(table: &Table, layout: Layout) -> String {
        let mut out = Vec::new();
        table.write(&mut out, layout).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_pipe_gets_whole_lines_without_trailing_blanks() {
        assert_eq!(
            text(&designs(), Layout::default()),
            "NAME                VERSION  NOTE\n\
             shop                0.0.2    takes orders from the shop front and hands them to the warehouse\n\
             a-rather-long-name  1.0.0    -\n"
        );
    }

    #[test]
    fn wide_shows_more_and_headers_can_go() {
        let mut table = Table::new([Column::new("NAME"), Column::new("ID").wide()]);
        table.row(["shop", "7d0c"]);
        assert_eq!(
            text(
                &table,
                Layout {
                    wide: true,
                    ..Layout::default()
                }
            ),
            "NAME  ID\nshop  7d0c\n"
        );
        assert_eq!(
            text(
                &table,
                Layout {
                    no_headers: true,
                    ..Layout::default()
                }
            ),
            "shop\n"
        );
    }

    #[test]
    fn a_terminal_wraps_within_its_width() {
        assert_eq!(
            text(
                &designs(),
                Layout {
                    width: Some(60),
                    ..Layout::default()
                }
            ),
            "NAME                VERSION  NOTE\n\
             shop                0.0.2    takes orders from the shop\n\
             \x20                            front and hands them to the\n\
             \x20                            warehouse\n\
             a-rather-long-name  1.0.0    -\n"
        );
        for width in [35, 40, 41, 60, 80, 100, 500] {
            let text = text(
                &designs(),
                Layout {
                    width: Some(width),
                    ..Layout::default()
                },
            );
            for line in text.lines() {
                assert!(
                    measure_text_width(line) <= usize::from(width),
                    "{width}: {line:?}"
                );
                assert_eq!(line, line.trim_end());
            }
        }
    }

    #[test]
    fn forty_columns_are_enough() {
        let mut table =
            Table::new(["NAME", "KIND", "NAMESPACE", "VERSION", "STATUS", "AGE"].map(Column::new));
        table.row(["web", "Deployment", "shop", "0.0.2", "Ready", "5m"]);
        table.row(["db", "StatefulSet", "shop", "0.0.2", "Progressing", "5m"]);
        assert_eq!(
            text(
                &table,
                Layout {
                    width: Some(40),
                    ..Layout::default()
                }
            ),
            "NAME       web\nKIND       Deployment\nNAMESPACE  shop\nVERSION    0.0.2\nSTATUS     Ready\nAGE        5m\n\n\
             NAME       db\nKIND       StatefulSet\nNAMESPACE  shop\nVERSION    0.0.2\nSTATUS     Progressing\nAGE        5m\n"
        );
    }

    #[test]
    fn blocks_wrap_at_blanks_and_keep_words_whole() {
        let mut table =
            Table::new(["NAME", "KIND", "NAMESPACE", "VERSION", "NOTE"].map(Column::new));
        table.row([
            "23f8f3b2-95b1-4ab6-bed0-f2238a078e19",
            "Deployment",
            "shop",
            "0.0.2",
            "takes orders from the shop front",
        ]);
        assert_eq!(
            text(
                &table,
                Layout {
                    width: Some(40),
                    ..Layout::default()
                }
            ),
            "NAME\n  23f8f3b2-95b1-4ab6-bed0-f2238a078e19\nKIND       Deployment\nNAMESPACE  shop\n\
             VERSION    0.0.2\nNOTE       takes orders from the shop\n           front\n"
        );
    }

    #[test]
    fn cells_are_escaped_and_wide_characters_measured() {
        let mut table = Table::new([Column::new("NAME"), Column::new("LABEL")]);
        table.row(["日本", "a\u{1b}[31m\nb"]);
        table.row(["plain", "c"]);
        assert_eq!(
            text(&table, Layout::default()),
            "NAME   LABEL\n日本   a\\u{1b}[31m\\nb\nplain  c\n"
        );
        for width in 1..60 {
            assert!(
                !text(
                    &table,
                    Layout {
                        width: Some(width),
                        ..Layout::default()
                    }
                )
                .contains('\u{1b}')
            );
        }
    }

    #[test]
    fn huge_cells_and_odd_widths_are_survived() {
        let mut table = Table::new([Column::new("NAME"), Column::new("DATA")]);
        let huge = "x".repeat(200_000);
        table.row([huge.clone(), huge.clone()]);
        assert!(text(&table, Layout::default()).contains(&format!("{huge}  {huge}\n")));
        for width in [0, 1, 7, 40, u16::MAX] {
            assert!(
                text(
                    &table,
                    Layout {
                        width: Some(width),
                        ..Layout::default()
                    }
                )
                .contains("xxx"),
                "{width}"
            );
        }
    }

    #[test]
    fn no_rows_no_output() {
        assert_eq!(
            text(&Table::new([Column::new("NAME")]), Layout::default()),
            ""
        );
    }
}
