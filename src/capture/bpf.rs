//! Packet filters: expressions in pcap-filter syntax (`tcp port 80 and not host 10.0.0.1`), for files of any link type.
//!
//! In: an expression, then packets. Out: whether each matches. libpcap compiles the expression, once for each link type that
//! occurs. The program runs here, so that `len`, `less` and `greater` mean the length on the wire even where a snaplen cut
//! the packet. Live captures do not need it: the kernel filters for them.
//!
//! An expression may be right for one link type and not apply to another (`ether host` without Ethernet). Then no packet of
//! the other matches, and there is a [`Warning::FilterLink`]. An expression that compiles for no common link type is an error
//! from the start, with libpcap's message.

use super::error::{CaptureError, Warning};
use super::{LinkType, Packet};

mod program;

use program::Program;

/// Programs that are held, each of some kilobytes at most: a capture has one link type, or a few.
const MAX_PROGRAMS: usize = 16;
/// Warnings that are held until they are taken.
const MAX_WARNINGS: usize = 16;

/// An expression has to compile for one of these.
const COMMON: [LinkType; 6] =
    [LinkType::ETHERNET, LinkType::LINUX_SLL, LinkType::LINUX_SLL2, LinkType::RAW, LinkType::NULL, RADIOTAP];
const RADIOTAP: LinkType = LinkType(127);

/// A packet filter for captures.
#[derive(Debug, Clone)]
pub struct Filter {
    expression: String,
    /// The program for each link type that occurred, that of the last packet first; `None` if the expression does not apply.
    programs: Vec<(LinkType, Option<Program>)>,
    warnings: Vec<Warning>,
}

impl Filter {
    /// A filter for packets that match `expression`.
    ///
    /// # Errors
    /// [`CaptureError::Filter`] if it compiles for no common link type, or if this build has no libpcap.
    pub fn new(expression: &str) -> Result<Self, CaptureError> {
        let mut message = None;
        for link in COMMON {
            match compile(link, expression) {
                Ok(program) => {
                    let programs = vec![(link, Some(program))];
                    return Ok(Self { expression: expression.to_owned(), programs, warnings: Vec::new() });
                }
                // The message for Ethernet, the first, is the one that most users need.
                Err(error) => _ = message.get_or_insert(error),
            }
        }
        Err(CaptureError::Filter { expression: expression.to_owned(), message: message.unwrap_or_default() })
    }

    /// Whether the packet matches.
    pub fn matches(&mut self, packet: &Packet<'_>) -> bool {
        self.matches_bytes(packet.link, packet.bytes, packet.original_len)
    }

    /// The warnings for the user since the last call.
    pub fn take_warnings(&mut self) -> Vec<Warning> {
        core::mem::take(&mut self.warnings)
    }

    #[inline]
    pub(super) fn matches_bytes(&mut self, link: LinkType, bytes: &[u8], original_len: u32) -> bool {
        if self.programs.first().is_none_or(|(known, _)| *known != link) {
            self.bring_to_front(link);
        }
        match self.programs.first() {
            Some((_, Some(program))) => program.matches(bytes, original_len),
            _ => false,
        }
    }

    #[cold]
    fn bring_to_front(&mut self, link: LinkType) {
        if let Some(known) = self.programs.iter().position(|(known, _)| *known == link) {
            self.programs.swap(0, known);
            return;
        }
        let program = match compile(link, &self.expression) {
            Ok(program) => Some(program),
            Err(message) => {
                if self.warnings.len() < MAX_WARNINGS {
                    self.warnings.push(Warning::FilterLink { link, message });
                }
                None
            }
        };
        self.programs.truncate(MAX_PROGRAMS - 1);
        self.programs.insert(0, (link, program));
    }
}

/// The program that libpcap compiles, or its message.
#[cfg(feature = "live")]
fn compile(link: LinkType, expression: &str) -> Result<Program, String> {
    let compiled = pcap::Capture::dead(super::dlt::to_libpcap(link)).and_then(|dead| dead.compile(expression, true));
    let compiled = compiled.map_err(super::dlt::message)?;
    Program::decode(compiled.get_instructions().iter().map(ToString::to_string))
        .ok_or_else(|| "libpcap compiled it to an unknown instruction".to_owned())
}

#[cfg(not(feature = "live"))]
fn compile(_: LinkType, _: &str) -> Result<Program, String> {
    Err("this build has no libpcap (feature `live`), which packet filters need".to_owned())
}

#[cfg(test)]
#[cfg(feature = "live")]
mod tests;
