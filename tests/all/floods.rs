//! The floods of `lab.rs`, scaled to what a debug build reads: each stays within what it may keep, and says what it let go.

#[path = "floods/lab.rs"]
mod lab;

use lab::{FLOODS, KINDS, Rig};
use wslens::types::Limits;

const MIB: usize = 1 << 20;

#[test]
fn floods_stay_within_what_may_be_kept() {
    for flood in FLOODS {
        let limits = Limits { max_memory_bytes: 4 * MIB, ..Limits::default() };
        let worst = limits.worst_case_bytes();
        let mut rig = Rig::new(limits);
        (flood.run)(&mut rig, flood.amount / flood.part);
        println!("{:34} {:5} KiB of {} KiB", flood.name, rig.most >> 10, worst >> 10);
        assert!(rig.most <= worst, "{}: {} of {worst}", flood.name, rig.most);
        assert!(rig.packets > 5, "{}", flood.name);
        let totals = rig.finish();
        let reported = totals.evicted_connections + totals.shed_times + totals.lost_datagrams + rig.findings;
        assert!(reported > 0, "{}: nothing reports it: {totals:?}", flood.name);
        assert!(rig.analyzer.held() <= MIB, "{}: keeps {} for nobody", flood.name, rig.analyzer.held());
    }
}

#[test]
fn connections_keep_little() {
    for kind in KINDS {
        let each = kind.bytes_each(100);
        println!("{:44} {each} bytes", kind.name);
        assert!(each <= kind.most, "{}: {each} bytes, more than {}", kind.name, kind.most);
    }
}
