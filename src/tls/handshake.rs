//! Records → the handshake messages of one direction (machine, RFC 8446 §4, RFC 5246 §7.4).
//!
//! ```text
//! +-----------+-----------------------+----
//! | msg_type  |   length (24 bits)    | body
//! +-----------+-----------------------+----
//! ```
//!
//! In: the fragments of handshake records, in order; a message may take several records, and a record may have several messages.
//! Out: each message when it is complete. Bodies that are not needed are skipped, not kept.

/// Bytes of a message's header.
const HEADER_LEN: usize = 4;
/// Bytes of the longest message that is kept: a hello with the keys of post-quantum exchanges has 2 KiB, a certificate chain
/// 10. Longer ones are skipped.
const MAX_MESSAGE: usize = 64 << 10;

/// The type of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MessageType(pub(super) u8);

impl MessageType {
    pub(super) const HELLO_REQUEST: Self = Self(0);
    pub(super) const CLIENT_HELLO: Self = Self(1);
    pub(super) const SERVER_HELLO: Self = Self(2);
    pub(super) const NEW_SESSION_TICKET: Self = Self(4);
    pub(super) const END_OF_EARLY_DATA: Self = Self(5);
    pub(super) const ENCRYPTED_EXTENSIONS: Self = Self(8);
    pub(super) const CERTIFICATE: Self = Self(11);
    pub(super) const SERVER_KEY_EXCHANGE: Self = Self(12);
    pub(super) const SERVER_HELLO_DONE: Self = Self(14);
    pub(super) const CLIENT_KEY_EXCHANGE: Self = Self(16);
    pub(super) const FINISHED: Self = Self(20);
    pub(super) const KEY_UPDATE: Self = Self(24);

    /// Whether its body is always needed.
    const fn is_read(self) -> bool {
        matches!(
            self,
            Self::CLIENT_HELLO
                | Self::SERVER_HELLO
                | Self::NEW_SESSION_TICKET
                | Self::ENCRYPTED_EXTENSIONS
                | Self::CLIENT_KEY_EXCHANGE
        )
    }
}

/// One message.
#[derive(Debug, Clone, Copy)]
pub(super) struct HandshakeMessage<'m> {
    pub(super) kind: MessageType,
    /// Header and body; empty if the message was skipped.
    pub(super) bytes: &'m [u8],
}

impl<'m> HandshakeMessage<'m> {
    pub(super) fn body(&self) -> &'m [u8] {
        self.bytes.get(HEADER_LEN..).unwrap_or_default()
    }
}

/// Puts the messages of one direction together.
#[derive(Debug, Default)]
pub(super) struct MessageAssembler {
    buffer: Vec<u8>,
    /// The message in the buffer was lent, and is not needed any more.
    lent: bool,
    /// Bytes of a message that are still to be skipped, and its type.
    skipping: Option<(usize, MessageType)>,
    /// Bytes were lost: it is not known where messages begin.
    lost: bool,
}

impl MessageAssembler {
    /// The next complete message; with `keep_all`, none is skipped.
    pub(super) fn next(&mut self, input: &mut &[u8], keep_all: bool) -> Option<HandshakeMessage<'_>> {
        if core::mem::take(&mut self.lent) {
            self.buffer.clear();
            self.buffer.shrink_to(HEADER_LEN);
        }
        if self.lost {
            *input = &[];
            return None;
        }
        if self.skipping.is_none() {
            self.gather(input, HEADER_LEN);
            let [kind, a, b, c] = *self.buffer.first_chunk::<HEADER_LEN>()?;
            let kind = MessageType(kind);
            let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap_or(usize::MAX);
            if len <= MAX_MESSAGE && (keep_all || kind.is_read()) {
                let total = len.saturating_add(HEADER_LEN);
                self.gather(input, total);
                if self.buffer.len() < total {
                    return None;
                }
                self.lent = true;
                return Some(HandshakeMessage { kind, bytes: &self.buffer });
            }
            self.buffer.clear();
            self.skipping = Some((len, kind));
        }
        let (left, kind) = self.skipping?;
        let taken = left.min(input.len());
        *input = input.get(taken..).unwrap_or_default();
        let left = left.saturating_sub(taken);
        self.skipping = (left > 0).then_some((left, kind));
        (left == 0).then_some(HandshakeMessage { kind, bytes: &[] })
    }

    /// Bytes are missing, between messages or within one.
    pub(super) fn lose(&mut self) {
        let within = self.skipping.take().is_some() || !self.buffer.is_empty() && !self.lent;
        self.lost = self.lost || within;
        self.buffer.clear();
        self.lent = false;
    }

    /// The keys changed: a message begins with the next byte.
    pub(super) fn begin(&mut self) {
        *self = Self::default();
    }

    /// Bytes that are kept.
    pub(super) const fn held(&self) -> usize {
        self.buffer.capacity()
    }

    fn gather(&mut self, input: &mut &[u8], len: usize) {
        let wanted = len.saturating_sub(self.buffer.len());
        let (taken, rest) = input.split_at_checked(wanted).unwrap_or((*input, &[]));
        self.buffer.extend_from_slice(taken);
        *input = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[kind, len[1], len[2], len[3]], body].concat()
    }

    fn all(messages: &mut MessageAssembler, fragments: &[&[u8]]) -> Vec<(u8, Vec<u8>)> {
        let mut all = Vec::new();
        for fragment in fragments {
            let mut input = *fragment;
            while let Some(message) = messages.next(&mut input, false) {
                all.push((message.kind.0, message.body().to_vec()));
            }
            assert!(input.is_empty());
        }
        all
    }

    #[test]
    fn messages_lie_across_records_and_several_in_one() {
        let stream = [
            message(1, b"client"),
            message(11, &[9; 300]),
            message(14, b""),
            message(2, b"server"),
            message(20, &[1; 12]),
        ]
        .concat();
        let whole = all(&mut MessageAssembler::default(), &[&stream]);
        let named: Vec<_> = whole.iter().map(|(kind, body)| (*kind, body.as_slice())).collect();
        assert_eq!(named, [(1, &b"client"[..]), (11, b""), (14, b""), (2, b"server"), (20, b"")]);
        for cut in 0..stream.len() {
            let (a, b) = stream.split_at(cut);
            assert_eq!(all(&mut MessageAssembler::default(), &[a, b]), whole, "cut at {cut}");
        }
        let single: Vec<_> = stream.chunks(1).collect();
        assert_eq!(all(&mut MessageAssembler::default(), &single), whole);
    }

    #[test]
    fn long_messages_are_skipped() {
        let mut messages = MessageAssembler::default();
        let stream = [message(1, &vec![0; MAX_MESSAGE + 1]), message(20, b"x")].concat();
        assert_eq!(all(&mut messages, &[&stream]), [(1, vec![]), (20, vec![])]);
        let mut claims: &[u8] = &[1, 0xff, 0xff, 0xff, 0, 0];
        assert!(messages.next(&mut claims, true).is_none() && claims.is_empty());
        assert!(messages.held() <= MAX_MESSAGE);
    }

    #[test]
    fn a_loss_within_a_message_ends_them_and_one_between_does_not() {
        let mut messages = MessageAssembler::default();
        all(&mut messages, &[&message(11, b"abc")]);
        messages.lose();
        assert_eq!(all(&mut messages, &[&message(20, b"")]).len(), 1);
        all(&mut messages, &[&message(11, b"abc")[..5]]);
        messages.lose();
        assert_eq!(all(&mut messages, &[&message(20, b"")]), []);
        messages.begin();
        assert_eq!(all(&mut messages, &[&message(20, b"")]).len(), 1);
    }
}
