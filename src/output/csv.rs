//! CSV: RFC 4180 as the csv crate writes it, `,` and `\n`, with a header row.
//!
//! In: cells. Out: bytes in a row. Numbers, times and words go straight into the row; text is escaped as for terminals
//! ([`super::escape`]), so that a row is always one line and harmless to look at, then kept from being a formula, then
//! quoted if need be. Nothing is empty but what is not known; an empty text is `""`.

use super::columns::{Cell, PREVIEW_BYTES};
use super::escape;
use super::plain::{self, Times};
use super::table::RowFormat;

/// Writes rows of CSV.
#[derive(Debug, Default)]
pub(super) struct Csv {
    times: Times,
    text: Vec<u8>,
}

impl RowFormat for Csv {
    fn start(&mut self, names: &[&'static str]) -> Vec<u8> {
        let mut header = csv::Writer::from_writer(Vec::new());
        // A Vec takes all that is written.
        _ = header.write_record(names);
        header.into_inner().unwrap_or_default()
    }

    fn row<'a>(&mut self, out: &mut Vec<u8>, cells: impl Iterator<Item = Cell<'a>>) -> Option<usize> {
        let mut hole = None;
        for (place, cell) in cells.enumerate() {
            if place > 0 {
                out.push(b',');
            }
            if cell == Cell::Pending {
                hole = Some(out.len());
            }
            self.cell(out, &cell);
        }
        out.push(b'\n');
        hole
    }

    fn unknown(&self) -> &'static [u8] {
        b""
    }
}

impl Csv {
    fn cell(&mut self, out: &mut Vec<u8>, cell: &Cell<'_>) {
        match cell {
            Cell::Null | Cell::Pending => {}
            Cell::Bool(value) => out.extend_from_slice(plain::boolean(*value)),
            Cell::U64(value) => plain::number(out, *value),
            Cell::Name(name) => out.extend_from_slice(name.as_bytes()),
            Cell::Time(time) => self.times.write(out, *time),
            Cell::Ip(ip) => plain::ip(out, *ip),
            Cell::Uid(uid) => plain::hex(out, &uid.0),
            Cell::Key(key) => plain::hex(out, key),
            Cell::Codes(set) => {
                for (place, code) in set.iter().enumerate() {
                    if place > 0 {
                        out.push(b';');
                    }
                    out.extend_from_slice(code.as_str().as_bytes());
                }
            }
            Cell::Text(bytes) => self.text(out, |text| escape::write_terminal(text, bytes)),
            Cell::Data(bytes) => self.text(out, |text| escape::write_terminal(text, bytes)),
            Cell::Preview(bytes, more) => {
                self.text(out, |text| escape::write_preview(text, bytes, PREVIEW_BYTES, *more));
            }
            // Nothing is in an empty list, and that is known: unlike a text it needs no sign of its own.
            Cell::Texts([], _) => {}
            Cell::Texts(list, secrets) => self.text(out, |text| {
                for (place, name) in list.iter().enumerate() {
                    let before = place.checked_sub(1).and_then(|before| list.get(before));
                    if place > 0 {
                        text.push(b';');
                    }
                    write_element(text, &secrets.subprotocol(name, before.map(String::as_str)));
                }
            }),
        }
    }

    /// Appends what `write` writes: safe for a spreadsheet, quoted if need be.
    fn text(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        self.text.clear();
        write(&mut self.text);
        if is_formula(&self.text) {
            self.text.insert(0, b'\'');
        }
        if self.text.is_empty() || memchr::memchr2(b',', b'"', &self.text).is_some() {
            quote(out, &self.text);
        } else {
            out.extend_from_slice(&self.text);
        }
        // One long field must not be paid for ever after.
        if self.text.capacity() > 1 << 20 {
            self.text = Vec::new();
        }
    }
}

/// Whether a spreadsheet would take a cell for a formula, also in full-width characters; or it begins with `'`, the sign
/// that we put before those, so that one `'` can always be taken away again. Tabs and line ends are escaped by now.
fn is_formula(text: &[u8]) -> bool {
    let wide = ["＝", "＋", "－", "＠"];
    matches!(text.first(), Some(b'=' | b'+' | b'-' | b'@' | b'\''))
        || text.first() == Some(&0xef) && wide.iter().any(|sign| text.starts_with(sign.as_bytes()))
}

/// Appends one element of a list: a `;` in it is followed by a space, which one between elements never is.
fn write_element(out: &mut Vec<u8>, text: &str) {
    let rest = text.strip_prefix(' ');
    if rest.is_some() {
        out.extend_from_slice(br"\x20");
    }
    let mut parts = rest.unwrap_or(text).split(';');
    escape::write_terminal(out, parts.next().unwrap_or_default().as_bytes());
    for part in parts {
        out.extend_from_slice(b"; ");
        escape::write_terminal(out, part.trim_start_matches(' ').as_bytes());
    }
}

/// Appends `text` in quotes, by the csv crate's rules.
fn quote(out: &mut Vec<u8>, mut text: &[u8]) {
    out.push(b'"');
    let mut block = [0; 512];
    while !text.is_empty() {
        let (_, taken, written) = csv_core::quote(text, &mut block, b'"', b'"', true);
        out.extend_from_slice(block.get(..written).unwrap_or_default());
        text = text.get(taken..).unwrap_or_default();
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::redact::Secrets;
    use super::*;

    fn row(cells: &[Cell<'_>]) -> String {
        let mut out = Vec::new();
        assert_eq!(Csv::default().row(&mut out, cells.iter().cloned()), None);
        String::from_utf8(out).unwrap()
    }

    fn text(text: &str) -> String {
        row(&[Cell::Text(Cow::Borrowed(text.as_bytes()))])
    }

    #[test]
    fn formulas_are_text() {
        for formula in ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "＝1", "＋1", "－1", "＠x", "'=1"] {
            assert_eq!(text(formula), format!("'{formula}\n"));
        }
        assert_eq!(text("=1,\"2\""), "\"'=1,\"\"2\"\"\"\n");
        assert_eq!(text("\t=1"), "\\t=1\n");
        assert_eq!(text("\r\n=1"), "\\r\\n=1\n");
        assert_eq!(text("1-1"), "1-1\n");
        assert_eq!(text("ｆull"), "ｆull\n");
        assert_eq!(row(&[Cell::Preview(b"=1+1", false)]), "'=1+1\n");
    }

    #[test]
    fn unknown_is_empty_and_empty_is_quoted() {
        let cells =
            [Cell::Null, Cell::Text(Cow::Borrowed(b"")), Cell::Preview(b"", false), Cell::U64(0), Cell::Bool(false)];
        assert_eq!(row(&cells), ",\"\",\"\",0,false\n");
    }

    #[test]
    fn a_list_can_be_split_again() {
        let list = ["permessage-deflate;a; b=\"1,2\"".to_owned(), "x".to_owned(), " y".to_owned()];
        let cell = row(&[Cell::Texts(&list, Secrets::Show)]);
        assert_eq!(cell, "\"permessage-deflate; a; b=\"\"1,2\"\";x;\\x20y\"\n");
        let none: [String; 0] = [];
        assert_eq!(row(&[Cell::U64(1), Cell::Texts(&none, Secrets::Show)]), "1,\n");
    }

    #[test]
    fn long_fields_are_quoted_whole() {
        let long = "\",".repeat(5_000);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(std::io::Cursor::new(text(&long)));
        assert_eq!(&reader.records().next().unwrap().unwrap()[0], long);
    }
}
