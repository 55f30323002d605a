//! Between the TCP floor and the sessions: every connection has one.

use super::session::Session;
use super::shared::Out;
use crate::event::Sink;
use crate::ground::{Detail, Direction, FindingCode, Seen};
use crate::tcp::{Chunk, Depth, EndReason, Flow, Handler, Interest, Oddity};

impl<S: Sink> Handler for Out<'_, S> {
    type State = Session;
    type Error = S::Error;

    fn opened(&mut self, _: &Flow) -> Session {
        Session::default()
    }

    fn chunk(
        &mut self,
        flow: &mut Flow,
        session: &mut Session,
        direction: Direction,
        chunk: Chunk<'_>,
    ) -> Result<Interest, S::Error> {
        session.chunk(flow, direction, chunk, self)
    }

    fn oddity(
        &mut self,
        _: &Flow,
        session: &mut Session,
        direction: Direction,
        oddity: Oddity,
        seen: Seen,
    ) -> Result<(), S::Error> {
        match oddity {
            Oddity::OverlapConflict { offset } => {
                let detail = Detail::Number("at byte # of the TCP stream", offset);
                session.fault(direction, (FindingCode::TcpOverlapConflict, detail), seen, self)
            }
        }
    }

    fn ended(&mut self, flow: &Flow, session: Session, reason: EndReason, seen: Seen) -> Result<(), S::Error> {
        session.ended(flow, reason, seen, self)
    }

    #[inline]
    fn held(&self) -> usize {
        self.shared.held()
    }

    fn burden(&self, session: &Session, depth: Depth) -> usize {
        session.burden(depth)
    }

    fn spare(&mut self) {
        self.shared.spare();
    }

    fn shed(&mut self, flow: &Flow, session: &mut Session, depth: Depth, seen: Seen) -> Result<Interest, S::Error> {
        session.shed(flow, depth, seen, self)
    }
}
