//! When nothing more will come that could help: what stays closed, and why.

use super::connection::TlsConnection;
use super::hello::RANDOM_LEN;
use super::info::Undecryptable;
use super::keylog::KeyLog;
use super::record_stream::WaitsFor;
use crate::types::Direction;

impl TlsConnection {
    /// No more secrets will come, and nothing of the other direction: a direction that waits goes on as well as it can, or
    /// stays closed. Says why, if something does.
    pub fn give_up(&mut self, keys: &KeyLog) -> Option<Undecryptable> {
        if self.undecryptable.is_some() {
            return self.undecryptable;
        }
        let waits = |direction| self.waits_for(direction).map(|waits| (direction, waits));
        let waiting = Direction::BOTH.into_iter().filter_map(waits).collect::<Vec<_>>();
        let Some((direction, first)) = waiting.first().copied() else {
            // Something came, and none of it was for us to open.
            return self.unopened();
        };
        if self.negotiation.early.is_none()
            && self.negotiation.server.is_some()
            && direction == Direction::ToServer
            && first == WaitsFor::OtherDirection
        {
            self.negotiation.early = Some(true);
            return None;
        }
        let why = match self.alert {
            Some((alert, direction)) => Undecryptable::HandshakeFailed(alert, direction),
            None if first == WaitsFor::OtherDirection => Undecryptable::NoHandshake,
            None => self.lacking(direction, keys),
        };
        if self.delivered {
            waiting.iter().for_each(|(direction, _)| self.streams.get_mut(*direction).die());
        } else {
            self.undecryptable = Some(why);
        }
        Some(why)
    }

    /// Gives the connection up since too much waits.
    pub fn overflow(&mut self) {
        if self.delivered {
            Direction::BOTH.into_iter().for_each(|direction| {
                let stream = self.streams.get_mut(direction);
                if stream.waits.is_some() {
                    stream.die();
                }
            });
        } else {
            self.undecryptable = Some(Undecryptable::WaitedTooLong);
        }
    }

    /// Nothing more will be opened of either direction: then it stays closed, if nothing was.
    pub(super) fn close_if_over(&mut self) {
        if Direction::BOTH.into_iter().all(|way| self.streams.get(way).is_over()) {
            self.unopened();
        }
    }

    /// Why a connection has nothing to show, of which nothing waits.
    fn unopened(&mut self) -> Option<Undecryptable> {
        if self.delivered {
            return None;
        }
        self.undecryptable = match self.alert {
            Some((alert, direction)) => Some(Undecryptable::HandshakeFailed(alert, direction)),
            None if Direction::BOTH.into_iter().any(|way| self.streams.get(way).rejected > 0) => {
                Some(Undecryptable::KeysDoNotFit)
            }
            None if self.negotiation.client.is_none() || self.negotiation.server.is_none() => {
                Some(Undecryptable::NoHandshake)
            }
            None if Direction::BOTH.into_iter().all(|way| self.streams.get(way).resync.is_some()) => {
                Some(Undecryptable::NoHandshake)
            }
            None => None,
        };
        self.undecryptable
    }

    /// What the key log lacks.
    fn lacking(&self, direction: Direction, keys: &KeyLog) -> Undecryptable {
        if !super::crypto::AVAILABLE {
            return Undecryptable::NotBuilt;
        }
        let random = self.negotiation.client.as_ref().map_or([0; RANDOM_LEN], |client| client.random);
        if keys.has_session(&random) {
            return Undecryptable::PartOfSecrets { client_random: random, direction };
        }
        let encrypted_hello =
            self.negotiation.client.as_ref().is_some_and(|client| client.extensions.encrypted_client_hello);
        Undecryptable::NoSecret { client_random: random, others: keys.sessions(), encrypted_hello }
    }
}
