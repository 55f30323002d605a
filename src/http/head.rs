//! Heads (format): the start line and the fields of a request or a response (RFC 9112 §2.1), borrowed.

use core::iter::FusedIterator;

/// The head of a request (RFC 9112 §3).
#[derive(Debug, Clone, Copy)]
pub struct RequestHead<'a> {
    /// The method, as sent.
    pub method: &'a [u8],
    /// The request target, as sent.
    pub target: &'a [u8],
    /// HTTP/1.x: this x, 0 to 9.
    pub minor: u8,
    /// The fields.
    pub fields: Fields<'a>,
    /// What it asks for besides a response.
    pub wants: Wants,
    /// Whether all of it was captured. If not, fields are missing at its end.
    pub complete: bool,
    /// Whether it follows HTTP's grammar, according to httparse. If not, it was read leniently.
    pub well_formed: bool,
}

/// The head of a response (RFC 9112 §4).
#[derive(Debug, Clone, Copy)]
pub struct ResponseHead<'a> {
    /// HTTP/1.x: this x, 0 to 9.
    pub minor: u8,
    /// The status code, 0 to 999.
    pub status: u16,
    /// The reason phrase, as sent; often empty.
    pub reason: &'a [u8],
    /// The fields.
    pub fields: Fields<'a>,
    /// Whether all of it was captured. If not, fields are missing at its end.
    pub complete: bool,
    /// Whether it follows HTTP's grammar, according to httparse. If not, it was read leniently.
    pub well_formed: bool,
}

/// What a request asks for besides a response. If it asks for more, the response decides what the client's next bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// Nothing: a further request may follow at once.
    Response,
    /// Another protocol: it has an Upgrade field (RFC 9110 §7.8), or a Sec-WebSocket field, which is useless without one.
    Switch,
    /// A tunnel: its method is CONNECT (RFC 9110 §9.3.6).
    Tunnel,
}

/// One field (RFC 9110 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name as sent; compare it with [`Field::is`].
    pub name: &'a [u8],
    /// Its value without whitespace around it. A value that was folded over several lines (RFC 9112 §5.2) still has its
    /// line breaks inside.
    pub value: &'a [u8],
}

impl<'a> Field<'a> {
    /// Whether it has that name, in any case (RFC 9110 §5.1).
    #[must_use]
    pub const fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The elements of its value as a comma-separated list (RFC 9110 §5.6.1). Empty elements are left out; a comma in a quoted
    /// string separates, too.
    pub fn elements(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.value.split(|byte| *byte == b',').map(trim).filter(|element| !element.is_empty())
    }
}

/// The fields of a head, in order. Each iteration reads the bytes again; nothing is stored.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    lines: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields in `lines`, those after the start line. A last line without its end is not read.
    #[must_use]
    pub const fn new(lines: &'a [u8]) -> Self {
        Self { lines }
    }

    /// All fields, in order.
    #[must_use]
    pub const fn iter(&self) -> FieldIter<'a> {
        FieldIter { rest: self.lines }
    }

    /// The fields of that name, in order.
    pub fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.iter().filter(move |field| field.is(name)).map(|field| field.value)
    }

    /// The first field of that name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The elements of all fields of that name, as one list (RFC 9110 §5.3).
    pub fn elements<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.iter().filter(move |field| field.is(name)).flat_map(|field| field.elements())
    }

    /// Whether one of the elements of that list is `token`, in any case of letters.
    #[must_use]
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.elements(name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
    }
}

impl<'a> IntoIterator for &Fields<'a> {
    type Item = Field<'a>;
    type IntoIter = FieldIter<'a>;

    fn into_iter(self) -> FieldIter<'a> {
        self.iter()
    }
}

/// Iterates over the fields of a head. Lenient: lines may end with a bare LF, a line that begins with whitespace continues
/// the line before it, whitespace before the colon is not part of the name, and lines without a name or colon are skipped.
#[derive(Debug, Clone)]
pub struct FieldIter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for FieldIter<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            let lines = self.rest;
            let mut len = line_len(lines)?;
            if matches!(lines.get(..len)?, b"\n" | b"\r\n") {
                self.rest = &[];
                return None;
            }
            self.rest = lines.get(len..)?;
            while matches!(self.rest.first(), Some(b' ' | b'\t')) {
                let Some(more) = line_len(self.rest) else { break };
                len += more;
                self.rest = lines.get(len..)?;
            }
            if let Some(field) = lines.get(..len).and_then(field) {
                return Some(field);
            }
        }
    }
}

impl FusedIterator for FieldIter<'_> {}

/// The length of the first line with its LF.
fn line_len(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes).map(|at| at + 1)
}

fn field(line: &[u8]) -> Option<Field<'_>> {
    let (name, value) = line.split_at_checked(memchr::memchr(b':', line)?)?;
    let name = name.trim_ascii_end();
    let named = name.first().is_some_and(|byte| !matches!(byte, b' ' | b'\t'));
    named.then(|| Field { name, value: trim(value.get(1..).unwrap_or_default()) })
}

/// `bytes` without spaces, tabs and line breaks around them (OWS, RFC 9110 §5.6.3, and the line's end).
fn trim(bytes: &[u8]) -> &[u8] {
    let outside = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = bytes.iter().position(|byte| !outside(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !outside(byte)).map_or(start, |at| at + 1);
    bytes.get(start..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(lines: &str) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Fields::new(lines.as_bytes()).iter().map(|field| (text(field.name), text(field.value))).collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
    }

    #[test]
    fn fields_are_trimmed_and_stop_at_the_empty_line() {
        assert_eq!(
            walk("Host: a\r\nX:\t b c \r\nEmpty:\r\n\r\nbody: no\r\n"),
            pairs(&[("Host", "a"), ("X", "b c"), ("Empty", ""),])
        );
        assert_eq!(walk("\r\nHost: a\r\n"), []);
        assert_eq!(walk(""), []);
    }

    #[test]
    fn fields_that_some_servers_tolerate_are_read() {
        assert_eq!(walk("A : 1\nB:2\nno colon\n: no name\n C: 9\n\n"), pairs(&[("A", "1"), ("B", "2")]));
        assert_eq!(walk("A: 1\r\n\t2\r\n  3\r\nB: 4\r\n\r\n"), pairs(&[("A", "1\r\n\t2\r\n  3"), ("B", "4")]));
        assert_eq!(walk(" leading: fold\r\nA: 1\r\n\r\n"), pairs(&[("A", "1")]));
        assert_eq!(walk("A: x:y\rz\r\n\r\n"), pairs(&[("A", "x:y\rz")]));
    }

    #[test]
    fn a_line_that_was_cut_off_is_not_read() {
        let whole = "Host: example\r\nUpgrade: websocket\r\n\r\n";
        for len in 0..=whole.len() {
            let lines = whole[..len].matches('\n').count();
            assert_eq!(walk(&whole[..len]).len(), lines.min(2), "{len}");
        }
        assert_eq!(walk("A: 1\r\n more"), pairs(&[("A", "1")]));
    }

    #[test]
    fn lists_over_repeated_fields_are_one_list() {
        let fields = Fields::new(b"Connection: keep-alive, Upgrade\r\nconnection: ,x ,\r\nC: upgrade\r\n\r\n");
        assert_eq!(fields.elements("Connection").collect::<Vec<_>>(), [&b"keep-alive"[..], b"Upgrade", b"x"]);
        assert!(fields.has_token("connection", "upgrade"));
        assert!(!fields.has_token("connection", "up"));
        assert_eq!(fields.first("CONNECTION"), Some(&b"keep-alive, Upgrade"[..]));
        assert_eq!(fields.all("connection").count(), 2);
        assert_eq!(fields.first("absent"), None);
    }
}
