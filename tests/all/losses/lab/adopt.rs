//! The capture begins behind the handshake.

use std::collections::BTreeSet;
use std::fmt;

use wslens::types::FindingCode;

use super::damage::Whole;
use super::packets::Raw;
use super::random::Random;
use super::watch::{Watch, Way, analyse};

/// What came of the cuts of one kind of traffic.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Connections of which the beginning was cut off.
    pub cuts: u64,
    /// Of these, those with at least 12 whole frames, 1,000 bytes of them, in a direction that was kept.
    pub ample: u64,
    /// Of these, adopted.
    pub adopted: u64,
    /// Of those with less, adopted.
    pub early: u64,
    /// Frames behind the first that was told, in all that were adopted, and those of them told.
    pub frames: u64,
    pub told: u64,
    /// Adopted the wrong way round.
    pub turned: u64,
    /// Frames and messages that were never sent, or sent otherwise.
    pub invented: u64,
    pub wrong: u64,
    pub complaints: Vec<String>,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.cuts += other.cuts;
        self.ample += other.ample;
        self.adopted += other.adopted;
        self.early += other.early;
        self.frames += other.frames;
        self.told += other.told;
        self.turned += other.turned;
        self.invented += other.invented;
        self.wrong += other.wrong;
        let room = 8_usize.saturating_sub(self.complaints.len());
        self.complaints.extend(other.complaints.iter().take(room).cloned());
    }

    pub fn is_honest(&self) -> bool {
        self.turned + self.invented + self.wrong == 0
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:5} cuts: adopted {} of {} with enough to see, {} of {} others; {} of {} frames told; turned round {}, \
             invented {}, wrong messages {}",
            self.cuts,
            self.adopted,
            self.ample,
            self.early,
            self.cuts - self.ample,
            self.told,
            self.frames,
            self.turned,
            self.invented,
            self.wrong
        )
    }
}

/// Which directions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    Both,
    ToServer,
    ToClient,
}

/// The packets of one connection, from a place behind its handshake on.
pub fn without_beginning(whole: &Whole, keep: Keep, random: &mut Random) -> Option<(Vec<Raw>, Vec<Way>)> {
    let (&(client, server), &opened) = whole.watch.opened.iter().next()?;
    let behind = whole.raws.iter().filter(|raw| raw.number > opened).count();
    let from = whole.raws.iter().filter(|raw| raw.number > opened).nth(random.below(behind * 3 / 4 + 1))?.number;
    let ways: Vec<Way> = [true, false]
        .into_iter()
        .filter(|to_server| keep == Keep::Both || *to_server == (keep == Keep::ToServer))
        .map(|to_server| Way { client, server, to_server })
        .collect();
    let kept = |raw: &&Raw| {
        raw.number >= from
            && raw.tcp.is_some_and(|tcp| ways.iter().any(|way| way.src() == tcp.src && way.dst() == tcp.dst))
    };
    Some((whole.raws.iter().filter(kept).cloned().collect(), ways))
}

/// Cuts off the beginning and looks at what is told of the rest.
pub fn cut(whole: &Whole, keep: Keep, random: &mut Random) -> Option<Tally> {
    let (raws, ways) = without_beginning(whole, keep, random)?;
    let from = raws.first()?.number;
    let after = analyse(&raws);
    let mut tally = Tally { cuts: 1, ..Tally::default() };
    let ample = ways.iter().any(|way| {
        let frames = whole.watch.frames(way).iter().filter(|frame| frame.first >= from);
        frames.clone().count() >= 12 && frames.map(|frame| frame.payload.len()).sum::<usize>() >= 1000
    });
    let adopted = after.count(FindingCode::Midstream) > 0;
    tally.ample = u64::from(ample);
    tally.adopted = u64::from(ample && adopted);
    tally.early = u64::from(!ample && adopted);
    if ample && !adopted {
        tally.complaints.push(format!("not adopted: {keep:?} from packet {from}, {} packets", raws.len()));
    }
    if adopted {
        check(whole, &after, (&ways, from), &mut tally);
    }
    Some(tally)
}

/// Holds what is told of the packets from `from` on against what is told of all. Bytes that came before it, and again, are
/// those of the second copy.
fn check(whole: &Whole, after: &Watch, (ways, from): (&[Way], u64), tally: &mut Tally) {
    let right: BTreeSet<_> = ways.iter().map(|way| (way.client, way.server)).collect();
    tally.turned += u64::from(after.opened.keys().any(|ends| !right.contains(ends)));
    if tally.turned > 0 {
        tally.complaints.push(format!("turned: {:?} {right:?}, {:?}", after.opened, after.findings));
    }
    for way in ways {
        // Offsets count from the first byte seen: they differ by the same number for all.
        let known: Vec<_> = whole.watch.frames(way).iter().collect();
        let told = after.frames(way);
        let same = |a: &super::watch::Frame, b: &super::watch::Frame| {
            let packets =
                (a.first == b.first || a.first < from) && (a.last == b.last || a.last < from || b.missing > 0);
            // Of one whose end came before, and its beginning later, the end is missing.
            let payload = a.payload == b.payload || (b.missing > 0 && a.payload.starts_with(&b.payload));
            a.header == b.header && payload && packets
        };
        let Some(first) = told.first() else { continue };
        // One in the same packet, if there is one: frames may be alike.
        let exactly = |frame: &&&super::watch::Frame| frame.first == first.first && same(frame, first);
        let found = known.iter().find(exactly).or_else(|| known.iter().find(|frame| same(frame, first)));
        let shift = found.map(|frame| frame.offset.wrapping_sub(first.offset));
        for frame in told {
            let place = shift.map(|shift| frame.offset.wrapping_add(shift));
            if !known.iter().any(|known| place == Some(known.offset) && same(known, frame)) {
                tally.invented += 1;
                tally.complaints.push(format!(
                    "invented at {} in {} of {:?}, first told {:?} {:?}; {:?}",
                    frame.offset, frame.first, frame.header, first.offset, first.first, after.findings
                ));
            }
        }
        tally.told += told.len() as u64;
        tally.frames +=
            known.iter().filter(|frame| Some(frame.offset) >= shift.map(|shift| shift + first.offset)).count() as u64;
        let messages: BTreeSet<_> = whole.watch.messages(way).iter().collect();
        let known = |message: &super::watch::Message| {
            let again = |one: &&super::watch::Message| one.first < from && one.content == message.content;
            messages.contains(message) || messages.iter().any(again)
        };
        for message in after.messages(way).iter().filter(|message| !known(message)) {
            tally.wrong += 1;
            tally.complaints.push(format!("a wrong message {message:?}"));
        }
    }
}
