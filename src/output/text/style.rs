//! Colours, and the few shapes that reports are made of: sections, flowing lists, small tables.

use std::borrow::Cow;

use crate::types::Severity;

/// How text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Whether to colour. That depends on whether a terminal shows the text, and on `NO_COLOR`: the caller knows both.
    pub color: bool,
}

/// What a colour stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Doubtful,
    Faint,
    Strong,
}

impl From<Severity> for Tone {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Error => Self::Bad,
            Severity::Warning => Self::Doubtful,
            Severity::Note => Self::Faint,
        }
    }
}

impl Style {
    /// `text` in its colour.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> Cow<'_, str> {
        if !self.color || text.is_empty() {
            return Cow::Borrowed(text);
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31;1",
            Tone::Doubtful => "33",
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        Cow::Owned(format!("\x1b[{code}m{text}\x1b[0m"))
    }
}

/// Where a section's text begins.
const INDENT: usize = 14;

/// Appends a section: its label, then its lines beside and below. Nothing where there are no lines.
pub(super) fn section(out: &mut String, style: Style, label: &str, lines: &[String]) {
    for (place, line) in lines.iter().enumerate() {
        let label = if place == 0 { label } else { "" };
        out.push_str("  ");
        out.push_str(&style.paint(Tone::Faint, label));
        spaces(out, (INDENT - 2).saturating_sub(label.chars().count()).max(1));
        out.push_str(line);
        out.push('\n');
    }
}

fn spaces(out: &mut String, mut count: usize) {
    const SPACES: &str = "                                ";
    while let Some(rest) = count.checked_sub(SPACES.len()) {
        out.push_str(SPACES);
        count = rest;
    }
    out.push_str(SPACES.get(..count).unwrap_or_default());
}

/// Columns that a line of a section has, within 100.
const WIDTH: usize = 86;

/// `parts` with commas between, in as many lines as it takes.
pub(super) fn flowed(parts: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 2 + part.chars().count() <= WIDTH => *line += &format!(", {part}"),
            Some(line) => {
                line.push(',');
                lines.push(part.clone());
            }
            None => lines.push(part.clone()),
        }
    }
    lines
}

/// A sentence in as many lines as it takes; a word that is longer than a line has one for itself.
pub(super) fn wrapped(sentence: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in sentence.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH - 9 => {
                line.push(' ');
                *line += word;
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A small table: columns without any value are left out. The first is left-aligned, the others hold numbers and are
/// right-aligned, or, in a list, words and are left-aligned too.
pub(super) struct Grid {
    words: bool,
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// With the columns' names; the first is that of the rows.
    pub(super) const fn new(header: Vec<&'static str>) -> Self {
        Self { words: false, header, rows: Vec::new() }
    }

    /// Of words in so many columns, without a header.
    pub(super) fn list(columns: usize) -> Self {
        Self { words: true, header: vec![""; columns], rows: Vec::new() }
    }

    /// Adds a row; empty text is no value.
    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The lines, the header first, unless it is a list; none without a row.
    pub(super) fn lines(&self, style: Style) -> Vec<String> {
        let count = if self.rows.is_empty() { 0 } else { self.rows.len() + 1 };
        let mut lines: Vec<String> = (0..count).map(|_| String::with_capacity(WIDTH)).collect();
        for (place, name) in self.header.iter().enumerate() {
            let cells: Vec<&str> = self.rows.iter().map(|row| row.get(place).map_or("", String::as_str)).collect();
            if cells.iter().all(|cell| cell.is_empty()) {
                continue;
            }
            let width = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0).max(name.chars().count());
            for (line, cell) in lines.iter_mut().zip(core::iter::once(*name).chain(cells)) {
                let (gap, room) = (if place == 0 { 0 } else { 2 }, width.saturating_sub(cell.chars().count()));
                let (before, after) = if place == 0 || self.words { (gap, room) } else { (gap + room, 0) };
                spaces(line, before);
                line.push_str(cell);
                spaces(line, after);
            }
        }
        for (place, line) in lines.iter_mut().enumerate() {
            line.truncate(line.trim_end().len());
            if place == 0 {
                *line = style.paint(Tone::Faint, line).into_owned();
            }
        }
        if self.words { lines.split_off(lines.len().min(1)) } else { lines }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_columns_are_left_out() {
        let mut grid = Grid::new(vec!["", "text", "ping", "close"]);
        assert!(grid.lines(Style::default()).is_empty());
        grid.row(["→ c", "1,204", "", "1"].map(String::from).into());
        grid.row(["← server", "2", "", ""].map(String::from).into());
        assert_eq!(
            grid.lines(Style::default()),
            ["           text  close", "→ c       1,204      1", "← server      2"]
        );
    }

    #[test]
    fn lines_are_filled_and_not_overfilled() {
        let parts = vec!["x".repeat(40), "y".repeat(44), "z".repeat(100), "w".into()];
        let expected = [format!("{}, {},", parts[0], parts[1]), format!("{},", parts[2]), "w".into()];
        assert_eq!(flowed(&parts), expected);
        assert!(flowed(&[]).is_empty());
        let words = wrapped(&format!("a {} b {} c", "x".repeat(74), "y".repeat(90)));
        assert_eq!(words, [format!("a {}", "x".repeat(74)), "b".into(), "y".repeat(90), "c".into()]);
    }

    #[test]
    fn colour_only_on_request() {
        assert_eq!(Style { color: false }.paint(Tone::Bad, "x"), "x");
        assert_eq!(Style { color: true }.paint(Tone::Bad, "x"), "\x1b[31;1mx\x1b[0m");
        assert_eq!(Style { color: true }.paint(Tone::Bad, ""), "");
    }
}
