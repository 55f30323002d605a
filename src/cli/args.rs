//! What was typed. What it means is for `plan.rs`.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use wslens::ground::FindingCode;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "\
Examples:
  wslens capture.pcapng                          a report of every WebSocket connection
  wslens capture.pcapng --follow=3               what was said on connection 3
  wslens ring-*.pcap.gz --frames frames.csv      one row a frame; several files are one capture
  wslens read ci.pcap --fail-on error            exit status 1 if anything broke an RFC
  sudo wslens live eth0 --bpf 'port 8080'        sniff

Exit status: 0 done, 1 --fail-on was met, 2 wrong usage, unreadable input or unwritable output.";

/// See every WebSocket conversation in a packet capture or on a network interface.
#[derive(Debug, Parser)]
#[command(name = "wslens", version, styles = STYLES, after_help = AFTER_HELP, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true, infer_long_args = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read capture files: pcap or pcapng, plain or compressed with gzip or zstd. `wslens FILE...` is the same
    Read(ReadArgs),
    /// Sniff an interface until Ctrl-C, --duration or --packets
    #[cfg(feature = "live")]
    Live(LiveArgs),
    /// List the interfaces that can be sniffed
    #[cfg(feature = "live")]
    Interfaces,
    /// Say what a finding means, how severe it is, and which clause is behind it
    Explain {
        /// A code such as unmasked_client_frame; all of them without one
        #[arg(value_parser = codes(), hide_possible_values = true)]
        code: Option<String>,
    },
    /// Print a completion script
    Completions {
        /// The shell that is to complete
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

#[derive(Debug, Args)]
pub(super) struct ReadArgs {
    /// Capture files, oldest first; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Only packets that match, in pcap-filter syntax
    #[cfg(feature = "live")]
    #[arg(long, value_name = "EXPR", help_heading = "Input")]
    pub(super) bpf: Option<String>,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

#[cfg(feature = "live")]
#[derive(Debug, Args)]
pub(super) struct LiveArgs {
    /// The interface, as `wslens interfaces` names it
    #[arg(value_name = "INTERFACE")]
    pub(super) interface: String,
    /// Only packets that match, in pcap-filter syntax
    #[arg(long, value_name = "EXPR", help_heading = "Input")]
    pub(super) bpf: Option<String>,
    /// Bytes of each packet that are captured
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "256KiB", help_heading = "Input")]
    pub(super) snaplen: u64,
    /// Room for packets that wait to be read, in the kernel
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "32MiB", help_heading = "Input")]
    pub(super) buffer: u64,
    /// Also packets that are not for this machine
    #[arg(long, help_heading = "Input")]
    pub(super) promiscuous: bool,
    /// Become this user, for good, as soon as the interface is open; outputs are made as that user. Needs root
    #[cfg(unix)]
    #[arg(long, value_name = "NAME", help_heading = "Input")]
    pub(super) user: Option<String>,
    /// Stop after so long: 90, 90s, 15m, 2h
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Input")]
    pub(super) duration: Option<std::time::Duration>,
    /// Stop after so many packets
    #[arg(long, value_name = "N", help_heading = "Input")]
    pub(super) packets: Option<u64>,
    #[command(flatten)]
    pub(super) common: CommonArgs,
}

#[derive(Debug, Args)]
pub(super) struct CommonArgs {
    /// What goes to standard output; `json` is one object per connection, a line each [default: text]
    #[arg(long, value_enum, value_name = "KIND", hide_possible_values = false, help_heading = "Output")]
    pub(super) report: Option<ReportKind>,
    /// Print messages as a conversation instead of reports; of one connection where ID is given
    #[arg(long, value_name = "ID", num_args = 0..=1, require_equals = true, default_missing_value = "", help_heading = "Output")]
    pub(super) follow: Option<String>,
    /// Write one row per connection; .csv or .ndjson, `-` is standard output
    #[arg(long, value_name = "PATH", help_heading = "Tables")]
    pub(super) connections: Option<PathBuf>,
    /// Write one row per frame
    #[arg(long, value_name = "PATH", help_heading = "Tables")]
    pub(super) frames: Option<PathBuf>,
    /// Write one row per message
    #[arg(long, value_name = "PATH", help_heading = "Tables")]
    pub(super) messages: Option<PathBuf>,
    /// Write one row per finding
    #[arg(long, value_name = "PATH", help_heading = "Tables")]
    pub(super) findings: Option<PathBuf>,
    /// The tables' format, whatever their names end in
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Tables")]
    pub(super) format: Option<FormatKind>,
    /// How much payload goes into tables; a preview is 64 bytes, escaped
    #[arg(long, value_enum, value_name = "MUCH", default_value = "preview", help_heading = "Tables")]
    pub(super) payload: PayloadKind,
    /// A name for this input in every table
    #[arg(long, value_name = "LABEL", default_value = "", hide_default_value = true, help_heading = "Tables")]
    pub(super) capture: String,
    /// Exit with 1 when a finding of that severity or worse was made
    #[arg(long, value_enum, value_name = "SEVERITY", help_heading = "Output")]
    pub(super) fail_on: Option<SeverityKind>,
    /// Do not redact tokens and credentials
    #[arg(long, help_heading = "Output")]
    pub(super) show_secrets: bool,
    /// When to use colours
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub(super) color: ColorKind,
    /// TLS secrets in NSS key log format; without FILE, those of SSLKEYLOGFILE. Secrets in a pcapng are used without asking
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "", help_heading = "Input")]
    pub(super) keylog: Option<PathBuf>,
    /// Also list TLS connections that stay closed, though nothing hints at WebSocket in them
    #[arg(long, help_heading = "Output")]
    pub(super) tls: bool,
    /// Whether to look for WebSockets in connections whose handshake was not captured
    #[arg(long, value_enum, value_name = "WHETHER", default_value = "on", help_heading = "Input")]
    pub(super) mid_stream: Switch,
    /// Keep at most so much of one message's content, after inflation; longer ones are counted to their end
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "64MiB", help_heading = "Limits")]
    pub(super) max_message: u64,
    /// Report messages that inflate to more than so many times their size
    #[arg(long, value_name = "RATIO", default_value_t = 200, help_heading = "Limits")]
    pub(super) max_ratio: u64,
    /// Bound on reassembly and message buffers together
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "512MiB", help_heading = "Limits")]
    pub(super) max_memory: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportKind {
    Text,
    Json,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FormatKind {
    Csv,
    Ndjson,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum PayloadKind {
    None,
    Preview,
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SeverityKind {
    Error,
    Warning,
    Note,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorKind {
    Auto,
    Always,
    Never,
}

/// Words that are commands; anything else in their place is a file.
const COMMANDS: [&str; 12] =
    ["read", "live", "interfaces", "explain", "completions", "man", "help", "-h", "--help", "-V", "--version", "--"];

/// `wslens FILE...` is `wslens read FILE...`.
pub(super) fn with_default_command(args: impl Iterator<Item = std::ffi::OsString>) -> Vec<std::ffi::OsString> {
    let mut args: Vec<_> = args.collect();
    let first = args.get(1).map(|arg| arg.to_string_lossy().into_owned());
    if first.is_some_and(|first| first == "--" || !COMMANDS.contains(&first.as_str())) {
        args.insert(1, "read".into());
    }
    args
}

/// The codes of findings, so that shells complete them and a slip of the hand is told the nearest.
fn codes() -> clap::builder::PossibleValuesParser {
    FindingCode::ALL.map(FindingCode::as_str).into()
}

/// A number of bytes: 4096, 64K, 64KiB, 64 KiB, 1.5G.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.strip_prefix(digits).unwrap_or_default().to_ascii_lowercase();
    let digits = digits.trim_end();
    let factor: u64 = match unit.as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return Err(format!("unknown unit {unit:?}: use K, M or G")),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let number = |text: &str| text.parse::<u64>().map_err(|_| "not a number of bytes, such as 64MiB".to_owned());
    let tenth = number(fraction.get(..1).unwrap_or("0"))?;
    let too_large = || "too large".to_owned();
    let bytes = number(whole)?.checked_mul(factor).ok_or_else(too_large)?;
    bytes.checked_add(factor / 10 * tenth).ok_or_else(too_large)
}

/// A time: 90, 90s, 500ms, 15m, 2h.
#[cfg(feature = "live")]
fn duration(text: &str) -> Result<std::time::Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| "not a time, such as 90s".to_owned())?;
    let millis: u64 = match text.strip_prefix(digits).unwrap_or_default() {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        unit => return Err(format!("unknown unit {unit:?}: use ms, s, m or h")),
    };
    number.checked_mul(millis).map(std::time::Duration::from_millis).ok_or_else(|| "too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_file_in_place_of_a_command_is_read() {
        let parsed = |args: &[&str]| with_default_command(args.iter().map(Into::into));
        assert_eq!(parsed(&["wslens", "a.pcap", "-x"]), ["wslens", "read", "a.pcap", "-x"]);
        assert_eq!(parsed(&["wslens", "--report", "json", "-"]), ["wslens", "read", "--report", "json", "-"]);
        assert_eq!(parsed(&["wslens", "explain"]), ["wslens", "explain"]);
        assert_eq!(parsed(&["wslens", "--", "read"]), ["wslens", "read", "--", "read"]);
        assert_eq!(parsed(&["wslens", "--help"]), ["wslens", "--help"]);
        assert_eq!(parsed(&["wslens"]), ["wslens"]);
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("64KiB"), Ok(64 << 10));
        assert_eq!(size("64 KiB"), Ok(64 << 10));
        assert_eq!(size("1.5g"), Ok((1 << 30) + (1 << 30) / 10 * 5));
        assert!(
            size("12 parsec").is_err() && size("").is_err() && size("99999999999G").is_err() && size("-1").is_err()
        );
    }

    #[cfg(feature = "live")]
    #[test]
    fn times_have_units() {
        assert_eq!(duration("90").unwrap().as_secs(), 90);
        assert_eq!(duration("500ms").unwrap().as_millis(), 500);
        assert_eq!(duration("2h").unwrap().as_secs(), 7200);
        assert!(duration("soon").is_err() && duration("1d").is_err());
    }
}
