//! What one direction sent, counted.

use crate::analyzer::memory::Growth;
use crate::event::Traffic;
use crate::types::{PacketRef, Timestamp};
use crate::websocket::Opcode;

/// The counters of one direction.
#[derive(Default)]
pub(super) struct Counts {
    /// The counters, for the summary.
    pub(super) traffic: Traffic,
    last_data_message: Option<Timestamp>,
}

/// The lengths of a message.
pub(super) struct MessageLen {
    /// After inflation, as far as it could be inflated.
    pub(super) len: u64,
    /// Whether all of it was captured and decoded.
    pub(super) complete: bool,
}

impl Counts {
    /// Counts a frame, with as many bytes of its header and of its payload as there were.
    #[inline]
    pub(super) fn frame(&mut self, opcode: Opcode, header_len: u8, payload_len: u64) {
        if let Some(count) = self.traffic.frames.get_mut(usize::from(opcode.bits())) {
            *count += 1;
        }
        self.traffic.header_bytes += u64::from(header_len);
        self.traffic.wire_bytes = self.traffic.wire_bytes.saturating_add(payload_len);
    }

    /// Counts a control frame as the message that it is.
    pub(super) fn control_message(&mut self, opcode: Opcode, payload_len: u64, complete: bool) {
        self.message(opcode, &MessageLen { len: payload_len, complete });
    }

    /// Counts a data message.
    #[inline]
    pub(super) fn data_message(&mut self, opcode: Opcode, len: &MessageLen, seen: PacketRef) -> Growth {
        self.message(opcode, len);
        let traffic = &mut self.traffic;
        let mut growth = Growth::NONE;
        if len.complete {
            growth |= Growth::of(traffic.message_len.add(len.len));
        }
        if let Some(before) = self.last_data_message.replace(seen.at) {
            growth |= Growth::of(traffic.message_gap_us.add(seen.at.micros_since(before)));
        }
        growth
    }

    /// Counts what is special to a compressed message.
    pub(super) fn compressed_message(&mut self, wire_len: u64, len: &MessageLen) {
        let traffic = &mut self.traffic;
        traffic.compressed_messages += 1;
        if len.complete {
            traffic.compressed_wire_bytes = traffic.compressed_wire_bytes.saturating_add(wire_len);
            traffic.compressed_bytes = traffic.compressed_bytes.saturating_add(len.len);
        }
    }

    /// Counts a gap, of so many bytes where that is known.
    pub(super) fn gap(&mut self, len: Option<u64>) {
        self.traffic.gaps += 1;
        self.traffic.missing_bytes = self.traffic.missing_bytes.saturating_add(len.unwrap_or(0));
    }

    /// Bytes that its sketches keep.
    #[inline]
    pub(super) fn held(&self) -> usize {
        self.traffic.message_len.held() + self.traffic.message_gap_us.held()
    }

    #[inline]
    fn message(&mut self, opcode: Opcode, len: &MessageLen) {
        let traffic = &mut self.traffic;
        if let Some(count) = traffic.messages.get_mut(usize::from(opcode.bits())) {
            *count += 1;
        }
        traffic.bytes = traffic.bytes.saturating_add(len.len);
        traffic.incomplete_messages += u64::from(!len.complete);
    }
}
