//! Each limit once: the field with its documentation, its default, its unit and its least value.
//!
//! The documentation of a field gives the limit's purpose, the reason for its default, and its cost; `--limit help`
//! and `docs/limits.md` print the same words ([`Limits::ALL`]).

/// One limit: its name, its unit, its purpose.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// The field's name, which ends in its unit: `max_head_bytes`.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// The least value that makes sense.
    pub least: u64,
    /// Its purpose, the reason for its default, and what it costs.
    pub text: &'static str,
    get: fn(&Limits) -> u64,
    set: fn(&mut Limits, u64),
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Things.
    Count,
    /// A ratio to 1.
    Ratio,
    /// Seconds of the capture's clock.
    Seconds,
    /// Milliseconds of the capture's clock.
    Milliseconds,
}

impl Limit {
    /// Its value in `limits`.
    #[must_use]
    pub fn get(&self, limits: &Limits) -> u64 {
        (self.get)(limits)
    }

    /// Changes it in `limits`; a value below [`Self::least`] becomes that.
    pub fn set(&self, limits: &mut Limits, value: u64) {
        (self.set)(limits, value.max(self.least));
    }
}

/// The type of a limit's field.
trait Number: Copy {
    fn to(self) -> u64;
    fn from(value: u64) -> Self;
}

impl Number for u64 {
    fn to(self) -> u64 {
        self
    }
    fn from(value: u64) -> Self {
        value
    }
}

impl Number for usize {
    fn to(self) -> u64 {
        self as u64
    }
    fn from(value: u64) -> Self {
        Self::try_from(value).unwrap_or(Self::MAX)
    }
}

impl Number for u32 {
    fn to(self) -> u64 {
        self.into()
    }
    fn from(value: u64) -> Self {
        Self::try_from(value).unwrap_or(Self::MAX)
    }
}

/// Writes each limit once: as a field with its documentation, as its default, and as a row of [`Limits::ALL`].
macro_rules! limits {
    ($($(#[doc = $text:literal])+ $name:ident: $type:ty = $default:expr, $unit:ident, least $least:expr;)+) => {
        /// What an analysis may keep. Each field names its unit.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Limits {
            $($(#[doc = $text])+ pub $name: $type,)+
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Limits {
            /// All of them, in the order of the fields.
            pub const ALL: &'static [Limit] = &[$(Limit {
                name: stringify!($name),
                unit: Unit::$unit,
                least: $least,
                text: concat!($($text),+),
                get: |limits| Number::to(limits.$name),
                set: |limits, value| limits.$name = Number::from(value),
            },)+];
        }
    };
}

limits! {
    /// Everything that is kept for all connections together (`--max-memory`): entries of the table, early segments, HTTP
    /// heads, bytes that wait for a 101, bytes in which a frame boundary is searched, open messages, inflaters and their
    /// contexts, IP fragments, waiting rows and reports. When it is spent, the bytes of least worth are discarded first, and
    /// counted. Default 512 MiB: a tenth of a sensor's memory. Costs as much.
    max_memory_bytes: usize = 512 << 20, Bytes, least 1 << 20;
    /// Bytes of one message that are kept for outputs (`--max-message`), counted after inflation; longer messages are
    /// decoded and counted to their end. Default 64 MiB: no browser sends more in one. Costs as much for each message of
    /// more than one packet that is being received, where an output wants full content.
    max_message_bytes: u64 = 64 << 20, Bytes, least 0;
    /// How many bytes an inflated message may have for each byte of its compressed payload before `inflate_ratio` is
    /// reported (`--max-ratio`), once it is longer than `min_ratio_bytes`. Default 200: text reaches 10 to 30. Costs nothing.
    max_inflate_ratio: u64 = 200, Ratio, least 1;
    /// Inflated messages up to this many bytes are never reported as a bomb. Default 1 MiB: they do no harm. Costs nothing.
    min_ratio_bytes: u64 = 1 << 20, Bytes, least 0;
    /// Live inflaters; further connections keep their last 32 KiB and borrow one for each message. Default 256: as many
    /// messages are seldom under way at once. Costs 48 KiB each, up to 96 KiB with a small window.
    max_inflaters: usize = 256, Count, least 1;
    /// Bytes of segments that came too early, in one direction of one connection; beyond, the gap before them is not waited
    /// for. Default 4 MiB, a large receive window. Costs as much while there is a gap.
    max_held_bytes: usize = 4 << 20, Bytes, least 0;
    /// Segments that came too early, in one direction of one connection. Default 4096: 4 MiB of a kilobyte each. Costs 96
    /// bytes each, and bounds the time for sorting them in.
    max_held_segments: usize = 4096, Count, least 0;
    /// Delivered bytes that are kept until they are acknowledged, to be compared with retransmissions, for each direction of
    /// a connection that is analysed. Default 64 KiB, an ordinary window. Costs as much at most.
    max_unacked_bytes: usize = 64 << 10, Bytes, least 0;
    /// Delivered and acknowledged bytes that are kept for the same reason. Default 2 KiB: the last packet. Costs as much
    /// for each direction of a connection that is analysed.
    max_acked_bytes: usize = 2 << 10, Bytes, least 0;
    /// Connections in the table. Those that are over are removed first, then those that are not analysed, then those without
    /// a byte, then the one that was silent longest; WebSockets last. Default 1 Mi, and no more than fill a quarter of
    /// `max_memory_bytes`. Costs 76 bytes each, 64 more while they open.
    max_connections: usize = 1 << 20, Count, least 1;
    /// Silence after which a connection without WebSocket is forgotten. Default 300, longer than servers keep an idle
    /// connection. Costs the entries of connections whose end was not captured.
    idle_secs: u64 = 300, Seconds, least 1;
    /// Silence after which a WebSocket connection is forgotten. Default 86,400: some send once a day. Costs about 3 KiB
    /// for each whose end was not captured.
    websocket_idle_secs: u64 = 86_400, Seconds, least 1;
    /// How long bytes may come after their own acknowledgment (packets of two interfaces in one file) before they count
    /// as missing; 16 packets of the connection are enough too. Default 50. Costs the bytes held meanwhile.
    ack_tolerance_ms: u64 = 50, Milliseconds, least 0;
    /// How long missing bytes are waited for where the other direction, with its acknowledgments, is not captured. Default
    /// 1000: most retransmissions come sooner. Costs the bytes held meanwhile.
    hole_silence_ms: u64 = 1_000, Milliseconds, least 0;
    /// Bytes of one HTTP/1 head or HTTP/2 header list; a longer one is not followed. Default 64 KiB: real servers refuse
    /// beyond 8 to 32. Costs as much while a head is not complete.
    max_head_bytes: usize = 64 << 10, Bytes, least 64;
    /// Requests of one connection that wait for their response; more are not followed. Default 256: no client pipelines so
    /// many. Costs a byte each, and the fields of those that ask for a WebSocket.
    max_pipelined: usize = 256, Count, least 1;
    /// WebSockets, and streams that may be one, followed at once in one HTTP/2 connection; of more, the frames are passed
    /// over. Default 1024: servers allow 100 to 256 streams. Costs about 2 KiB each, and the bytes that a WebSocket keeps.
    max_h2_streams: usize = 1024, Count, least 1;
    /// SETTINGS, PING, RST_STREAM or empty frames of one direction within a second before they are reported as a flood. Default
    /// 1000. Costs nothing.
    max_h2_control_frames: u32 = 1000, Count, least 1;
    /// Bytes of each direction's dynamic table of header fields (RFC 7541 §4.1) that are kept. Default 64 KiB, what browsers
    /// allow; most allow 4. Costs as much for each direction of an HTTP/2 connection.
    max_header_table_bytes: usize = 64 << 10, Bytes, least 4 << 10;
    /// Bytes of one direction that wait until the other shows what they are: frames sent before the 101. Each segment counts
    /// 40 bytes more. Beyond, they are a gap. Default 1 MiB: a server answers before that. Costs up to twice as
    /// much.
    max_waiting_bytes: usize = 1 << 20, Bytes, least 64;
    /// Bytes of one TLS connection that wait for secrets, or for the other direction, before it counts as undecryptable.
    /// Default 8 MiB: some seconds of traffic. Costs as much, only where secrets may still come.
    max_tls_waiting_bytes: usize = 8 << 20, Bytes, least 0;
    /// The same for all TLS connections together. Default 64 MiB: an eighth of the memory. Costs as much.
    max_tls_waiting_total_bytes: usize = 64 << 20, Bytes, least 0;
    /// Bytes of one direction that are gathered to find a lost frame boundary. Default 64 KiB, some dozens of frames. Costs
    /// three times as much during a search.
    max_resync_bytes: usize = 64 << 10, Bytes, least 1 << 10;
    /// Bytes of each direction of a connection without a beginning that are searched for WebSocket frames, before it is
    /// classified as another protocol. Default 256 KiB. Costs up to 64 KiB for each such connection.
    max_midstream_bytes: u64 = 256 << 10, Bytes, least 0;
    /// Pings of one direction that wait for their Pong; an older one counts as unanswered. Default 64. Costs 40 bytes each.
    max_pings: usize = 64, Count, least 1;
    /// Unfinished IP datagrams; the oldest is discarded. Default 1024: some packets out of order. Costs up to 64 KiB each.
    max_datagrams: usize = 1024, Count, least 1;
    /// Bytes in unfinished IP datagrams, all together. Default 8 MiB, and no more than a sixteenth of `max_memory_bytes`.
    /// Costs as much.
    max_datagram_bytes: usize = 8 << 20, Bytes, least 0;
    /// Age at which an unfinished IP datagram is discarded. Default 30: between the 15 of RFC 791 §3.2 and the 60 of RFC 8200
    /// §4.5. Costs the fragments kept meanwhile.
    datagram_secs: u64 = 30, Seconds, least 0;
    /// Findings of one code that are reported in full for one connection; beyond, they are counted. Default 10,000: more are
    /// not read. Costs a row each, where findings are written.
    max_findings: u64 = 10_000, Count, least 1;
    /// Bytes of rows of a table that wait for their message's number. Default 16 MiB: 65,536 rows of a fragmented message;
    /// beyond, the number stays empty. No more than a 32nd of `max_memory_bytes`. Costs up to two and a half times as
    /// much for each table of frames or findings.
    max_row_bytes: usize = 16 << 20, Bytes, least 64 << 10;
    /// Bytes of reports that wait in memory for the summary that stands above them; further ones wait on disk. Default 8
    /// MiB: 4,000 connections. No more than a 32nd of `max_memory_bytes`. Costs up to twice as much.
    max_report_bytes: usize = 8 << 20, Bytes, least 64 << 10;
}

impl Limits {
    /// The limit of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Limit> {
        Self::ALL.iter().find(|limit| limit.name == name)
    }

    /// The same limits, with none below its least value.
    #[must_use]
    pub fn sane(&self) -> Self {
        let mut limits = self.clone();
        for limit in Self::ALL {
            limit.set(&mut limits, limit.get(self));
        }
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_documents_its_default_and_its_cost() {
        for limit in Limits::ALL {
            assert!(limit.text.contains("Default"), "{}", limit.name);
            assert!(limit.text.contains("Cost"), "{}", limit.name);
            let suffix = match limit.unit {
                Unit::Bytes => "_bytes",
                Unit::Seconds => "_secs",
                Unit::Milliseconds => "_ms",
                Unit::Count | Unit::Ratio => "",
            };
            assert!(limit.name.ends_with(suffix), "{}", limit.name);
            assert!(limit.get(&Limits::default()) >= limit.least, "{}", limit.name);
        }
    }

    #[test]
    fn limits_are_found_read_and_set_by_name() {
        let mut limits = Limits::default();
        let heads = Limits::find("max_head_bytes").unwrap();
        heads.set(&mut limits, 100);
        assert_eq!((limits.max_head_bytes, heads.get(&limits)), (100, 100));
        heads.set(&mut limits, 0);
        assert_eq!(limits.max_head_bytes, 64, "the least");
        assert!(Limits::find("max_heads").is_none());
        let none = Limits { max_connections: 0, max_resync_bytes: 0, ..Limits::default() }.sane();
        assert_eq!((none.max_connections, none.max_resync_bytes), (1, 1024));
        assert_eq!(Limits::default().sane(), Limits::default());
    }
}
