//! Between the TCP layer and the sessions: every connection has one.

use super::session::Session;
use super::shared::Out;
use super::turn::Turn;
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
        session.run(direction, chunk.run, &mut Turn::new(flow, chunk.seen, self))
    }

    fn anomaly(&mut self, flow: &Flow, session: &mut Session, direction: Direction, anomaly: Anomaly, seen: PacketRef) {
        match anomaly {
            Anomaly::OverlapConflict { offset } => {
                let detail = Detail::Number("at byte # of the TCP stream", offset);
                let violation = (FindingCode::TcpOverlapConflict, detail);
                session.fault(direction, violation, &mut Turn::new(&mut flow.clone(), seen, self));
            }
        }
    }

    fn ended(&mut self, flow: &Flow, session: Session, reason: EndReason, seen: PacketRef) {
        session.ended(reason, &mut Turn::new(&mut flow.clone(), seen, self));
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
        session.shed(depth, &mut Turn::new(&mut flow.clone(), seen, self))
    }
}
