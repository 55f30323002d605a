//! The report of one connection.
//!
//! In: the summary that [`What::Closed`](crate::event::What::Closed) carries. Out: a verdict line, then sections in the order in
//! which an expert asks: endpoints, handshake, completeness of the capture, traffic, times, end, findings. A section without a
//! line is left out.

use super::http2::http2_lines;
use super::style::{Grid, Style, Tone, flowed, section, wrapped};
use super::traffic::{capture_lines, traffic_sections};
use super::units::{count, counted, micros};
use super::verdict::{first_close, tcp_end, verdict};
use super::words::{arrow, clock, close_code_text, wire};
use crate::event::{CloseSent, FindingCount, Identity, Outcome, Summary};
use crate::output::columns::handshake_us;
use crate::output::community_id::community_id;
use crate::output::redact::Secrets;
use crate::types::{Direction, Finding, FindingCode};
use crate::websocket::{AcceptCheck, Deflate, Handshake, Request, Response};

/// Characters of a text from the wire that a line shows; tables have all of it.
const LONG: usize = 160;
const SHORT: usize = 84;

/// The report of one connection, which ends with an empty line.
#[must_use]
pub fn render_connection(connection: &Identity, summary: &Summary, secrets: Secrets, style: Style) -> String {
    let mut out = verdict(connection, summary, style);
    out.push('\n');
    section(&mut out, style, "", &identity_lines(connection, summary, secrets));
    section(&mut out, style, "tls", &tls_lines(summary));
    section(&mut out, style, "handshake", &handshake_lines(summary, secrets));
    section(&mut out, style, "http/2", &http2_lines(summary));
    section(&mut out, style, "capture", &capture_lines(summary));
    traffic_sections(&mut out, style, summary);
    section(&mut out, style, "pings", &ping_lines(summary));
    section(&mut out, style, "close", &close_lines(summary));
    section(&mut out, style, "findings", &finding_lines(&summary.findings, secrets, style));
    out.push('\n');
    out
}

/// `ws://host/target`; the server's address where the host is not known.
pub(crate) fn url(connection: &Identity, request: &Request, secrets: Secrets) -> String {
    let target = secrets.target(&request.target);
    let target = wire(target.as_bytes(), LONG);
    if ["ws://", "wss://", "http://", "https://"].iter().any(|scheme| target.starts_with(scheme)) {
        return target;
    }
    let host = request.host.as_ref().map_or_else(|| connection.server.to_string(), |host| wire(host.as_bytes(), SHORT));
    let scheme = if connection.tls { "wss" } else { "ws" };
    format!("{scheme}://{host}{target}")
}

fn identity_lines(connection: &Identity, summary: &Summary, secrets: Secrets) -> Vec<String> {
    let mut lines = Vec::new();
    let request = summary.handshake.request.as_ref();
    lines.extend(request.map(|request| url(connection, request, secrets)));
    let stream = connection.stream_id.map_or_else(String::new, |id| format!(", HTTP/2 stream {id}"));
    let tcp = connection.tcp_stream.map_or_else(String::new, |number| format!("   tcp.stream {number}"));
    lines.push(format!(
        "{} → {}   {} UTC{tcp}{stream}   packets {}–{}",
        connection.client,
        connection.server,
        clock(connection.first.at),
        connection.first.packet,
        summary.last.packet,
    ));
    lines.push(format!("uid {}   community {}", connection.uid, community_id(connection.client, connection.server)));
    let response = summary.handshake.response.as_ref();
    let fields = [
        ("origin", request.and_then(|request| request.origin.as_ref())),
        ("user agent", request.and_then(|request| request.user_agent.as_ref())),
        ("server", response.and_then(|response| response.server.as_ref())),
        ("via", request.and_then(|request| request.via.as_ref())),
    ];
    lines.extend(
        fields.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", wire(value?.as_bytes(), LONG)))),
    );
    lines
}

/// `TLSv1.3`, `TLS_AES_128_GCM_SHA256`, `server name ws.example`, `ALPN http/1.1`, `handshake 3.10 ms`
fn tls_lines(summary: &Summary) -> Vec<String> {
    let Some(tls) = &summary.tls else { return Vec::new() };
    let mut parts: Vec<String> = Vec::new();
    parts.extend(tls.version_name().map(str::to_owned));
    parts.extend(tls.suite.map(|suite| tls.suite_name().map_or_else(|| format!("suite 0x{suite:04x}"), str::to_owned)));
    parts.extend(tls.server_name.as_ref().map(|name| format!("server name {}", wire(name.as_bytes(), SHORT))));
    match (&tls.alpn, tls.offered.as_slice()) {
        (Some(name), _) => parts.push(format!("ALPN {}", wire(name.as_bytes(), 40))),
        (None, []) => {}
        (None, offered) => {
            let names: Vec<_> = offered.iter().map(|name| wire(name.as_bytes(), 40)).collect();
            parts.push(format!("ALPN none, offered: {}", names.join(", ")));
        }
    }
    if tls.resumed {
        parts.push("resumed".to_owned());
    }
    parts.extend(tls.handshake_us().map(|us| format!("handshake {}", micros(us))));
    flowed(&parts)
}

/// `TLS: close_notify by the client, packet 40; none by the server`
fn close_notify_line(summary: &Summary) -> Option<String> {
    let tls = summary.tls.as_ref().filter(|_| summary.outcome != Outcome::Unknown)?;
    tcp_end(summary)?;
    let side = |direction: Direction| {
        let sender = direction.sender();
        match tls.close_notify.get(direction) {
            Some(seen) => format!("close_notify by the {sender}, packet {}", seen.packet),
            None => format!("no close_notify by the {sender}"),
        }
    };
    Some(format!("TLS: {}; {}", side(Direction::ToServer), side(Direction::ToClient)))
}

fn handshake_lines(summary: &Summary, secrets: Secrets) -> Vec<String> {
    let handshake = &summary.handshake;
    let mut lines = Vec::new();
    lines.extend(flowed(&status_parts(summary)));
    let request = handshake.request.as_ref();
    let secret: Vec<String> = [
        request.filter(|request| request.cookie).map(|_| "cookies".to_owned()),
        request
            .and_then(|request| request.authorization.as_ref())
            .map(|scheme| format!("Authorization: {}", wire(scheme.as_bytes(), 20))),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !secret.is_empty() {
        lines.push(format!("sent {} (never kept)", secret.join(" and ")));
    }
    if let Some(location) = handshake.response.as_ref().and_then(|response| response.location.as_ref()) {
        lines.push(format!("Location: {}", wire(secrets.target(location).as_bytes(), LONG)));
    }
    lines.extend(subprotocol_line(handshake, secrets));
    lines.extend(extension_lines(handshake));
    lines
}

/// `101 Switching Protocols in 2.10 ms`, `TCP handshake 810 µs`, `version 13`, `accept valid`
fn status_parts(summary: &Summary) -> Vec<String> {
    let handshake = &summary.handshake;
    let mut parts = Vec::new();
    match (&handshake.request, &handshake.response) {
        (_, Some(response)) => {
            let via = if summary.http2.is_some() { " via HTTP/2" } else { "" };
            parts.push(answer(response, handshake_us(summary)) + via);
        }
        (Some(_), None) if summary.outcome == Outcome::Rejected => parts.push(handshake.instead().to_owned()),
        (Some(_), None) => parts.push("the response was not captured".to_owned()),
        (None, None) => return parts,
    }
    parts.extend(summary.tcp_handshake_us.map(|us| format!("TCP handshake {}", micros(us))));
    if let Some(request) = &handshake.request {
        // CONNECT is what HTTP/2 has in its place (RFC 8441 §4).
        let usual = request.method == "GET" && request.http_minor == 1 || request.method == "CONNECT";
        if !usual {
            parts.push(format!("{} HTTP/1.{}", wire(request.method.as_bytes(), 20), request.http_minor));
        }
        parts.extend(request.version.as_ref().map(|version| format!("version {}", wire(version.as_bytes(), 20))));
    }
    let speaks = handshake.response.as_ref().and_then(|response| response.version.as_ref());
    parts.extend(speaks.map(|version| format!("server speaks version {}", wire(version.as_bytes(), 20))));
    match handshake.accept {
        AcceptCheck::Unknown => {}
        AcceptCheck::Valid => parts.push("accept valid".to_owned()),
        AcceptCheck::Mismatch => parts.push("accept WRONG".to_owned()),
        AcceptCheck::Missing => parts.push("accept MISSING".to_owned()),
    }
    parts
}

fn answer(response: &Response, us: Option<u64>) -> String {
    let reason = wire(response.reason.as_bytes(), 60);
    let time = us.map_or_else(String::new, |us| format!(" in {}", micros(us)));
    let space = if reason.is_empty() { "" } else { " " };
    format!("{}{space}{reason}{time}", response.status)
}

/// `sub-protocol  chat.v1, of chat.v1 · chat.v2`
fn subprotocol_line(handshake: &Handshake, secrets: Secrets) -> Option<String> {
    let offered = handshake.request.as_ref().map_or(&[][..], |request| &request.subprotocols);
    let chosen = handshake.response.as_ref().and_then(|response| response.subprotocol.as_ref());
    if offered.is_empty() && chosen.is_none() {
        return None;
    }
    let mut before = None;
    let names: Vec<String> = offered
        .iter()
        .map(|name| {
            let safe = secrets.subprotocol(name, before);
            before = Some(name.as_str());
            wire(safe.as_bytes(), SHORT)
        })
        .collect();
    let chosen = chosen.map_or_else(|| "none".to_owned(), |name| wire(secrets.chosen(name, offered).as_bytes(), SHORT));
    let offers = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Some(if chosen == offers {
        format!("sub-protocol {chosen}")
    } else {
        format!("sub-protocol {chosen}, offered: {offers}")
    })
}

fn extension_lines(handshake: &Handshake) -> Vec<String> {
    let shown = |list: &[String]| list.iter().map(|one| wire(one.as_bytes(), SHORT)).collect::<Vec<_>>().join(", ");
    let offered = handshake.request.as_ref().map_or_else(String::new, |request| shown(&request.extensions));
    let chosen = handshake.response.as_ref().map_or_else(String::new, |response| shown(&response.extensions));
    if chosen.is_empty() && handshake.negotiated.deflate.is_some() {
        return vec!["extensions not captured: RSV1 is taken for permessage-deflate".to_owned()];
    }
    let mut lines = Vec::new();
    match (offered.is_empty(), chosen.is_empty()) {
        (true, true) => {}
        (false, true) => lines.push(format!("extensions none, offered: {offered}")),
        (_, false) if offered == chosen => lines.push(format!("extensions {chosen}")),
        (true, false) if handshake.request.is_none() => lines.push(format!("extensions {chosen}")),
        (true, false) => lines.push(format!("extensions {chosen}, offered: none")),
        (false, false) => {
            lines.push(format!("extensions {chosen}"));
            lines.push(format!("  offered: {offered}"));
        }
    }
    if let Some(deflate) = &handshake.negotiated.deflate {
        let side = |direction| deflate_side(deflate, direction);
        lines.push(format!("  deflate → {}; ← {}", side(Direction::ToServer), side(Direction::ToClient)));
    }
    lines
}

/// How permessage-deflate limits the compressor of one side (RFC 7692 §7.1).
fn deflate_side(deflate: &Deflate, direction: Direction) -> String {
    let window = 1_u32.checked_shl(deflate.max_window_bits(direction).into()).unwrap_or(0);
    let window = if window < 1024 { format!("{window} B") } else { format!("{} KiB", window / 1024) };
    let takeover = if deflate.no_context_takeover(direction) { "each message on its own" } else { "context kept" };
    format!("{window} window, {takeover}")
}

fn ping_lines(summary: &Summary) -> Vec<String> {
    let found = |code| summary.findings.iter().find(|found| found.code() == code).map_or(0, |found| found.count);
    let rtts = &summary.ping_rtts_us;
    let mut parts = Vec::new();
    if let (Some(min), Some(mean), Some(max)) = (rtts.min(), rtts.mean(), rtts.max()) {
        let times = if rtts.count() == 1 {
            format!("round trip {}", micros(mean))
        } else {
            format!("round trip {} min, {} avg, {} max", micros(min), micros(mean), micros(max))
        };
        parts.push(format!("{} answered, {times}", count(rtts.count())));
    }
    let (unanswered, unsolicited) = (found(FindingCode::UnansweredPing), found(FindingCode::UnsolicitedPong));
    if unanswered > 0 {
        parts.push(format!("{} unanswered", count(unanswered)));
    }
    if unsolicited > 0 {
        parts.push(counted(unsolicited, "Pong to no Ping", "Pongs to no Ping"));
    }
    if parts.is_empty() { Vec::new() } else { vec![parts.join(", ")] }
}

fn close_lines(summary: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    let first = first_close(summary);
    if let Some((direction, close)) = first {
        lines.push(close_line(direction, close, ""));
        if let Some(echo) = summary.closes.get(direction.reverse()) {
            let after = format!(", {} later", micros(echo.seen.at.micros_since(close.seen.at)));
            lines.push(close_line(direction.reverse(), echo, &after));
        }
    }
    if let Some((how, seen)) = tcp_end(summary) {
        let after = first.map_or_else(String::new, |(_, close)| {
            format!(", {} after the first Close", micros(seen.at.micros_since(close.seen.at)))
        });
        let what = if summary.http2.is_some() { "stream" } else { "TCP" };
        lines.push(format!("{what}: {how}, packet {}{after}", seen.packet));
    }
    lines.extend(close_notify_line(summary));
    lines
}

fn close_line(direction: Direction, close: &CloseSent, after: &str) -> String {
    let code = close.code.map_or_else(|| "without status code".to_owned(), close_code_text);
    let reason = if close.reason.is_empty() { String::new() } else { format!(" \"{}\"", wire(&close.reason, 123)) };
    format!("{}: {code}{reason}, packet {}{after}", direction.sender(), close.seen.packet)
}

/// Findings, the worst first; each with the sentence of its code and the particulars of the first of them.
fn finding_lines(findings: &[FindingCount], secrets: Secrets, style: Style) -> Vec<String> {
    let mut sorted: Vec<&FindingCount> = findings.iter().collect();
    sorted.sort_by_key(|found| core::cmp::Reverse(found.code().severity()));
    let mut grid = Grid::list(4);
    for found in &sorted {
        let times = if found.count > 1 { format!("×{}", count(found.count)) } else { String::new() };
        grid.row(vec![
            format!("{:7}  {}", found.code().severity(), found.code()),
            times,
            place(&found.first, found.count > 1),
            found.code().reference().to_owned(),
        ]);
    }
    let mut lines = Vec::new();
    for (found, line) in sorted.iter().zip(grid.lines(style)) {
        lines.push(style.paint(Tone::from(found.code().severity()), &line).into_owned());
        lines.extend(wrapped(&explanation(&found.first, secrets)).into_iter().map(|line| format!("         {line}")));
    }
    lines
}

/// `packet 42, frame 17 →`
fn place(finding: &Finding, first: bool) -> String {
    let mut text = format!("{}packet {}", if first { "first in " } else { "" }, finding.seen.packet);
    if let Some(frame) = finding.frame {
        text += &format!(", frame {frame}");
    }
    if let Some(direction) = finding.direction {
        text += &format!(" {}", arrow(direction));
    }
    text
}

/// The sentence of the code, and the particulars.
pub(crate) fn explanation(finding: &Finding, secrets: Secrets) -> String {
    let detail = finding.detail.to_string();
    let sentence = finding.code.explanation().sentence;
    if detail.is_empty() {
        return sentence.to_owned();
    }
    format!("{}: {}", sentence.trim_end_matches('.'), wire(secrets.sentence(&detail).as_bytes(), LONG))
}
