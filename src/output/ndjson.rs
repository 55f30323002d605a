//! NDJSON: one JSON object (RFC 8259) a line, keys in the order of the columns.
//!
//! In: cells. Out: bytes in a row. Strings are whole: what is UTF-8 on the wire comes out of a JSON parser as it went in,
//! other bytes are in base64 or visibly escaped ([`super::escape::write_json`]).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::columns::{Cell, PREVIEW_BYTES};
use super::escape;
use super::plain::{self, Times};
use super::table::RowFormat;

/// Writes rows of NDJSON.
#[derive(Debug, Default)]
pub(super) struct Ndjson {
    times: Times,
    text: Vec<u8>,
    keys: Vec<Vec<u8>>,
}

impl RowFormat for Ndjson {
    fn start(&mut self, names: &[&'static str]) -> Vec<u8> {
        let border = |place| if place == 0 { '{' } else { ',' };
        self.keys = names
            .iter()
            .enumerate()
            .map(|(place, name)| format!("{}\"{name}\":", border(place)).into_bytes())
            .collect();
        Vec::new()
    }

    fn row<'a>(&mut self, out: &mut Vec<u8>, cells: impl Iterator<Item = Cell<'a>>) -> Option<usize> {
        let hole = self.members(out, cells);
        out.extend_from_slice(b"}\n");
        hole
    }

    fn unknown(&self) -> &'static [u8] {
        b"null"
    }
}

impl Ndjson {
    /// Appends an object's members, and its opening brace but not the closing one.
    pub(super) fn members<'a>(&mut self, out: &mut Vec<u8>, cells: impl Iterator<Item = Cell<'a>>) -> Option<usize> {
        let keys = core::mem::take(&mut self.keys);
        let mut hole = None;
        for (key, cell) in keys.iter().zip(cells) {
            out.extend_from_slice(key);
            if cell == Cell::Pending {
                hole = Some(out.len());
            } else {
                self.cell(out, &cell);
            }
        }
        self.keys = keys;
        hole
    }

    /// Appends one value.
    pub(super) fn cell(&mut self, out: &mut Vec<u8>, cell: &Cell<'_>) {
        match cell {
            Cell::Null | Cell::Pending => out.extend_from_slice(b"null"),
            Cell::Bool(value) => out.extend_from_slice(plain::boolean(*value)),
            Cell::U64(value) => plain::number(out, *value),
            Cell::Name(name) => quoted(out, |out| out.extend_from_slice(name.as_bytes())),
            Cell::Time(time) => quoted(out, |out| self.times.write(out, *time)),
            Cell::Ip(ip) => quoted(out, |out| plain::ip(out, *ip)),
            Cell::Uid(uid) => quoted(out, |out| plain::hex(out, &uid.0)),
            Cell::Key(key) => quoted(out, |out| plain::hex(out, key)),
            Cell::Codes(set) => {
                list(out, set.iter(), |out, code| quoted(out, |out| out.extend_from_slice(code.as_str().as_bytes())));
            }
            Cell::Texts(texts, secrets) => {
                let mut before: Option<&String> = None;
                list(out, texts.iter(), |out, name| {
                    let safe = secrets.subprotocol(name, before.map(String::as_str));
                    escape::write_json(out, safe.as_bytes());
                    before = Some(name);
                });
            }
            Cell::Text(bytes) => escape::write_json(out, bytes),
            Cell::Preview(bytes, more) => {
                self.text.clear();
                escape::write_preview(&mut self.text, bytes, PREVIEW_BYTES, *more);
                escape::write_json(out, &self.text);
            }
            Cell::Data(bytes) => quoted(out, |out| base64(out, bytes)),
        }
    }
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'"');
    write(out);
    out.push(b'"');
}

fn list<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (place, item) in items.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

/// Appends `bytes` in base64 (RFC 4648 §4), without a buffer between.
fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    let Some(len) = base64::encoded_len(bytes.len(), true) else { return };
    out.resize(start + len, 0);
    if let Some(room) = out.get_mut(start..) {
        // The room is as long as it says.
        _ = STANDARD.encode_slice(bytes, room);
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::redact::Secrets;
    use super::*;

    fn value(cell: Cell<'_>) -> serde_json::Value {
        let mut format = Ndjson::default();
        format.start(&["a", "b"]);
        let mut out = Vec::new();
        assert_eq!(format.row(&mut out, [cell.clone(), cell].into_iter()), None);
        assert_eq!(out.pop(), Some(b'\n'));
        let row: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(row["a"], row["b"]);
        row["a"].clone()
    }

    #[test]
    fn values_come_back_as_they_went_in() {
        assert_eq!(value(Cell::Null), serde_json::Value::Null);
        assert_eq!(value(Cell::U64(u64::MAX)), u64::MAX);
        assert_eq!(value(Cell::Key([0, 1, 0xab, 0xff])), "0001abff");
        let wild = "\u{1b}]0;x\u{7}\0\"\\\r\n\u{202e}é🦀=1";
        assert_eq!(value(Cell::Text(Cow::Borrowed(wild.as_bytes()))), wild);
        assert_eq!(value(Cell::Data(b"\xff\0\x10")), "/wAQ");
        assert_eq!(value(Cell::Data(b"")), "");
        assert_eq!(value(Cell::Preview(b"=1\n\xff", true)), r"=1\n\xff…");
        let list = ["a;b".to_owned(), "\"".to_owned()];
        assert_eq!(value(Cell::Texts(&list, Secrets::Show)), serde_json::json!(["a;b", "\""]));
    }
}
