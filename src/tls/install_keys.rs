//! Secrets of the key log → keys on a direction's epochs.

use zeroize::Zeroizing;

use super::info::Undecryptable;
use super::keylog::{KeyLog, Label};
use super::negotiation::Negotiation;
use super::record_decrypter::RecordDecrypter;
use super::record_stream::{RecordStream, Stage, WaitsFor};
use super::schedule::{KeyBlock, MASTER_LEN, Seed, master_secret};
use crate::types::Direction;

/// What came of asking for keys.
pub(super) type Installed = Result<Result<(), WaitsFor>, Undecryptable>;

/// TLS 1.3: puts on the epochs what the log has by now.
pub(super) fn tls13(
    stream: &mut RecordStream,
    direction: Direction,
    negotiation: &Negotiation,
    keys: &KeyLog,
) -> Installed {
    if stream.asked == Some(keys.generation()) {
        return Ok(Ok(()));
    }
    let (Some(client), Some(suite)) = (&negotiation.client, negotiation.suite) else {
        return Ok(Err(WaitsFor::OtherDirection));
    };
    stream.asked = Some(keys.generation());
    let labels = match direction {
        Direction::ToServer => [
            (Stage::Early, Label::ClientEarly),
            (Stage::Handshake, Label::ClientHandshake),
            (Stage::Application, Label::ClientTraffic),
        ],
        Direction::ToClient => [
            (Stage::Handshake, Label::ServerHandshake),
            (Stage::Handshake, Label::ServerHandshake),
            (Stage::Application, Label::ServerTraffic),
        ],
    };
    for (stage, label) in labels {
        if stream.has(stage) || stream.stage.is_some_and(|now| stage < now) {
            continue;
        }
        if let Some(secret) = keys.secret(&client.random, label) {
            match RecordDecrypter::tls13(suite, secret) {
                Some(decrypter) => stream.install_keys(stage, decrypter),
                None => return Err(Undecryptable::KeysDoNotFit),
            }
        }
    }
    Ok(Ok(()))
}

/// Up to TLS 1.2: the keys that a ChangeCipherSpec brought into use.
pub(super) fn tls12(
    stream: &mut RecordStream,
    direction: Direction,
    negotiation: &Negotiation,
    keys: &KeyLog,
) -> Installed {
    let (Some(client), Some(server), Some(suite)) = (&negotiation.client, &negotiation.server, negotiation.suite)
    else {
        return Ok(Err(WaitsFor::OtherDirection));
    };
    let Some(master) = master(negotiation, keys) else { return Ok(Err(WaitsFor::Secret)) };
    let block = KeyBlock::new(server.version, suite, &master[..], &client.random, &server.random);
    let outside = server.extensions.encrypt_then_mac && suite.bulk.is_cbc();
    let decrypter =
        RecordDecrypter::tls12(server.version, suite, &block.keys(direction == Direction::ToClient), outside);
    stream.epochs.clear();
    stream.install_keys(Stage::Application, decrypter.ok_or(Undecryptable::KeysDoNotFit)?);
    stream.changing = false;
    Ok(Ok(()))
}

/// The master secret: from the log, of the session that is resumed, or from a pre-master secret that the log has.
pub(super) fn master(negotiation: &Negotiation, keys: &KeyLog) -> Option<Zeroizing<[u8; MASTER_LEN]>> {
    let (client, server) = (negotiation.client.as_ref()?, negotiation.server.as_ref()?);
    if let Some(secret) = keys.secret(&client.random, Label::Master) {
        return secret.first_chunk().map(|secret| Zeroizing::new(*secret));
    }
    if let Some(secret) = negotiation.resumes().find_map(|name| keys.resumable(&name)) {
        return secret.first_chunk().map(|secret| Zeroizing::new(*secret));
    }
    let premaster = keys.rsa(negotiation.premaster_name.as_ref()?)?;
    let seed = if server.extensions.extended_master_secret {
        Seed::Session(negotiation.session_hash.as_deref()?)
    } else {
        Seed::Randoms(&client.random, &server.random)
    };
    Some(master_secret(server.version, negotiation.hash()?, premaster, &seed))
}
