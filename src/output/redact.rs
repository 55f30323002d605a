//! Secrets, redacted in one place: in request targets, names of sub-protocols, and sentences that quote these.
//!
//! In: text from handshakes. Out: the same with each secret replaced by its length and, for long ones, the beginning of its
//! hash, so that equal secrets are seen to be equal: `token=[redacted 36 chars, 1a2b3c]`. On unless `--show-secrets` is
//! given. Cookies and Authorization need no redaction: of these the handshake keeps only that they were there. Payloads are
//! not redacted; `--payload` decides how much of them is shown.
//!
//! RFC 6455 §10.5 leaves authentication to HTTP; browsers let scripts set neither header fields nor more than target and
//! sub-protocols, so that is where tokens are.

use std::borrow::Cow;

use sha1::{Digest, Sha1};

/// Whether secrets are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Secrets {
    /// They are replaced.
    #[default]
    Redact,
    /// They are left as they are (`--show-secrets`).
    Show,
}

/// A secret of fewer characters gets no hash: a short one could be found by trying all.
const MIN_HASHED: usize = 16;

/// Fewer characters than this are never a secret by their looks alone.
const MIN_OPAQUE: usize = 32;

/// Parameters whose value is a secret, in lower case and without punctuation.
const SECRET_NAMES: [&str; 17] = [
    "auth",
    "authorization",
    "key",
    "sid",
    "session",
    "pass",
    "pwd",
    "sig",
    "code",
    "ticket",
    "cookie",
    "otp",
    "hmac",
    "assertion",
    "oauth",
    "xauth",
    "sas",
];

/// Parts of names that make their value a secret, likewise.
const SECRET_PARTS: [&str; 9] =
    ["token", "secret", "passw", "apikey", "signature", "credential", "bearer", "jwt", "sessionid"];

/// Ends of names that make their value a secret, likewise.
const SECRET_ENDS: [&str; 4] = ["key", "sessid", "authcode", "connectsid"];

/// Beginnings that well-known issuers give their tokens.
const TOKEN_PREFIXES: [&str; 9] =
    ["ghp_", "gho_", "ghs_", "github_pat_", "glpat-", "xoxb-", "xoxp-", "sk_live_", "ya29."];

/// Text before a token in the name of a sub-protocol; the rest after the last of these is the secret.
const BEARER_MARKS: [&str; 6] =
    ["base64url.bearer.authorization.k8s.io.", "bearer.", "bearer-", "bearer_", "access_token.", "access-token."];

/// The same, where only a long rest is a secret, since ordinary names begin so too.
const LONG_MARKS: [&str; 9] = ["token.", "token-", "jwt.", "jwt-", "auth.", "auth-", "apikey.", "ticket.", "session."];

impl Secrets {
    /// A request target or a Location: values of parameters, segments of the path, and user information.
    #[must_use]
    pub fn target(self, target: &str) -> Cow<'_, str> {
        if self == Self::Show { Cow::Borrowed(target) } else { redact_target(target) }
    }

    /// A sub-protocol that was offered, and the one offered before it: some clients send a token as the second of two.
    #[must_use]
    pub fn subprotocol<'a>(self, name: &'a str, before: Option<&str>) -> Cow<'a, str> {
        if self == Self::Show { Cow::Borrowed(name) } else { redact_subprotocol(name, before) }
    }

    /// The sub-protocol that was chosen: hidden as it was where it was offered.
    #[must_use]
    pub fn chosen<'a>(self, name: &'a str, offered: &[String]) -> Cow<'a, str> {
        let place = offered.iter().position(|offer| offer == name);
        let before = place.and_then(|place| offered.get(place.checked_sub(1)?));
        self.subprotocol(name, before.map(String::as_str))
    }

    /// A sentence that may quote any of these.
    #[must_use]
    pub fn sentence(self, text: &str) -> Cow<'_, str> {
        if self == Self::Show {
            return Cow::Borrowed(text);
        }
        redact_pieces(text, |c| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '`' | '(' | ')'), redact_word)
    }
}

/// The text in a secret's place.
fn mark(secret: &[u8]) -> String {
    let chars = String::from_utf8_lossy(secret).chars().count();
    if chars < MIN_HASHED {
        return format!("[redacted {chars} chars]");
    }
    let digest: [u8; 20] = Sha1::digest(secret).into();
    let [a, b, c, ..] = digest;
    format!("[redacted {chars} chars, {a:02x}{b:02x}{c:02x}]")
}

/// `text` with the pieces between `border` characters replaced for which `redact` has something.
fn redact_pieces<'a>(
    text: &'a str,
    border: impl Fn(char) -> bool,
    mut redact: impl FnMut(&str) -> Option<String>,
) -> Cow<'a, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    for batch in text.split(border) {
        if let Some(safe) = redact(batch) {
            out.push_str(text.get(copied..at).unwrap_or_default());
            out.push_str(&safe);
            copied = at + batch.len();
        }
        // The border after a piece is one character; its length is found where the next begins.
        at += batch.len();
        at += text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
    }
    if copied == 0 && out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

fn redact_target(target: &str) -> Cow<'_, str> {
    let (authority, rest) = target.split_at(end_of_authority(target));
    let (path, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
    let authority = redact_authority(authority);
    let path = redact_pieces(path, |c| matches!(c, '/' | ';'), redact_segment);
    let query = redact_pieces(query, |c| matches!(c, '?' | '#' | '&' | ';'), redact_parameter);
    match (authority, path, query) {
        (Cow::Borrowed(_), Cow::Borrowed(_), Cow::Borrowed(_)) => Cow::Borrowed(target),
        (authority, path, query) => Cow::Owned([authority, path, query].concat()),
    }
}

/// Where `scheme://authority` ends, 0 without one (RFC 3986 §3).
fn end_of_authority(target: &str) -> usize {
    let first = target.find(['/', '?', '#']).unwrap_or(target.len());
    let Some(start) = target.find("://").filter(|&at| at < first).map(|at| at + 3) else { return 0 };
    let rest = target.get(start..).unwrap_or_default();
    start + rest.find(['/', '?', '#']).unwrap_or(rest.len())
}

/// Hides user information (RFC 3986 §3.2.1).
fn redact_authority(authority: &str) -> Cow<'_, str> {
    let Some((before, host)) = authority.rsplit_once('@') else { return Cow::Borrowed(authority) };
    let (scheme, user) = before.split_once("://").unwrap_or(("", before));
    Cow::Owned(format!("{scheme}://{}@{host}", mark(user.as_bytes())))
}

/// A segment of a path, or a parameter of one (`;jsessionid=…`).
fn redact_segment(segment: &str) -> Option<String> {
    if segment.contains('=') {
        return redact_parameter(segment);
    }
    let plain = percent_decoded(segment);
    is_token(&plain).then(|| mark(&plain))
}

/// A parameter of a query or fragment: `name=value`, or something without a name.
fn redact_parameter(parameter: &str) -> Option<String> {
    let Some((name, value)) = parameter.split_once('=') else {
        let plain = percent_decoded(parameter);
        return (is_token(&plain) || is_opaque(&plain)).then(|| mark(&plain));
    };
    let plain = percent_decoded(value);
    if plain.is_empty() {
        return None;
    }
    let secret =
        is_secret_name(&percent_decoded(name)) || is_token(&plain) || is_opaque(&plain) || holds_secret(&plain);
    secret.then(|| format!("{name}={}", mark(&plain)))
}

/// Whether a value is itself a target or a list of parameters with a secret in it: `next=/x?token=…`, one level deep.
fn holds_secret(value: &[u8]) -> bool {
    value.split(|byte| matches!(byte, b'?' | b'&' | b'#' | b';')).any(|part| {
        let Some(equals) = memchr::memchr(b'=', part) else { return false };
        let (name, rest) = part.split_at(equals);
        rest.len() > 1 && is_secret_name(&percent_decoded_bytes(name))
    })
}

fn redact_subprotocol<'a>(name: &'a str, before: Option<&str>) -> Cow<'a, str> {
    if let Some(start) = start_of_bearer(name) {
        let (head, secret) = name.split_at(start);
        return Cow::Owned(format!("{head}{}", mark(secret.as_bytes())));
    }
    let named = before.is_some_and(|before| before.len() <= 20 && is_secret_name(before.as_bytes()))
        && name.chars().count() >= MIN_HASHED
        && !is_registered(name);
    let bytes = name.as_bytes();
    if named || is_token(bytes) || bytes.split(|&byte| byte == b'.').any(is_opaque) {
        return Cow::Owned(mark(bytes));
    }
    name.contains('=').then(|| redact_parameter(name)).flatten().map_or(Cow::Borrowed(name), Cow::Owned)
}

/// Where in a sub-protocol name the secret begins that a mark before it announces.
fn start_of_bearer(name: &str) -> Option<usize> {
    let lower = name.to_ascii_lowercase();
    let after = |mark: &&str| lower.find(*mark).map(|at| at + mark.len()).filter(|&start| start < name.len());
    let long = |start: &usize| name.len() - start >= MIN_HASHED;
    BEARER_MARKS
        .iter()
        .find_map(after)
        .or_else(|| LONG_MARKS.iter().filter(|mark| lower.starts_with(**mark)).find_map(after).filter(long))
}

/// Long names of sub-protocols that follow a `bearer` or `token` in the offers of real clients.
fn is_registered(name: &str) -> bool {
    matches!(name, "graphql-transport-ws" | "v1.kernel.websocket.jupyter.org" | "actioncable-v1-json")
        || name.ends_with(".k8s.io")
}

/// A word of a sentence.
fn redact_word(word: &str) -> Option<String> {
    let safe = if word.contains(['?', '=', '/']) { redact_target(word) } else { redact_subprotocol(word, None) };
    let safe = match safe {
        Cow::Borrowed(_) => redact_parameter(word)?,
        Cow::Owned(safe) => safe,
    };
    Some(safe)
}

/// Whether the value of a parameter of that name is a secret.
fn is_secret_name(name: &[u8]) -> bool {
    let plain: String = name
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(|&byte| byte.to_ascii_lowercase() as char)
        .collect();
    SECRET_NAMES.contains(&plain.as_str())
        || SECRET_PARTS.iter().any(|part| plain.contains(part))
        || SECRET_ENDS.iter().any(|end| plain.ends_with(end))
}

/// Whether it has the shape of a JWT (RFC 7519 §3: `eyJ` is `{"` in base64url), or the beginning that an issuer gives its
/// tokens.
fn is_token(value: &[u8]) -> bool {
    let jwt = value.starts_with(b"eyJ")
        && value.len() >= 20
        && value.contains(&b'.')
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.=".contains(byte));
    let known = value.len() >= MIN_HASHED && TOKEN_PREFIXES.iter().any(|prefix| value.starts_with(prefix.as_bytes()));
    let scheme = |name: &[u8]| {
        value
            .split_at_checked(name.len())
            .is_some_and(|(head, rest)| head.eq_ignore_ascii_case(name) && !rest.is_empty())
    };
    jwt || known || scheme(b"bearer ") || scheme(b"basic ")
}

/// Whether it is long and looks drawn at random: hexadecimal, letters and digits of one case, or base64. UUIDs are not:
/// they name rooms and devices more often than they grant access.
fn is_opaque(value: &[u8]) -> bool {
    if value.len() < MIN_OPAQUE {
        return false;
    }
    let count = |test: fn(&u8) -> bool| value.iter().filter(|byte| test(byte)).count();
    let digits = count(u8::is_ascii_digit);
    let (lower, upper) = (count(u8::is_ascii_lowercase), count(u8::is_ascii_uppercase));
    let others = value.len() - digits - lower - upper;
    let base64 = count(|byte| b"+/-_=~".contains(byte)) == others;
    match (lower > 0, upper > 0) {
        (true, true) => base64 && digits >= 2 && others * 8 <= value.len(),
        (true, false) | (false, true) => others == 0 && digits >= 4,
        (false, false) => false,
    }
}

fn percent_decoded(text: &str) -> Cow<'_, [u8]> {
    percent_decoded_bytes(text.as_bytes())
}

/// Percent-decoded (RFC 3986 §2.1); what is not well encoded stays.
fn percent_decoded_bytes(bytes: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', bytes).is_none() {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        let encoded = tail.first_chunk::<2>().filter(|_| byte == b'%').and_then(|&[high, low]| {
            let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            Some(digit(high)? << 4 | digit(low)?)
        });
        out.push(encoded.unwrap_or(byte));
        rest = if encoded.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests;
