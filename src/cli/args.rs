//! The options as typed. `plan.rs` decides what they mean.

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use wslens::types::{FindingCode, Limits, Unit};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "\
Examples:
  wslens capture.pcapng                          a report of every WebSocket connection
  wslens capture.pcapng --follow=3               the messages of connection 3
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
    Read(Box<ReadArgs>),
    /// Sniff an interface until Ctrl-C, --duration or --packets
    #[cfg(feature = "live")]
    Live(Box<LiveArgs>),
    /// List the interfaces that can be sniffed
    #[cfg(feature = "live")]
    Interfaces,
    /// Explain a finding: what it means, how severe it is, and its clause in the RFCs
    Explain {
        /// A code such as unmasked_client_frame; all of them without one
        #[arg(value_parser = codes(), hide_possible_values = true)]
        code: Option<String>,
    },
    /// Print a completion script
    Completions {
        /// The shell that completes
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
    /// Memory for packets that wait to be read, in the kernel
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "32MiB", help_heading = "Input")]
    pub(super) buffer: u64,
    /// Also packets that are not for this machine
    #[arg(long, help_heading = "Input")]
    pub(super) promiscuous: bool,
    /// Become this user, for good, as soon as the interface is open; outputs are made as that user. Needs root
    #[cfg(unix)]
    #[arg(long, value_name = "NAME", help_heading = "Input")]
    pub(super) user: Option<String>,
    /// Stop after this time: 90, 90s, 15m, 2h
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Input")]
    pub(super) duration: Option<std::time::Duration>,
    /// Stop after this many packets
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
    #[arg(long, value_enum, value_name = "AMOUNT", default_value = "preview", help_heading = "Tables")]
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
    /// Workers; the output is the same for every N, unless a limit is reached, of which each has its share. A live capture
    /// has one
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=256),
        default_value_t = 1,
        help_heading = "Limits"
    )]
    pub(super) threads: u16,
    /// Keep at most this much of a message's content, after inflation; longer ones are counted to their end
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "64MiB", help_heading = "Limits")]
    pub(super) max_message: u64,
    /// Report messages that inflate to more than this many times their size
    #[arg(long, value_name = "RATIO", default_value_t = 200, help_heading = "Limits")]
    pub(super) max_ratio: u64,
    /// Bound on reassembly, message buffers and all else that is kept for connections, together
    #[arg(long, value_name = "SIZE", value_parser = memory, default_value = "512MiB", help_heading = "Limits")]
    pub(super) max_memory: u64,
    /// Change any limit, such as max_head_bytes=16KiB; as often as needed. `--limit help` lists them all
    #[arg(long, value_name = "NAME=VALUE", value_parser = limit, help_heading = "Limits")]
    pub(super) limit: Vec<(&'static str, u64)>,
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

/// The codes of findings, so that shells complete them and an error for a wrong one suggests the nearest.
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
    let (integer, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let number = |text: &str| text.parse::<u64>().map_err(|_| "not a number of bytes, such as 64MiB".to_owned());
    let tenth = number(fraction.get(..1).unwrap_or("0"))?;
    let too_large = || "too large".to_owned();
    let bytes = number(integer)?.checked_mul(factor).ok_or_else(too_large)?;
    bytes.checked_add(factor / 10 * tenth).ok_or_else(too_large)
}

/// The size of `--max-memory`, at least the least value of its limit.
fn memory(text: &str) -> Result<u64, String> {
    limit(&format!("max_memory_bytes={text}")).map(|(_, bytes)| bytes)
}

/// A limit and its value, in the limit's unit: max_head_bytes=16KiB, idle_secs=10m.
fn limit(text: &str) -> Result<(&'static str, u64), String> {
    let (name, value) = text.split_once('=').ok_or("not NAME=VALUE; `--limit help` lists them all")?;
    let name = name.trim();
    let limit =
        Limits::find(name).ok_or_else(|| format!("no limit is named {name:?}; `--limit help` lists them all"))?;
    let value = value.trim();
    let number = match limit.unit {
        Unit::Bytes => size(value)?,
        Unit::Seconds => millis(value, 1_000)? / 1_000,
        Unit::Milliseconds => millis(value, 1)?,
        Unit::Count | Unit::Ratio => value.parse().map_err(|_| "not a number".to_owned())?,
    };
    if number < limit.least {
        return Err(format!("it is at least {}", limit.least));
    }
    Ok((limit.name, number))
}

/// Whether `--limit help` was typed, with whatever else.
pub(super) fn asks_for_limits(args: &[std::ffi::OsString]) -> bool {
    let pairs = args.iter().zip(args.iter().skip(1));
    let before = |arg: &&std::ffi::OsString| arg.as_os_str() != "--";
    args.iter().take_while(before).any(|arg| arg == "--limit=help")
        || pairs.take_while(|(arg, _)| before(arg)).any(|(arg, value)| arg == "--limit" && value == "help")
}

/// A time: 90, 90s, 500ms, 15m, 2h.
#[cfg(feature = "live")]
fn duration(text: &str) -> Result<std::time::Duration, String> {
    millis(text, 1_000).map(std::time::Duration::from_millis)
}

/// A time in milliseconds; without a unit, in units of so many.
fn millis(text: &str, plain: u64) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(|_| "not a time, such as 90s".to_owned())?;
    let millis: u64 = match text.strip_prefix(digits).unwrap_or_default() {
        "" => plain,
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        unit => return Err(format!("unknown unit {unit:?}: use ms, s, m or h")),
    };
    number.checked_mul(millis).ok_or_else(|| "too large".to_owned())
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

    #[test]
    fn limits_have_the_units_of_their_names() {
        assert_eq!(limit("max_head_bytes=16KiB"), Ok(("max_head_bytes", 16 << 10)));
        assert_eq!(limit("idle_secs=10m"), Ok(("idle_secs", 600)));
        assert_eq!(limit("idle_secs=10"), Ok(("idle_secs", 10)));
        assert_eq!(limit("hole_silence_ms = 2s"), Ok(("hole_silence_ms", 2_000)));
        assert_eq!(limit("ack_tolerance_ms=20"), Ok(("ack_tolerance_ms", 20)));
        assert_eq!(limit("max_pings=9"), Ok(("max_pings", 9)));
        let wrong =
            ["max_pings", "max_pings=x", "max_pings=1KiB", "max_pigs=1", "max_connections=0", "idle_secs=500ms"];
        for text in wrong {
            assert!(limit(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_list_of_limits_needs_no_file() {
        let asks = |args: &[&str]| asks_for_limits(&args.iter().map(Into::into).collect::<Vec<_>>());
        assert!(asks(&["wslens", "--limit", "help"]) && asks(&["wslens", "read", "x.pcap", "--limit=help"]));
        assert!(!asks(&["wslens", "--", "--limit", "help"]) && !asks(&["wslens", "help", "--limit"]));
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
