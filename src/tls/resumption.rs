//! The names under which sessions up to TLS 1.2 are resumed (RFC 5246 §7.3, RFC 5077), and the secret of such a session.

use sha1::{Digest as _, Sha1};
use zeroize::Zeroizing;

use super::hello::RANDOM_LEN;
use super::schedule::MASTER_LEN;

/// The name of a session: a digest of its session id or of its ticket, as long as a client random, so that a key log can keep
/// secrets under it.
pub(super) type SessionName = [u8; RANDOM_LEN];

/// The name of a session id; `None` if it is empty, which names no session (RFC 5246 §7.4.1.3).
pub(super) fn id_name(id: &[u8]) -> Option<SessionName> {
    (!id.is_empty()).then(|| digest(b"id", id))
}

/// The name of a ticket (RFC 5077); `None` if it is empty.
pub(super) fn ticket_name(ticket: &[u8]) -> Option<SessionName> {
    (!ticket.is_empty()).then(|| digest(b"ticket", ticket))
}

fn digest(kind: &[u8], name: &[u8]) -> SessionName {
    let mut out = [0; RANDOM_LEN];
    let hash = Sha1::new().chain_update(kind).chain_update(name).finalize();
    out.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    out
}

/// A session that was opened and can be resumed (up to TLS 1.2).
pub struct Resumable {
    /// By its id, and by its ticket.
    pub(super) names: [Option<SessionName>; 2],
    pub(super) master: Zeroizing<[u8; MASTER_LEN]>,
}
