//! CSV: RFC 4180 as the csv crate writes it, `,` and `\n`, with a header row.
//!
//! In: cells. Out: a row of bytes. Numbers, times and words go straight into the row. Text is escaped as for terminals
//! ([`escape`]), so that a row is always one line and safe to show, then kept from being a formula, then quoted if need be.
//! Only an unknown value is empty; an empty text is `""`. The documentation of [`super`] shows a row.

use super::plain::{self, Times};
use super::rows::LineFormat;
use crate::output::columns::{Cell, TextList};
use crate::output::escape;

/// Writes rows of CSV.
#[derive(Debug, Default)]
pub(super) struct Csv {
    times: Times,
    text: Vec<u8>,
}

impl LineFormat for Csv {
    fn start(&mut self, names: &[&'static str]) -> Vec<u8> {
        let mut header = csv::Writer::from_writer(Vec::new());
        // A Vec takes all that is written.
        _ = header.write_record(names);
        header.into_inner().unwrap_or_default()
    }

    fn cell(&mut self, out: &mut Vec<u8>, place: usize, cell: &Cell<'_>) {
        if place > 0 {
            out.push(b',');
        }
        self.value(out, cell);
    }

    #[inline]
    fn number(&mut self, out: &mut Vec<u8>, place: usize, number: Option<u64>) {
        match number {
            _ if place == 0 => self.cell(out, place, &number.map_or(Cell::Null, Cell::U64)),
            Some(number) => plain::number_after(out, b',', number),
            None => out.push(b','),
        }
    }

    fn end(&self, out: &mut Vec<u8>) {
        out.push(b'\n');
    }

    fn unknown(&self) -> &'static [u8] {
        b""
    }
}

impl Csv {
    fn value(&mut self, out: &mut Vec<u8>, cell: &Cell<'_>) {
        match cell {
            Cell::Null | Cell::Pending => {}
            Cell::Bool(value) => plain::boolean(out, *value),
            Cell::U64(value) => plain::number(out, *value),
            Cell::Name(name) => out.extend_from_slice(name.as_bytes()),
            Cell::Time(time) => self.times.write(out, *time),
            Cell::Ip(ip) => plain::ip(out, *ip),
            Cell::Uid(uid) => plain::hex(out, uid.0),
            Cell::Key(key) => plain::hex(out, *key),
            Cell::Codes(set) if set.is_empty() => {}
            Cell::Codes(set) => {
                for (place, code) in set.iter().enumerate() {
                    if place > 0 {
                        out.push(b';');
                    }
                    out.extend_from_slice(code.as_str().as_bytes());
                }
            }
            Cell::Text(bytes) => write_text(out, bytes, false),
            Cell::Data(bytes) => write_text(out, bytes, false),
            Cell::Preview(head, cut) => write_text(out, head, *cut),
            // As an unknown list; NDJSON distinguishes the two.
            Cell::Texts(list) if list.is_empty() => {}
            Cell::Texts(list) => self.list(out, *list),
        }
    }

    fn list(&mut self, out: &mut Vec<u8>, list: TextList<'_>) {
        self.text.clear();
        for (place, text) in list.iter().enumerate() {
            if place > 0 {
                self.text.push(b';');
            }
            write_element(&mut self.text, &text);
        }
        write_safe(out, &self.text);
    }
}

/// Appends a text and, where it is cut, `…`: escaped, kept from being a formula, quoted if need be. Whether it is a formula
/// and needs quotes is decided before it is escaped: escapes begin with a backslash, and need no quotation marks.
fn write_text(out: &mut Vec<u8>, bytes: &[u8], cut: bool) {
    enclose(out, bytes, cut, escape::write_terminal, escape::write_terminal_quoted);
}

/// The same of text that is escaped already.
fn write_safe(out: &mut Vec<u8>, text: &[u8]) {
    enclose(
        out,
        text,
        false,
        |out, text| out.extend_from_slice(text),
        |out, text| escape::write_quotes(out, text, b'"'),
    );
}

/// Appends a text by one of these ways: the second doubles quotation marks (RFC 4180 §2).
fn enclose(
    out: &mut Vec<u8>,
    text: &[u8],
    cut: bool,
    as_it_is: impl Fn(&mut Vec<u8>, &[u8]),
    doubled: impl Fn(&mut Vec<u8>, &[u8]),
) {
    let quoted = text.is_empty() && !cut || memchr::memchr2(b',', b'"', text).is_some();
    if quoted {
        out.push(b'"');
    }
    if is_formula(text) {
        out.push(b'\'');
    }
    if quoted {
        doubled(out, text);
    } else {
        as_it_is(out, text);
    }
    if cut {
        out.extend_from_slice("…".as_bytes());
    }
    if quoted {
        out.push(b'"');
    }
}

/// Whether a spreadsheet would take a cell for a formula, also in full-width characters; or it begins with `'`, the sign
/// that is put before those, so that one `'` can always be removed again. Tabs and line ends are escaped already.
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

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;

    use super::*;

    fn row(cells: &[Cell<'_>]) -> String {
        let mut out = Vec::new();
        let mut csv = Csv::default();
        cells.iter().enumerate().for_each(|(place, cell)| csv.cell(&mut out, place, cell));
        csv.end(&mut out);
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
        let cell = row(&[Cell::Texts(TextList::plain(&list))]);
        assert_eq!(cell, "\"permessage-deflate; a; b=\"\"1,2\"\";x;\\x20y\"\n");
        let none: [String; 0] = [];
        assert_eq!(row(&[Cell::U64(1), Cell::Texts(TextList::plain(&none))]), "1,\n");
    }

    proptest! {
        /// As the csv crate would have written it.
        #[test]
        fn quoting_is_that_of_the_csv_crate(
            // Line ends never come here: they are escaped.
            bytes in proptest::collection::vec(any::<u8>().prop_filter("no line end", |b| !matches!(b, b'\r' | b'\n')), 1..200)
        ) {
            let mut out = Vec::new();
            write_safe(&mut out, &bytes);
            let formula = if is_formula(&bytes) { "'" } else { "" };
            let text = [formula.as_bytes(), &bytes].concat();
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record([text]).unwrap();
            out.push(b'\n');
            prop_assert_eq!(writer.into_inner().unwrap(), out);
        }

        /// To escape and then to quote would have been the same.
        #[test]
        fn escapes_are_quoted_as_any_text(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'"'), Just(b','), Just(b'=')], 1..150),
            text in ".{0,40}",
        ) {
            for bytes in [&bytes[..], text.as_bytes(), &[text.as_bytes(), &bytes].concat()] {
                let (mut at_once, mut in_turn) = (Vec::new(), Vec::new());
                write_text(&mut at_once, bytes, false);
                write_safe(&mut in_turn, escape::terminal(bytes).as_bytes());
                prop_assert_eq!(at_once, in_turn);
            }
        }
    }

    #[test]
    fn long_fields_are_quoted_whole() {
        let long = "\",".repeat(5_000);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(std::io::Cursor::new(text(&long)));
        assert_eq!(&reader.records().next().unwrap().unwrap()[0], long);
    }
}
