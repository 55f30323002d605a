//! Any bytes as a capture file, analysed with every output on.

use std::io::Cursor;

use wslens::analyzer::{Analyzer, Demand, Options};
use wslens::capture::Input;
use wslens::output::Secrets;
use wslens::types::Limits;

use super::outputs::Outputs;

/// A compressed file may stand for very many packets; these are enough.
const MOST_PACKETS: u64 = 20_000;

pub(crate) fn read(bytes: &[u8]) {
    let mut input = Input::from_reader("fuzz", Box::new(Cursor::new(bytes.to_vec())));
    let options = options();
    let mut analyzer = Analyzer::new(&options);
    let mut outputs = Outputs::new(Secrets::Redact);
    while let Ok(Some(packet)) = input.next_packet() {
        analyzer.packet(&packet, &mut outputs).unwrap();
        if packet.seen.packet >= MOST_PACKETS {
            break;
        }
    }
    analyzer.finish(&mut outputs).unwrap();
    let totals = analyzer.totals();
    assert_eq!(totals.packets, input.packets());
    outputs.finish(&totals);
}

/// Limits that a small script can reach.
pub(super) fn options() -> Options {
    let limits = Limits {
        max_message_bytes: 4 << 10,
        max_inflaters: 2,
        max_head_bytes: 2 << 10,
        max_waiting_bytes: 1 << 10,
        max_resync_bytes: 1 << 10,
        max_pings: 4,
        max_findings: 20,
        max_connections: 64,
        ..Limits::default()
    };
    let demand = Demand { content_bytes: u64::MAX, frame_bytes: u64::MAX, ..Demand::default() };
    Options {
        limits,
        demand,
        capture: "=a \"label\";\n".to_owned(),
        mid_stream: true,
        list_tls: true,
        ..Options::default()
    }
}
