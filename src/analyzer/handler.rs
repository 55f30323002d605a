//! Between the TCP floor and the sessions: every connection has one.

use super::session::Session;
use super::shared::Out;
use crate::event::Sink;
use crate::stream::{Chunk, EndReason, Interest};
use crate::tcp::{Anomaly, Depth, Flow, Handler};
use crate::types::{Detail, Direction, FindingCode, PacketRef};

impl<S: Sink> Handler for Out<'_, S> {
    type State = Session;

    fn opened(&mut self, _: &Flow) -> Session {
        Session::default()
    }

    fn chunk(&mut self, flow: &mut Flow, session: &mut Session, direction: Direction, chunk: Chunk<'_>) -> Interest {
        session.chunk(flow, direction, chunk, self).unwrap_or(Interest::Keep)
    }

    fn anomaly(&mut self, _: &Flow, session: &mut Session, direction: Direction, anomaly: Anomaly, seen: PacketRef) {
        match anomaly {
            Anomaly::OverlapConflict { offset } => {
                let detail = Detail::Number("at byte # of the TCP stream", offset);
                _ = session.fault(direction, (FindingCode::TcpOverlapConflict, detail), seen, self);
            }
        }
    }

    fn ended(&mut self, flow: &Flow, session: Session, reason: EndReason, seen: PacketRef) {
        _ = session.ended(flow, reason, seen, self);
    }

    #[inline]
    fn held(&self) -> usize {
        self.shared.held()
    }

    fn sheddable_bytes(&self, session: &Session, depth: Depth) -> usize {
        session.sheddable_bytes(depth)
    }

    fn trim(&mut self) {
        self.shared.trim();
    }

    fn shed(&mut self, flow: &Flow, session: &mut Session, depth: Depth, seen: PacketRef) -> Interest {
        session.shed(flow, depth, seen, self).unwrap_or(Interest::Keep)
    }
}
