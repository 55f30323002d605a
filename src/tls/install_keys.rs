//! Secrets of the key log → keys of a direction's epochs.

use zeroize::Zeroizing;

use super::keylog::{KeyLog, Label};
use super::negotiation::Negotiation;
use super::record_decrypter::RecordDecrypter;
use super::record_stream::{RecordStream, Stage, WaitsFor};
use super::schedule::{KeyBlock, MASTER_LEN, Randoms, Seed, master_secret};
use super::undecryptable::Undecryptable;
use crate::types::Direction;

/// Whether keys are there.
pub(super) enum KeyStatus {
    /// All keys that the log has secrets for.
    Installed,
    /// They wait.
    Waits(WaitsFor),
    /// They cannot be made.
    Undecryptable(Undecryptable),
}

/// TLS 1.3: adds the keys whose secrets the log has by now.
pub(super) fn tls13(
    stream: &mut RecordStream,
    direction: Direction,
    negotiation: &Negotiation,
    keys: &KeyLog,
) -> KeyStatus {
    if stream.searched_generation == Some(keys.generation()) {
        return KeyStatus::Installed;
    }
    let (Some(client), Some(suite)) = (&negotiation.client, negotiation.suite) else {
        return KeyStatus::Waits(WaitsFor::OtherDirection);
    };
    stream.searched_generation = Some(keys.generation());
    for (stage, label) in labels(direction) {
        if stream.has(*stage) || stream.stage.is_some_and(|now| *stage < now) {
            continue;
        }
        if let Some(secret) = keys.secret(&client.random, *label) {
            match RecordDecrypter::tls13(suite, secret) {
                Some(decrypter) => stream.install_key(*stage, decrypter),
                None => return KeyStatus::Undecryptable(Undecryptable::KeysDoNotFit),
            }
        }
    }
    KeyStatus::Installed
}

/// The secrets of TLS 1.3 for one direction, and what each is for.
const fn labels(direction: Direction) -> &'static [(Stage, Label)] {
    match direction {
        Direction::ToServer => &[
            (Stage::EarlyData, Label::ClientEarly),
            (Stage::Handshake, Label::ClientHandshake),
            (Stage::Application, Label::ClientTraffic),
        ],
        Direction::ToClient => {
            &[(Stage::Handshake, Label::ServerHandshake), (Stage::Application, Label::ServerTraffic)]
        }
    }
}

/// Up to TLS 1.2: installs the key that a ChangeCipherSpec brings into use.
pub(super) fn tls12(
    stream: &mut RecordStream,
    direction: Direction,
    negotiation: &Negotiation,
    keys: &KeyLog,
) -> KeyStatus {
    let (Some(client), Some(server), Some(suite)) = (&negotiation.client, &negotiation.server, negotiation.suite)
    else {
        return KeyStatus::Waits(WaitsFor::OtherDirection);
    };
    let Some(master) = master(negotiation, keys) else { return KeyStatus::Waits(WaitsFor::Secret) };
    let randoms = Randoms { client: &client.random, server: &server.random };
    let block = KeyBlock::new(server.version, suite, &master[..], randoms);
    let encrypt_then_mac = server.extensions.encrypt_then_mac && suite.bulk.is_cbc();
    let keys = block.keys(direction == Direction::ToClient);
    let Some(decrypter) = RecordDecrypter::tls12(server.version, suite, &keys, encrypt_then_mac) else {
        return KeyStatus::Undecryptable(Undecryptable::KeysDoNotFit);
    };
    stream.epochs.clear();
    stream.install_key(Stage::Application, decrypter);
    stream.changing = false;
    KeyStatus::Installed
}

/// Installs the keys that a search for a record can use. If some are missing, the record that is found asks for them.
pub(super) fn install_for_resync(
    stream: &mut RecordStream,
    direction: Direction,
    negotiation: &Negotiation,
    keys: &KeyLog,
) {
    if negotiation.is_tls13() == Some(true) {
        _ = tls13(stream, direction, negotiation, keys);
        return;
    }
    if stream.changing {
        _ = tls12(stream, direction, negotiation, keys);
    }
    stream.protected |= !stream.epochs.is_empty();
}

/// The master secret: from the log, of the session that is resumed, or from a pre-master secret that the log has.
pub(super) fn master(negotiation: &Negotiation, keys: &KeyLog) -> Option<Zeroizing<[u8; MASTER_LEN]>> {
    let (client, server) = (negotiation.client.as_ref()?, negotiation.server.as_ref()?);
    if let Some(secret) = keys.secret(&client.random, Label::Master) {
        return secret.first_chunk().map(|secret| Zeroizing::new(*secret));
    }
    if let Some(secret) = negotiation.resumed_names().find_map(|name| keys.resumable(&name)) {
        return secret.first_chunk().map(|secret| Zeroizing::new(*secret));
    }
    let premaster = keys.rsa(negotiation.premaster_name.as_ref()?)?;
    let seed = if server.extensions.extended_master_secret {
        Seed::SessionHash(negotiation.session_hash.as_deref()?)
    } else {
        Seed::Randoms(Randoms { client: &client.random, server: &server.random })
    };
    Some(master_secret(server.version, negotiation.hash()?, premaster, &seed))
}
