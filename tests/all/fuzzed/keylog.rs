//! Any key log, in any pieces: the same secrets and the same warnings, and no more kept than comes in.

use wslens::tls::{KeyLog, LogLines};

use super::script::Script;

pub(crate) fn keylog(bytes: &[u8]) {
    let mut script = Script::new(bytes);
    let cuts = script.cuts();
    let text = script.take(usize::MAX);
    let mut whole = KeyLog::new();
    whole.add(text);
    let (mut pieces, mut lines) = (KeyLog::new(), LogLines::default());
    let mut rest = text;
    let mut cuts = cuts;
    while let Some(piece) = cuts.piece(&mut rest) {
        pieces.feed(&mut lines, piece);
    }
    pieces.finish(&mut lines);
    assert_eq!(pieces.take_warnings().0.len(), whole.take_warnings().0.len(), "any cut gives the same");
    assert_eq!(pieces.sessions(), whole.sessions());
    assert!(whole.sessions() <= text.len() / 100);
    assert!(whole.held() <= (2 << 20) + 2 * text.len());
}
