//! Start lines of HTTP/1.1: the request line and the status line (RFC 9112 §3, §4), read leniently (format).

/// Method, target, minor version.
pub(super) type RequestLine<'a> = (&'a [u8], &'a [u8], u8);

/// Minor version, status code, reason phrase.
pub(super) type StatusLine<'a> = (u8, u16, &'a [u8]);

/// The first line of `bytes` without its line end; all of them where there is none.
pub(super) fn first_line(bytes: &[u8]) -> &[u8] {
    let end = memchr::memchr(b'\n', bytes).unwrap_or(bytes.len());
    trim_line_end(bytes.get(..end).unwrap_or(bytes))
}

pub(super) fn trim_line_end(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Method, target and minor version (RFC 9112 §3). Lenient: any whitespace between them, and even inside the target.
pub(super) fn request_line(line: &[u8]) -> Option<RequestLine<'_>> {
    let space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let line = line.trim_ascii_end();
    let (method, rest) = line.split_at_checked(line.iter().position(space)?)?;
    let (target, version) = rest.split_at_checked(rest.iter().rposition(space)?)?;
    let target = target.trim_ascii();
    Some((method, target, minor_version(version.trim_ascii())?)).filter(|_| is_token(method) && !target.is_empty())
}

/// Minor version, status code and reason phrase (RFC 9112 §4).
pub(super) fn status_line(line: &[u8]) -> Option<StatusLine<'_>> {
    let (version, rest) = line.split_at_checked(8)?;
    let rest = rest.trim_ascii_start();
    let (digits, reason) = rest.split_at_checked(3)?;
    let apart = matches!(line.get(8), Some(b' ' | b'\t')) && reason.first().is_none_or(|byte| !byte.is_ascii_digit());
    let status = digits.iter().try_fold(0_u16, |sum, byte| {
        let digit = byte.is_ascii_digit().then(|| u16::from(byte - b'0'))?;
        Some(sum * 10 + digit)
    })?;
    Some((minor_version(version)?, status, reason.trim_ascii())).filter(|_| apart)
}

/// The x of `HTTP/1.x`, in any case.
fn minor_version(text: &[u8]) -> Option<u8> {
    let (name, digit) = text.split_at_checked(7)?;
    match digit {
        [digit @ b'0'..=b'9'] if name.eq_ignore_ascii_case(b"HTTP/1.") => Some(digit - b'0'),
        _ => None,
    }
}

/// Whether `text` is a token (RFC 9110 §5.6.2): not empty, and without spaces and separators.
#[must_use]
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_tchar(*byte))
}

/// Whether a byte may be in a token (RFC 9110 §5.6.2).
pub(super) const fn is_tchar(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_lines() {
        assert_eq!(request_line(b"GET /chat HTTP/1.1"), Some((&b"GET"[..], &b"/chat"[..], 1)));
        assert_eq!(request_line(b"GET  /a b  http/1.0 "), Some((&b"GET"[..], &b"/a b"[..], 0)));
        assert_eq!(request_line(b"GET /\xff\xfe HTTP/1.1"), Some((&b"GET"[..], &b"/\xff\xfe"[..], 1)));
        for wrong in
            [&b"GET"[..], b"", b" ", b"GET /", b"GET HTTP/1.1", b" / HTTP/1.1", b"GET / HTTP/2.0", b"G(T / HTTP/1.1"]
        {
            assert_eq!(request_line(wrong), None, "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn status_lines() {
        assert_eq!(status_line(b"HTTP/1.1 200 OK"), Some((1, 200, &b"OK"[..])));
        assert_eq!(status_line(b"http/1.0 404"), Some((0, 404, &b""[..])));
        assert_eq!(status_line(b"HTTP/1.1  101  Sw\xe9tch "), Some((1, 101, &b"Sw\xe9tch"[..])));
        for wrong in
            [&b""[..], b"HTTP/1.1", b"HTTP/1.1 2", b"HTTP/1.1 2000", b"HTTP/1.1 2x0", b"HTTP/2.0 200", b"HTTP/1.1200"]
        {
            assert_eq!(status_line(wrong), None, "{}", wrong.escape_ascii());
        }
    }
}
