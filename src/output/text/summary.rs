//! The block above the reports: the complete capture in a few lines.
//!
//! In: each connection as it ends, and the totals at the end. Out: a block of text. What it keeps is bounded, however many
//! connections there are.

use std::collections::BTreeMap;

use super::style::{Grid, Style, Tone, flowed, section};
use super::units::{bytes, count, counted, micros};
use super::words::{clock_date, wire};
use crate::event::{ClosedTls, Identity, Outcome, Summary, Totals};
use crate::types::FindingCode;

/// Hosts that are counted by name. 4,096 of up to 255 bytes: 1 MiB. Further ones are counted together.
const MAX_HOSTS: usize = 4_096;

/// Hosts that are shown.
const SHOWN_HOSTS: usize = 5;

/// Counts over all connections so far.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    outcomes: [u64; 5],
    handshakes_unseen: u64,
    /// By the status of the response; without one, by 0 and what came in its place: `no answer`.
    failures: BTreeMap<(u16, &'static str), u64>,
    /// By code, in the table's order: how often, and in how many connections.
    findings: BTreeMap<FindingCode, (u64, u64)>,
    hosts: BTreeMap<Box<str>, u64>,
    other_hosts: u64,
    messages: [u64; 2],
    bytes: [u64; 2],
    missing: u64,
}

const OUTCOMES: [Outcome; 5] = [Outcome::Closed, Outcome::Aborted, Outcome::Open, Outcome::Rejected, Outcome::Unknown];

impl Overview {
    /// Counts a connection that is over.
    pub fn add(&mut self, connection: &Identity, summary: &Summary) {
        for (outcome, counted) in OUTCOMES.into_iter().zip(&mut self.outcomes) {
            *counted += u64::from(outcome == summary.outcome);
        }
        self.handshakes_unseen += u64::from(!summary.handshake_seen && summary.outcome != Outcome::Unknown);
        if summary.outcome == Outcome::Rejected {
            let handshake = &summary.handshake;
            let why = handshake.response.as_ref().map_or((0, handshake.instead()), |response| (response.status, ""));
            *self.failures.entry(why).or_default() += 1;
        }
        for found in &summary.findings {
            let (times, connections) = self.findings.entry(found.code()).or_default();
            *times = times.saturating_add(found.count);
            *connections += 1;
        }
        let traffic = [&summary.traffic.to_server, &summary.traffic.to_client];
        for ((messages, bytes), traffic) in self.messages.iter_mut().zip(&mut self.bytes).zip(traffic) {
            *messages = messages.saturating_add(traffic.message_count());
            *bytes = bytes.saturating_add(traffic.bytes);
            self.missing = self.missing.saturating_add(traffic.missing_bytes);
        }
        self.add_host(connection, summary);
    }

    fn add_host(&mut self, connection: &Identity, summary: &Summary) {
        let asked = summary.handshake.request.as_ref().and_then(|request| request.host.as_deref());
        let host = asked.map_or_else(|| connection.server.to_string(), |host| host.chars().take(255).collect());
        let full = self.hosts.len() >= MAX_HOSTS;
        match self.hosts.get_mut(host.as_str()) {
            Some(times) => *times += 1,
            None if full => self.other_hosts += 1,
            None => _ = self.hosts.insert(host.into(), 1),
        }
    }

    fn connections(&self) -> u64 {
        self.outcomes.iter().sum()
    }
}

/// The block of text, which ends with an empty line.
#[must_use]
pub fn render_summary(totals: &Totals, overview: &Overview, style: Style) -> String {
    let mut out = style.paint(Tone::Strong, &headline(totals)).into_owned();
    out.push('\n');
    section(&mut out, style, "websocket", &connection_lines(overview));
    section(&mut out, style, "findings", &finding_lines(overview, style));
    section(&mut out, style, "hosts", &host_lines(overview));
    section(&mut out, style, "also seen", &other_lines(totals));
    out.push('\n');
    out
}

/// `1,204 packets, 1.31 MiB, 2026-11-22 16:19:05.123 UTC, 2 min 02 s`
fn headline(totals: &Totals) -> String {
    let time = totals.time.map_or_else(String::new, |(first, last)| {
        format!(", {} UTC, {}", clock_date(first), micros(last.micros_since(first)))
    });
    format!("{}, {}{time}", counted(totals.packets, "packet", "packets"), bytes(totals.bytes))
}

fn connection_lines(overview: &Overview) -> Vec<String> {
    let all = overview.connections();
    if all == 0 {
        return vec!["no WebSocket connection".to_owned()];
    }
    let mut kinds = Vec::new();
    for (outcome, &times) in OUTCOMES.into_iter().zip(&overview.outcomes) {
        if times > 0 {
            let why = if outcome == Outcome::Rejected { failures(overview) } else { String::new() };
            let word = match outcome {
                Outcome::Rejected => "failed",
                Outcome::Unknown => "encrypted, perhaps WebSocket",
                other => other.as_str(),
            };
            kinds.push(format!("{} {word}{why}", count(times)));
        }
    }
    if overview.handshakes_unseen > 0 {
        kinds.push(format!("{} without handshake", count(overview.handshakes_unseen)));
    }
    let mut lines = vec![format!("{}: {}", counted(all, "connection", "connections"), kinds.join(", "))];
    let [to_server, to_client] = overview.messages;
    if to_server + to_client > 0 {
        let [up, down] = overview.bytes;
        let missing =
            if overview.missing > 0 { format!("   {} missing", bytes(overview.missing)) } else { String::new() };
        lines.push(format!(
            "→ {}, {}   ← {}, {}{missing}",
            counted(to_server, "message", "messages"),
            bytes(up),
            counted(to_client, "message", "messages"),
            bytes(down),
        ));
    }
    lines
}

/// ` (403 ×2, no answer)`
fn failures(overview: &Overview) -> String {
    let shown: Vec<String> = overview
        .failures
        .iter()
        .map(|(&(status, instead), &times)| {
            let name = if status == 0 { instead.to_owned() } else { status.to_string() };
            if times > 1 { format!("{name} ×{}", count(times)) } else { name }
        })
        .collect();
    format!(" ({})", shown.join(", "))
}

fn finding_lines(overview: &Overview, style: Style) -> Vec<String> {
    let mut sorted: Vec<_> = overview.findings.iter().collect();
    sorted.sort_by_key(|(code, _)| core::cmp::Reverse(code.severity()));
    let mut grid = Grid::list(4);
    for (code, (times, connections)) in &sorted {
        let spread = if overview.connections() > 1 {
            format!("in {}", counted(*connections, "connection", "connections"))
        } else {
            String::new()
        };
        let code_text = format!("{:7}  {code}", code.severity());
        grid.row(vec![code_text, format!("×{}", count(*times)), spread, code.reference().to_owned()]);
    }
    sorted
        .iter()
        .zip(grid.lines(style))
        .map(|((code, _), line)| style.paint(Tone::from(code.severity()), &line).into_owned())
        .collect()
}

fn host_lines(overview: &Overview) -> Vec<String> {
    if overview.hosts.len() < 2 {
        return Vec::new();
    }
    let mut hosts: Vec<_> = overview.hosts.iter().collect();
    hosts.sort_by_key(|(_, times)| core::cmp::Reverse(**times));
    let mut shown: Vec<String> = hosts
        .iter()
        .take(SHOWN_HOSTS)
        .map(|(host, times)| format!("{} ×{}", wire(host.as_bytes(), 40), count(**times)))
        .collect();
    let rest = hosts.iter().skip(SHOWN_HOSTS).map(|(_, times)| **times).sum::<u64>() + overview.other_hosts;
    if rest > 0 {
        shown.push(format!("others ×{}", count(rest)));
    }
    flowed(&shown)
}

/// `3 TLS connections stay closed, no secret: ws.example ×2, 10.0.0.1:443`, and what would open them.
fn closed_tls_lines(closed: &[ClosedTls]) -> Vec<String> {
    let mut reasons: Vec<_> = closed.iter().map(|one| (one.why, one.needed)).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let mut lines = Vec::new();
    for (why, needed) in reasons {
        let mut servers: Vec<_> = closed.iter().filter(|one| (one.why, one.needed) == (why, needed)).collect();
        servers.sort_by_key(|one| (one.server.is_empty(), core::cmp::Reverse(one.connections)));
        let all: u64 = servers.iter().map(|one| one.connections).sum();
        let shown = servers.iter().filter(|one| !one.server.is_empty()).take(SHOWN_HOSTS).map(|one| {
            let name = wire(one.server.as_bytes(), 40);
            if one.connections > 1 { format!("{name} ×{}", count(one.connections)) } else { name }
        });
        let mut shown: Vec<String> = shown.collect();
        let named: u64 =
            servers.iter().filter(|one| !one.server.is_empty()).take(SHOWN_HOSTS).map(|one| one.connections).sum();
        if all > named {
            shown.push(format!("others ×{}", count(all - named)));
        }
        let all = counted(all, "TLS connection stays closed", "TLS connections stay closed");
        lines.push(format!("{all}, {why}: {}", shown.join(", ")));
        if let Some(needed) = needed {
            lines.push(format!("  needed: {needed}"));
        }
    }
    lines
}

fn other_lines(totals: &Totals) -> Vec<String> {
    let mut lines = Vec::new();
    let kinds: Vec<String> = [
        (totals.tls_connections, "TLS"),
        (totals.http2_connections, "HTTP/2"),
        (totals.midstream_connections, "mid-stream"),
    ]
    .into_iter()
    .filter(|kind| kind.0 > 0)
    .map(|(value, name)| format!("{} {name}", count(value)))
    .collect();
    if totals.tcp_connections > 0 {
        let all = counted(totals.tcp_connections, "TCP connection", "TCP connections");
        lines.push(if kinds.is_empty() { all } else { format!("{all}, of these {}", kinds.join(", ")) });
    }
    lines.extend(closed_tls_lines(&totals.closed_tls));
    let lost = [
        (totals.cut_packets, "packet cut by the snaplen", "packets cut by the snaplen"),
        (totals.other_packets, "packet without readable TCP", "packets without readable TCP"),
        (totals.lost_datagrams, "incomplete IP datagram", "incomplete IP datagrams"),
        (totals.quic_packets, "QUIC packet (perhaps HTTP/3)", "QUIC packets (perhaps HTTP/3)"),
        (
            totals.evicted_connections,
            "connection dropped because the table was full",
            "connections dropped because the table was full",
        ),
    ];
    if totals.shed_times > 0 || totals.shed_bytes > 0 {
        let times = counted(totals.shed_times, "time", "times");
        let discarded = bytes(totals.shed_bytes);
        lines.push(format!("{discarded} discarded ({times}) because the memory (--max-memory) was spent"));
    }
    let lost = lost.into_iter().filter(|lost| lost.0 > 0).map(|(value, one, many)| counted(value, one, many));
    lines.extend(flowed(&lost.collect::<Vec<_>>()));
    lines
}
