//! Names under which sessions up to TLS 1.2 are resumed (RFC 5246 §7.3, RFC 5077).

use sha1::{Digest as _, Sha1};
use zeroize::Zeroizing;

use super::super::hello::RANDOM_LEN;
use super::MAX_SECRET;

/// What sessions up to TLS 1.2 are resumed by, so long that a key log can keep it.
pub(in crate::tls) type Name = [u8; RANDOM_LEN];

/// The name of a session id; nothing if it is empty, which names none (RFC 5246 §7.4.1.3).
pub(in crate::tls) fn id_name(id: &[u8]) -> Option<Name> {
    (!id.is_empty()).then(|| digest(b"id", id))
}

/// The name of a ticket (RFC 5077); an empty one is none.
pub(in crate::tls) fn ticket_name(ticket: &[u8]) -> Option<Name> {
    (!ticket.is_empty()).then(|| digest(b"ticket", ticket))
}

fn digest(kind: &[u8], name: &[u8]) -> Name {
    let mut out = [0; RANDOM_LEN];
    let hash = Sha1::new().chain_update(kind).chain_update(name).finalize();
    out.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    out
}

/// A session that was opened and can be resumed (up to TLS 1.2).
pub struct Resumable {
    pub(in crate::tls) names: [Option<Name>; 2],
    pub(in crate::tls) master: Zeroizing<[u8; MAX_SECRET]>,
}
