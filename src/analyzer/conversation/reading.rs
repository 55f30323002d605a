//! The sub-protocol reader of a conversation: what it is given, and what becomes of its notes.

use super::Conversation;
use crate::analyzer::memory::Growth;
use crate::analyzer::shared::Shared;
use crate::analyzer::turn::Turn;
use crate::event::{Message, Sink, What};
use crate::subprotocol::{Notes, Reader};
use crate::types::{Direction, Finding};

impl Conversation {
    /// From here on its messages go to `reader`, with as much of their content as it wants.
    pub(in crate::analyzer) fn read_by(&mut self, reader: Box<dyn Reader>, shared: &Shared) {
        self.content_keep = self.content_keep.max(shared.keep(reader.content_bytes()));
        self.reader = Some(reader);
    }

    /// Messages of one direction may be missing: a gap took the boundary between frames, or the beginning was not captured.
    pub(in crate::analyzer) fn gap<S: Sink>(&mut self, direction: Direction, turn: &mut Turn<'_, S>) -> Growth {
        self.notes(Some(direction), turn, |reader, notes| reader.gap(direction, notes))
    }

    /// Bytes that [`Self::shed`] may free.
    pub(in crate::analyzer) fn sheddable_bytes(&self) -> usize {
        self.reader.as_ref().map_or(0, |reader| reader.held())
    }

    /// Memory is spent: the reader frees what it can. Gives how many bytes that was.
    pub(in crate::analyzer) fn shed(&mut self) -> u64 {
        self.reader.as_mut().map_or(0, |reader| {
            let before = reader.held();
            reader.shed();
            before.saturating_sub(reader.held()) as u64
        })
    }

    /// Gives a message to the reader, and emits it with what that adds. The sink gets as much of the content as it wants,
    /// however much the reader does.
    pub(super) fn read<S: Sink>(
        &mut self,
        message: Message<'_>,
        direction: Direction,
        turn: &mut Turn<'_, S>,
    ) -> Growth {
        let mut notes = core::mem::take(&mut turn.shared.notes);
        if let Some(reader) = &mut self.reader {
            reader.message(direction, &message, &mut notes);
        }
        let mut message = message;
        for (code, _) in notes.findings() {
            message.findings.insert(*code);
        }
        self.record_notes(&mut notes, Some(direction), Some(message.number), turn).counted_anyway();
        message.summary = notes.summary();
        let wanted = turn.shared.keep(turn.shared.demand.content_bytes);
        if let (false, Some(content)) = (message.opcode.is_control(), message.content.get(..wanted)) {
            message.content_whole &= content.len() == message.content.len();
            message.content = content;
        }
        turn.emit(&self.identity, Some(direction), What::Message(&message));
        notes.clear();
        turn.shared.notes = notes;
        Growth::SOME
    }

    /// Lets the reader look at something that is no message, and records what it finds.
    pub(super) fn notes<S: Sink>(
        &mut self,
        direction: Option<Direction>,
        turn: &mut Turn<'_, S>,
        look: impl FnOnce(&mut dyn Reader, &mut Notes),
    ) -> Growth {
        let Some(reader) = &mut self.reader else { return Growth::NONE };
        let mut notes = core::mem::take(&mut turn.shared.notes);
        look(&mut **reader, &mut notes);
        self.record_notes(&mut notes, direction, None, turn).counted_anyway();
        notes.clear();
        turn.shared.notes = notes;
        Growth::SOME
    }

    fn record_notes<S: Sink>(
        &mut self,
        notes: &mut Notes,
        direction: Option<Direction>,
        message: Option<u64>,
        turn: &mut Turn<'_, S>,
    ) -> Growth {
        let mut growth = Growth::NONE;
        for (code, detail) in notes.take_findings() {
            let (seen, in_message) = (turn.seen, message.is_some());
            let finding = Finding { code, seen, direction, frame: None, message, in_message, detail };
            growth |= self.findings.record(finding, &self.identity, turn);
        }
        growth
    }
}
