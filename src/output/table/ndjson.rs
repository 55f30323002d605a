//! NDJSON: one JSON object (RFC 8259) a line, keys in the order of the columns.
//!
//! In: cells. Out: a row of bytes. Strings are complete: text that is UTF-8 on the wire comes out of a JSON parser as it went
//! in, other bytes are in base64 or visibly escaped ([`escape::write_json`]). A row, shortened:
//!
//! ```json
//! {"connection":3,"capture":null,"frame":0,"opcode_name":"text","fin":true,"payload_len":5,"findings":[],"preview":"hello"}
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::plain::{self, Times};
use super::rows::LineFormat;
use crate::output::columns::Cell;
use crate::output::escape;

/// Writes rows of NDJSON.
#[derive(Debug, Default)]
pub(crate) struct Ndjson {
    times: Times,
    text: Vec<u8>,
    keys: Vec<Key>,
}

/// Bytes of the longest key, its border, quotes and colon, rounded up.
const KEY_LEN: usize = 24;

/// A key with the brace or comma, quotes and colon around it, at the beginning of a block of fixed length: such a block is
/// copied without a call.
#[derive(Debug)]
struct Key {
    block: [u8; KEY_LEN],
    len: usize,
}

impl Key {
    fn new(text: &[u8]) -> Self {
        let mut block = [0; KEY_LEN];
        block.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
        Self { block, len: text.len() }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.len;
        out.extend_from_slice(&self.block);
        out.truncate(end);
    }
}

impl LineFormat for Ndjson {
    fn start(&mut self, names: &[&'static str]) -> Vec<u8> {
        let border = |place| if place == 0 { '{' } else { ',' };
        let key = |(place, name): (usize, &&str)| Key::new(format!("{}\"{name}\":", border(place)).as_bytes());
        self.keys = names.iter().enumerate().map(key).collect();
        Vec::new()
    }

    fn cell(&mut self, out: &mut Vec<u8>, place: usize, cell: &Cell<'_>) {
        if let Some(key) = self.keys.get(place) {
            key.write(out);
        }
        if *cell != Cell::Pending {
            self.value(out, cell);
        }
    }

    #[inline]
    fn number(&mut self, out: &mut Vec<u8>, place: usize, number: Option<u64>) {
        if let Some(key) = self.keys.get(place) {
            key.write(out);
        }
        match number {
            Some(number) => plain::number(out, number),
            None => out.extend_from_slice(b"null"),
        }
    }

    fn end(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"}\n");
    }

    fn unknown(&self) -> &'static [u8] {
        b"null"
    }
}

impl Ndjson {
    /// Appends one value.
    pub(crate) fn value(&mut self, out: &mut Vec<u8>, cell: &Cell<'_>) {
        match cell {
            Cell::Null | Cell::Pending => out.extend_from_slice(b"null"),
            Cell::Bool(value) => plain::boolean(out, *value),
            Cell::U64(value) => plain::number(out, *value),
            Cell::Name(name) => quoted(out, |out| out.extend_from_slice(name.as_bytes())),
            Cell::Time(time) => quoted(out, |out| self.times.write(out, *time)),
            Cell::Ip(ip) => quoted(out, |out| plain::ip(out, *ip)),
            Cell::Uid(uid) => quoted(out, |out| plain::hex(out, uid.0)),
            Cell::Key(key) => quoted(out, |out| plain::hex(out, *key)),
            Cell::Codes(set) if set.is_empty() => out.extend_from_slice(b"[]"),
            Cell::Codes(set) => {
                list(out, set.iter(), |out, code| quoted(out, |out| out.extend_from_slice(code.as_str().as_bytes())));
            }
            Cell::Texts(texts) => list(out, texts.iter(), |out, text| escape::write_json(out, text.as_bytes())),
            Cell::Text(bytes) => escape::write_json(out, bytes),
            Cell::Preview(head, cut) => self.preview(out, head, *cut),
            Cell::Data(bytes) => quoted(out, |out| base64(out, bytes)),
        }
    }
}

impl Ndjson {
    /// Appends the beginning of a payload, escaped as for terminals and then for JSON, and `…` where it is cut.
    fn preview(&mut self, out: &mut Vec<u8>, head: &[u8], cut: bool) {
        let end = if cut { "…" } else { "" };
        if escape::is_plain(head) {
            quoted(out, |out| {
                escape::write_quotes(out, head, b'\\');
                out.extend_from_slice(end.as_bytes());
            });
            return;
        }
        self.text.clear();
        escape::write_terminal(&mut self.text, head);
        self.text.extend_from_slice(end.as_bytes());
        escape::write_json(out, &self.text);
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
        // The room has the length of the encoding.
        _ = STANDARD.encode_slice(bytes, room);
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::output::columns::TextList;

    fn value(cell: Cell<'_>) -> serde_json::Value {
        let mut format = Ndjson::default();
        format.start(&["a", "b"]);
        let mut out = Vec::new();
        format.cell(&mut out, 0, &cell);
        format.cell(&mut out, 1, &cell);
        format.end(&mut out);
        assert_eq!(out.pop(), Some(b'\n'));
        let row: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(row["a"], row["b"]);
        row["a"].clone()
    }

    #[test]
    fn every_key_fits_its_block() {
        use crate::output::columns::{Connections, Findings, Frames, Messages, Table};
        fn longest<T: Table>() -> usize {
            T::COLUMNS.iter().map(|column| column.name.len()).max().unwrap() + "{\"\":".len()
        }
        let lens = [longest::<Connections>(), longest::<Frames>(), longest::<Messages>(), longest::<Findings>()];
        assert!(lens.into_iter().max().unwrap() <= KEY_LEN);
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
        assert_eq!(value(Cell::Texts(TextList::plain(&list))), serde_json::json!(["a;b", "\""]));
    }
}
