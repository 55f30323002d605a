//! When neither secrets nor bytes of the other direction can come any more: what stays undecryptable, and why.

use super::TlsConnection;
use crate::tls::crypto;
use crate::tls::hello::RANDOM_LEN;
use crate::tls::keylog::KeyLog;
use crate::tls::record_stream::WaitsFor;
use crate::tls::undecryptable::Undecryptable;
use crate::types::Direction;

impl TlsConnection {
    /// No more secrets will come, and no bytes that a direction waits for: the connection, or the rest of it, stays
    /// undecryptable. Gives why. `None` if no direction waits and records were opened, or if a direction can continue after
    /// all: then offer its input again.
    pub fn give_up(&mut self, keys: &KeyLog) -> Option<Undecryptable> {
        if self.undecryptable.is_some() {
            return self.undecryptable;
        }
        let waiting = |direction: Direction| self.waits_for(direction).map(|waits_for| (direction, waits_for));
        let Some((direction, waits_for)) = Direction::BOTH.into_iter().find_map(waiting) else {
            return self.conclude();
        };
        if self.negotiation.early_data_accepted.is_none()
            && self.negotiation.server.is_some()
            && direction == Direction::ToServer
            && waits_for == WaitsFor::OtherDirection
        {
            self.negotiation.early_data_accepted = Some(true);
            return None;
        }
        let why = match self.alert {
            Some((alert, direction)) => Undecryptable::HandshakeFailed(alert, direction),
            None if waits_for == WaitsFor::OtherDirection => Undecryptable::NoHandshake,
            None => self.missing_secret(direction, keys),
        };
        self.stop_waiting(why);
        Some(why)
    }

    /// More input waits than may be kept: gives up the directions that wait.
    pub fn overflow(&mut self) {
        self.stop_waiting(Undecryptable::WaitedTooLong);
    }

    /// Nothing will be opened for that reason; if something was already, nothing more of the directions that wait.
    fn stop_waiting(&mut self, why: Undecryptable) {
        if !self.delivered {
            self.undecryptable = Some(why);
            return;
        }
        for direction in Direction::BOTH {
            let stream = self.streams.get_mut(direction);
            if stream.waits_for.is_some() {
                stream.end();
            }
        }
    }

    /// If nothing more can be opened in either direction, the connection is undecryptable, unless something was opened.
    pub(super) fn conclude_if_over(&mut self) {
        if Direction::BOTH.into_iter().all(|direction| self.streams.get(direction).is_over()) {
            self.conclude();
        }
    }

    /// Why nothing was opened of a connection in which nothing waits. `None` if something was, or it has no protected record.
    fn conclude(&mut self) -> Option<Undecryptable> {
        if self.delivered {
            return None;
        }
        let streams = [&self.streams.to_server, &self.streams.to_client];
        self.undecryptable = match self.alert {
            Some((alert, direction)) => Some(Undecryptable::HandshakeFailed(alert, direction)),
            None if streams.iter().any(|stream| stream.rejected > 0) => Some(Undecryptable::KeysDoNotFit),
            None if self.negotiation.client.is_none() || self.negotiation.server.is_none() => {
                Some(Undecryptable::NoHandshake)
            }
            None if streams.iter().all(|stream| stream.resync.is_some()) => Some(Undecryptable::NoHandshake),
            None => None,
        };
        self.undecryptable
    }

    /// Which secret the key log lacks.
    fn missing_secret(&self, direction: Direction, keys: &KeyLog) -> Undecryptable {
        if !crypto::AVAILABLE {
            return Undecryptable::NotBuilt;
        }
        let client_random = self.negotiation.client.as_ref().map_or([0; RANDOM_LEN], |client| client.random);
        if keys.has_session(&client_random) {
            return Undecryptable::PartOfSecrets { client_random, direction };
        }
        let hello = self.negotiation.client.as_ref();
        let encrypted_hello = hello.is_some_and(|client| client.extensions.encrypted_client_hello);
        Undecryptable::NoSecret { client_random, others: keys.sessions(), encrypted_hello }
    }
}
