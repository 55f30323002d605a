//! Secrets of the key log → keys on a direction's epochs.

use zeroize::Zeroizing;

use super::info::Closed;
use super::keylog::{KeyLog, Label};
use super::negotiation::Negotiation;
use super::record_decrypter::RecordDecrypter;
use super::record_stream::{RecordStream, Stage, Waits};
use super::schedule::{KeyBlock, MASTER_LEN, Seed, master_secret};
use crate::types::Direction;

/// What came of asking for keys.
pub(super) type Installed = Result<Result<(), Waits>, Closed>;

/// TLS 1.3: puts on the epochs what the log has by now.
pub(super) fn tls13(stream: &mut RecordStream, direction: Direction, talk: &Negotiation, keys: &KeyLog) -> Installed {
    if stream.asked == Some(keys.generation()) {
        return Ok(Ok(()));
    }
    let (Some(client), Some(suite)) = (&talk.client, talk.suite) else { return Ok(Err(Waits::Other)) };
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
                None => return Err(Closed::KeysDoNotFit),
            }
        }
    }
    Ok(Ok(()))
}

/// Up to TLS 1.2: the keys that a ChangeCipherSpec brought into use.
pub(super) fn tls12(stream: &mut RecordStream, direction: Direction, talk: &Negotiation, keys: &KeyLog) -> Installed {
    let (Some(client), Some(server), Some(suite)) = (&talk.client, &talk.server, talk.suite) else {
        return Ok(Err(Waits::Other));
    };
    let Some(master) = master(talk, keys) else { return Ok(Err(Waits::Secret)) };
    let block = KeyBlock::new(server.version, suite, &master[..], &client.random, &server.random);
    let outside = server.extensions.encrypt_then_mac && suite.bulk.is_cbc();
    let decrypter =
        RecordDecrypter::tls12(server.version, suite, &block.keys(direction == Direction::ToClient), outside);
    stream.epochs.clear();
    stream.install_keys(Stage::Application, decrypter.ok_or(Closed::KeysDoNotFit)?);
    stream.changing = false;
    Ok(Ok(()))
}

/// The master secret: from the log, of the session that is resumed, or from a pre-master secret that the log has.
pub(super) fn master(talk: &Negotiation, keys: &KeyLog) -> Option<Zeroizing<[u8; MASTER_LEN]>> {
    let (client, server) = (talk.client.as_ref()?, talk.server.as_ref()?);
    if let Some(secret) = keys.secret(&client.random, Label::Master) {
        return secret.first_chunk().map(|secret| Zeroizing::new(*secret));
    }
    if let Some(secret) = talk.resumes().find_map(|name| keys.resumable(&name)) {
        return secret.first_chunk().map(|secret| Zeroizing::new(*secret));
    }
    let premaster = keys.rsa(talk.premaster_name.as_ref()?)?;
    let seed = if server.extensions.extended_master_secret {
        Seed::Session(talk.session_hash.as_deref()?)
    } else {
        Seed::Randoms(&client.random, &server.random)
    };
    Some(master_secret(server.version, talk.hash()?, premaster, &seed))
}
