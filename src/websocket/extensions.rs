//! Sec-WebSocket-Extensions (RFC 6455 §9.1) and permessage-deflate's parameters (RFC 7692 §7.1): the texts of offers and
//! responses come in, the negotiated parameters and the rules broken go out (format).
//!
//! Findings are strict, use is lenient: the response is applied to the frames that follow as far as it can be understood,
//! even where the RFC forbids it. Extensions other than permessage-deflate are known by name only.

use std::borrow::Cow;

use super::violation::{Violation, shorten};
use crate::http::is_token;
use crate::types::{Detail, Direction, FindingCode};

/// The parameters negotiated for the frames that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Negotiated {
    /// permessage-deflate, where it was negotiated (or, without a handshake, where RSV1 shows it).
    pub deflate: Option<Deflate>,
    /// Whether an extension was negotiated that is not known here: it may give reserved bits a meaning, and payload another
    /// form (RFC 6455 §5.2, §9).
    pub unknown: bool,
}

/// permessage-deflate as negotiated (RFC 7692 §7.1): each side's compressor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deflate {
    /// The server compresses each message on its own.
    pub server_no_context_takeover: bool,
    /// The client compresses each message on its own.
    pub client_no_context_takeover: bool,
    /// The base-2 logarithm of the server's window, 8 to 15.
    pub server_max_window_bits: u8,
    /// The base-2 logarithm of the client's window, 8 to 15.
    pub client_max_window_bits: u8,
}

impl Default for Deflate {
    fn default() -> Self {
        Self {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            server_max_window_bits: 15,
            client_max_window_bits: 15,
        }
    }
}

impl Deflate {
    /// Whether the sender in `direction` begins each message with an empty window.
    #[must_use]
    pub const fn no_context_takeover(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.client_no_context_takeover,
            Direction::ToClient => self.server_no_context_takeover,
        }
    }

    /// The base-2 logarithm of the window of the sender in `direction`.
    #[must_use]
    pub const fn max_window_bits(&self, direction: Direction) -> u8 {
        match direction {
            Direction::ToServer => self.client_max_window_bits,
            Direction::ToClient => self.server_max_window_bits,
        }
    }
}

/// The only extension whose meaning is known here.
const PERMESSAGE_DEFLATE: &str = "permessage-deflate";

/// One extension, as offered or as chosen (RFC 6455 §9.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtensionOffer<'a> {
    /// Its name; may be empty, which the grammar forbids.
    pub name: &'a str,
    /// Its parameters in order, each with its value, if it has one. Quoted values are unquoted.
    pub parameters: Vec<(&'a str, Option<Cow<'a, str>>)>,
}

impl<'a> ExtensionOffer<'a> {
    /// Reads one element of the list. There is no error: any text has some name and some parameters.
    #[must_use]
    pub fn parse(text: &'a str) -> Self {
        let mut parts = split(text, ';').map(str::trim_ascii);
        let name = parts.next().unwrap_or_default();
        let parameter = |part: &'a str| match part.split_once('=') {
            Some((name, value)) => (name.trim_ascii_end(), Some(unquote(value.trim_ascii_start()))),
            None => (part, None),
        };
        Self { name, parameters: parts.map(parameter).collect() }
    }

    /// Whether names and values are tokens, as the grammar requires even inside quotes.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        let parameter = |(name, value): &(&str, Option<Cow<'_, str>>)| {
            is_token(name.as_bytes()) && value.as_ref().is_none_or(|value| is_token(value.as_bytes()))
        };
        is_token(self.name.as_bytes()) && self.parameters.iter().all(parameter)
    }

    /// Whether it is permessage-deflate (RFC 7692 §7).
    #[must_use]
    pub fn is_deflate(&self) -> bool {
        self.name.eq_ignore_ascii_case(PERMESSAGE_DEFLATE)
    }
}

/// The elements of a Sec-WebSocket-Extensions field, unchanged; commas in quoted strings do not separate.
pub fn elements(value: &str) -> impl Iterator<Item = &str> {
    split(value, ',').map(str::trim_ascii).filter(|element| !element.is_empty())
}

/// Splits at a separator that is not inside a quoted string (RFC 9110 §5.6.4). A quote that is never closed quotes all
/// the rest.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c| {
        let inside = quoted;
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == separator && !inside
    })
}

/// The content of a quoted string; anything else as it is.
fn unquote(value: &str) -> Cow<'_, str> {
    let Some(inside) = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else { return value.into() };
    if !inside.contains('\\') {
        return inside.into();
    }
    let mut escaped = false;
    let kept = inside.chars().filter(|c| {
        escaped = *c == '\\' && !escaped;
        !escaped
    });
    kept.collect::<String>().into()
}

fn invalid(sentence: String) -> Violation {
    (FindingCode::ExtensionParamsInvalid, Detail::text(sentence))
}

/// The rules that the offers break by themselves, whatever the response: a server must decline them (RFC 7692 §7.1).
pub(super) fn check_offers(offers: &[String]) -> Vec<Violation> {
    let mut wrong = Vec::new();
    for text in offers {
        let offer = ExtensionOffer::parse(text);
        if !offer.is_well_formed() {
            wrong.push(invalid(format!("offer {} is not in the form of RFC 6455 §9.1", shorten(text))));
        } else if offer.is_deflate() {
            let (_, sentences) = Parameters::read(&offer, ListedIn::Offer);
            wrong.extend(sentences.into_iter().map(|sentence| invalid(format!("offer: {sentence}"))));
        }
    }
    wrong
}

/// The parameters that hold once a server chose `chosen`, and the rules that it breaks. `offers` are the client's, where
/// they were captured.
pub(super) fn negotiate(offers: Option<&[String]>, chosen: &[String]) -> (Negotiated, Vec<Violation>) {
    let offers: Option<Vec<_>> = offers.map(|texts| texts.iter().map(|text| ExtensionOffer::parse(text)).collect());
    let mut negotiated = Negotiated::default();
    let mut wrong = Vec::new();
    for text in chosen {
        let accepted = ExtensionOffer::parse(text);
        let offered = |offers: &Vec<ExtensionOffer<'_>>| offers.iter().any(|offer| offer.name == accepted.name);
        if !offers.as_ref().is_none_or(offered) {
            wrong.push((FindingCode::ExtensionNotOffered, Detail::text(shorten(text))));
        }
        if !accepted.is_well_formed() {
            wrong.push(invalid(format!("{} is not in the form of RFC 6455 §9.1", shorten(text))));
        }
        if !accepted.is_deflate() {
            negotiated.unknown = true;
            continue;
        }
        if negotiated.deflate.is_some() {
            wrong.push(invalid(format!("{PERMESSAGE_DEFLATE} is chosen twice")));
            continue;
        }
        let (deflate, sentences) = agree(offers.as_deref(), &accepted);
        negotiated.deflate = Some(deflate);
        wrong.extend(sentences.into_iter().map(invalid));
    }
    (negotiated, wrong)
}

/// Where parameters stand: some rules differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListedIn {
    Offer,
    Response,
}

/// The parameters of permessage-deflate in one offer or response (RFC 7692 §7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Parameters {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<WindowBits>,
    client_max_window_bits: Option<WindowBits>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WindowBits {
    /// 8 to 15.
    Bits(u8),
    /// No value, or one that is not allowed: no limit can be taken from it.
    Any,
}

impl WindowBits {
    const fn or_15(bits: Option<Self>) -> u8 {
        match bits {
            Some(Self::Bits(bits)) => bits,
            _ => 15,
        }
    }
}

impl Parameters {
    /// The parameters, and what RFC 7692 §7.1 forbids in them. Of a repeated parameter, the first counts.
    fn read(extension: &ExtensionOffer<'_>, listed_in: ListedIn) -> (Self, Vec<String>) {
        let mut parameters = Self::default();
        let mut wrong = Vec::new();
        for (name, value) in &extension.parameters {
            let value = value.as_deref();
            let repeated = match *name {
                "server_no_context_takeover" => core::mem::replace(&mut parameters.server_no_context_takeover, true),
                "client_no_context_takeover" => core::mem::replace(&mut parameters.client_no_context_takeover, true),
                "server_max_window_bits" => set_once(&mut parameters.server_max_window_bits, value),
                "client_max_window_bits" => set_once(&mut parameters.client_max_window_bits, value),
                _ => {
                    // A name that is no token was reported before.
                    if is_token(name.as_bytes()) {
                        wrong.push(format!("unknown parameter {}", shorten(name)));
                    }
                    continue;
                }
            };
            if repeated {
                wrong.push(format!("{name} is repeated"));
            } else if let Some(sentence) = wrong_value(name, value, listed_in) {
                wrong.push(sentence);
            }
        }
        (parameters, wrong)
    }
}

/// Sets the bits unless they are set; true if they were.
fn set_once(bits: &mut Option<WindowBits>, value: Option<&str>) -> bool {
    let repeated = bits.is_some();
    bits.get_or_insert(value.and_then(window_bits).map_or(WindowBits::Any, WindowBits::Bits));
    repeated
}

/// "a decimal integer value without leading zeroes between 8 to 15, inclusive" (RFC 7692 §7.1.2.1, §7.1.2.2)
fn window_bits(value: &str) -> Option<u8> {
    match value {
        "8" => Some(8),
        "9" => Some(9),
        "10" => Some(10),
        "11" => Some(11),
        "12" => Some(12),
        "13" => Some(13),
        "14" => Some(14),
        "15" => Some(15),
        _ => None,
    }
}

fn wrong_value(name: &str, value: Option<&str>, listed_in: ListedIn) -> Option<String> {
    let window = name.ends_with("_max_window_bits");
    match value {
        // RFC 7692 §7.1.2.2: a client may offer the parameter without a value, to show that it supports it.
        None if window && !(listed_in == ListedIn::Offer && name.starts_with("client")) => {
            Some(format!("{name} has no value"))
        }
        Some(value) if window && window_bits(value).is_none() => {
            Some(format!("{name}={}, not 8 to 15", shorten(value)))
        }
        // RFC 7692 §7.1.1: "This parameter has no value."
        Some(value) if !window => Some(format!("{name} has a value, {}", shorten(value))),
        _ => None,
    }
}

/// The parameters that a response sets, as far as it can be understood, and the rules that it breaks: by itself, and against
/// the offer that it fits best.
fn agree(offers: Option<&[ExtensionOffer<'_>]>, response: &ExtensionOffer<'_>) -> (Deflate, Vec<String>) {
    let (chosen, mut wrong) = Parameters::read(response, ListedIn::Response);
    let offered = offers.unwrap_or_default().iter().filter(|offer| offer.is_deflate()).map(|offer| {
        let (offer, declined) = Parameters::read(offer, ListedIn::Offer);
        let mut conflicts = conflicts(&offer, &chosen);
        if !declined.is_empty() {
            // RFC 7692 §7.1: a server must decline an offer with parameters that are unknown, repeated or wrong.
            conflicts.push("it accepts an offer that has to be declined".to_owned());
        }
        (offer, conflicts)
    });
    let best = offered.min_by_key(|(_, conflicts)| conflicts.len());
    let (offer, conflicts) = best.unwrap_or_default();
    wrong.extend(conflicts);
    let deflate = Deflate {
        server_no_context_takeover: chosen.server_no_context_takeover,
        client_no_context_takeover: chosen.client_no_context_takeover,
        server_max_window_bits: WindowBits::or_15(chosen.server_max_window_bits),
        // RFC 7692 §7.1.2.2: a client that offered a value uses no larger window, whatever the response allows.
        client_max_window_bits: WindowBits::or_15(chosen.client_max_window_bits)
            .min(WindowBits::or_15(offer.client_max_window_bits)),
    };
    (deflate, wrong)
}

/// How a response contradicts an offer.
fn conflicts(offer: &Parameters, response: &Parameters) -> Vec<String> {
    let mut wrong = Vec::new();
    // RFC 7692 §7.1.1.1: accepted "by including the "server_no_context_takeover" extension parameter".
    if offer.server_no_context_takeover && !response.server_no_context_takeover {
        wrong.push("server_no_context_takeover was asked for and is not in the answer".to_owned());
    }
    // RFC 7692 §7.1.2.1: accepted by including it "with the same or smaller value as the offer".
    match (offer.server_max_window_bits, response.server_max_window_bits) {
        (Some(WindowBits::Bits(offered)), Some(WindowBits::Bits(bits))) if bits > offered => {
            wrong.push(format!("server_max_window_bits={bits}, more than the {offered} asked for"));
        }
        (Some(_), None) => wrong.push("server_max_window_bits was asked for and is not in the answer".to_owned()),
        _ => {}
    }
    // RFC 7692 §7.1.2.2: without it in the offer, the response "MUST NOT include" it.
    if offer.client_max_window_bits.is_none() && response.client_max_window_bits.is_some() {
        wrong.push("client_max_window_bits is in the answer and not in the offer".to_owned());
    }
    wrong
}

#[cfg(test)]
mod tests;
