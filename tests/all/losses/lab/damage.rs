//! Bytes are lost: what is told of the rest is held against what is told of the whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use wslens::types::{FindingCode, Severity};

use super::packets::Raw;
use super::random::Random;
use super::watch::{Frame, Message, Watch, Way, analyse};

/// One connection, undamaged.
pub struct Whole {
    pub raws: Vec<Raw>,
    pub watch: Watch,
}

/// What came of the losses of one kind of traffic.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Runs with a loss.
    pub cuts: u64,
    /// Of these, those that took a frame boundary, in which more than three whole frames follow.
    pub lost: u64,
    /// Of these, those in which at most three whole frames behind the hole are missing.
    pub mended: u64,
    /// Of these, those in which none is.
    pub at_once: u64,
    /// Losses of a boundary behind which at most three frames follow, and those in which one of them was found.
    pub few: u64,
    pub few_mended: u64,
    /// Frames told that were never sent, or sent otherwise.
    pub invented: u64,
    /// Messages told to be complete that were never sent, or sent otherwise.
    pub wrong: u64,
    /// Frames missing behind the place where the boundary was found again.
    pub missed_later: u64,
    /// Frames of the other direction that are missing, too many, or different.
    pub other: u64,
    /// Findings of severity error, of which the whole has none.
    pub accused: u64,
    /// Messages wholly behind the first frame behind the hole that was told, and those told complete; compressed ones.
    pub deflated: u64,
    pub inflated: u64,
    /// The first few things that went wrong.
    pub complaints: Vec<String>,
}

impl Tally {
    pub fn add(&mut self, other: &Self) {
        self.cuts += other.cuts;
        self.lost += other.lost;
        self.mended += other.mended;
        self.at_once += other.at_once;
        self.few += other.few;
        self.few_mended += other.few_mended;
        self.invented += other.invented;
        self.wrong += other.wrong;
        self.missed_later += other.missed_later;
        self.other += other.other;
        self.accused += other.accused;
        self.deflated += other.deflated;
        self.inflated += other.inflated;
        for complaint in &other.complaints {
            self.complain(|| complaint.clone());
        }
    }

    /// Nothing was told that is not so.
    pub fn is_honest(&self) -> bool {
        self.invented + self.wrong + self.other + self.accused + self.missed_later == 0
    }

    fn complain(&mut self, text: impl FnOnce() -> String) {
        if self.complaints.len() < 8 {
            self.complaints.push(text());
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |part: u64, all: u64| if all == 0 { 100.0 } else { part as f64 * 100.0 / all as f64 };
        write!(
            f,
            "{:6} cuts, {:5} took a boundary: {:6.2} % found within 3 frames, {:6.2} % at the first; {}/{} near the \
             end; invented {}, wrong messages {}, missed later {}, other direction {}, accused {}",
            self.cuts,
            self.lost,
            percent(self.mended, self.lost),
            percent(self.at_once, self.lost),
            self.few_mended,
            self.few,
            self.invented,
            self.wrong,
            self.missed_later,
            self.other,
            self.accused
        )?;
        if self.deflated > 0 {
            write!(f, "; inflated behind the loss {:.1} %", percent(self.inflated, self.deflated))?;
        }
        Ok(())
    }
}

impl Whole {
    pub fn new(raws: Vec<Raw>) -> Self {
        let watch = analyse(&raws);
        Self { raws, watch }
    }

    /// The packets that carry bytes of one direction, behind the handshake.
    pub fn data(&self, way: &Way) -> Vec<u64> {
        let opened = self.watch.opened.get(&(way.client, way.server)).copied().unwrap_or(0);
        let ours = |raw: &&Raw| raw.carries(way.src(), way.dst()) && raw.number > opened;
        self.raws.iter().filter(ours).map(|raw| raw.number).collect()
    }

    /// Loses one to four adjacent segments of one direction. `None` where there is nothing to lose.
    pub fn cut(&self, random: &mut Random) -> Option<Tally> {
        let ways: Vec<Way> = self.watch.ways().into_iter().filter(|way| !self.data(way).is_empty()).collect();
        let way = *ways.get(random.below(ways.len()))?;
        let data = self.data(&way);
        let first = random.below(data.len());
        let count = random.between(1, 4);
        let gone: BTreeSet<u64> = data.iter().copied().skip(first).take(count).collect();
        Some(self.lose(way, &gone))
    }

    /// Loses about one in `n` segments, anywhere. Only what is told falsely is counted.
    pub fn riddle(&self, n: usize, random: &mut Random) -> Tally {
        let mut gone = BTreeSet::new();
        for way in self.watch.ways() {
            gone.extend(self.data(&way).into_iter().filter(|_| random.one_in(n)));
        }
        let after = analyse(self.raws.iter().filter(|raw| !gone.contains(&raw.number)));
        if after.count(FindingCode::Midstream) > self.watch.count(FindingCode::Midstream) {
            return Tally::default(); // the handshake had come again, and is gone
        }
        let mut tally = Tally { cuts: gone.len() as u64, ..Tally::default() };
        self.check_truth(&gone, &after, &mut tally);
        tally
    }

    fn lose(&self, way: Way, gone: &BTreeSet<u64>) -> Tally {
        let after = analyse(self.raws.iter().filter(|raw| !gone.contains(&raw.number)));
        if after.count(FindingCode::Midstream) > self.watch.count(FindingCode::Midstream) {
            return Tally::default(); // the handshake had come again, and is gone
        }
        let mut tally = Tally { cuts: 1, ..Tally::default() };
        self.check_truth(gone, &after, &mut tally);
        for other in self.watch.ways().into_iter().filter(|other| *other != way) {
            if self.watch.frames(&other) != after.frames(&other) {
                tally.other += 1;
                tally.complain(|| format!("{gone:?} touched the other direction {other:?}"));
            }
        }
        self.check_recovery(way, gone, &after, &mut tally);
        tally
    }

    /// All that is told must be so.
    fn check_truth(&self, gone: &BTreeSet<u64>, after: &Watch, tally: &mut Tally) {
        // What was lost may have come again, in another packet.
        let touched = |first: u64, last: u64| gone.range(first..=last.max(first)).next().is_some();
        let without_packets = |message: &Message| Message { first: 0, last: 0, ..message.clone() };
        for (way, frames) in &after.frames {
            let known: BTreeMap<u64, &Frame> =
                self.watch.frames(way).iter().map(|frame| (frame.offset, frame)).collect();
            for frame in frames {
                let same = known.get(&frame.offset).is_some_and(|known| {
                    known.header == frame.header
                        && (frame.missing > 0 || !frame.complete || known.payload == frame.payload)
                        && (frame.last == known.last
                            || frame.missing > 0
                            || !frame.complete
                            || touched(known.first, known.last))
                });
                if !same {
                    tally.invented += 1;
                    tally.complain(|| format!("invented at {} {:?}; gone {gone:?}", frame.offset, frame.header));
                }
            }
        }
        for (way, messages) in &after.messages {
            let known: BTreeSet<_> = self.watch.messages(way).iter().collect();
            let again = |message: &Message| {
                let same = |one: &&Message| without_packets(one) == without_packets(message);
                self.watch.messages(way).iter().filter(same).any(|one| touched(one.first, one.last))
            };
            for message in messages.iter().filter(|message| !known.contains(message) && !again(message)) {
                tally.wrong += 1;
                tally.complain(|| format!("a wrong message {message:?}"));
            }
        }
        let errors = |watch: &Watch| -> Vec<FindingCode> {
            watch.findings.iter().map(|found| found.1).filter(|code| code.severity() == Severity::Error).collect()
        };
        let known = errors(&self.watch);
        for code in errors(after).into_iter().filter(|code| !known.contains(code)) {
            tally.accused += 1;
            tally.complain(|| format!("accused of {code}: {:?}", after.findings));
        }
    }

    /// How soon the frames behind the hole are told again.
    fn check_recovery(&self, way: Way, gone: &BTreeSet<u64>, after: &Watch, tally: &mut Tally) {
        let last = gone.last().copied().unwrap_or(0);
        let told: BTreeSet<u64> = after.frames(&way).iter().map(|frame| frame.offset).collect();
        let behind: Vec<&Frame> = self.watch.frames(&way).iter().filter(|frame| frame.first > last).collect();
        let missed = behind.iter().take_while(|frame| !told.contains(&frame.offset)).count();
        let later = behind.iter().skip(missed).filter(|frame| !told.contains(&frame.offset)).count() as u64;
        tally.missed_later += later;
        if later > 0 {
            tally.complain(|| format!("{later} frames missed later; gone {gone:?}"));
        }
        let took_a_boundary = missed > 0 || after.count(FindingCode::Resynchronized) > 0;
        if took_a_boundary && behind.len() > 3 {
            tally.lost += 1;
            tally.mended += u64::from(missed <= 3);
            tally.at_once += u64::from(missed == 0);
            if missed > 3 {
                tally.complain(|| format!("{missed} of {} missed; gone {gone:?} of {way:?}", behind.len()));
            }
        } else if took_a_boundary && !behind.is_empty() {
            tally.few += 1;
            tally.few_mended += u64::from(missed < behind.len());
        }
        if let Some(found) = behind.get(missed) {
            let known: BTreeSet<_> = after.messages(&way).iter().collect();
            for message in self.watch.messages(&way).iter().filter(|message| message.compressed) {
                if message.first > found.last {
                    tally.deflated += 1;
                    tally.inflated += u64::from(known.contains(message));
                }
            }
        }
    }
}
