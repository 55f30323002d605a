//! A complete exporter: a Markdown table with a line for each connection. CONTRIBUTING.md shows it as the recipe for one.
//!
//! `cargo run --example exporter -- samples/first-look/capture.pcap`

use std::error::Error;
use std::io::{self, Write};

use wslens::analyzer::{Analyzer, Options};
use wslens::capture::Input;
use wslens::event::{Event, Totals, What};
use wslens::output::{EventKinds, Output, Outputs, Secrets, Wants, escape};

const HEAD: &[u8] = b"| connection | server | target | outcome | messages |\n| ---: | --- | --- | --- | ---: |\n";

/// Writes a line for each connection as it ends.
pub struct Markdown<W> {
    to: W,
    secrets: Secrets,
    connections: u64,
}

impl<W: Write> Markdown<W> {
    /// A table that is written to `to`.
    pub fn new(to: W, secrets: Secrets) -> Self {
        Self { to, secrets, connections: 0 }
    }
}

impl<W: Write> Output for Markdown<W> {
    fn wants(&self) -> Wants {
        Wants::events(EventKinds::CLOSED)
    }

    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        let What::Closed(summary) = event.what else { return Ok(()) };
        if self.connections == 0 {
            self.to.write_all(HEAD)?;
        }
        self.connections += 1;
        // The target is the client's choice: first its secrets, then all that a terminal would obey, then what this format
        // gives a meaning to.
        let request = summary.handshake.request.as_ref();
        let target = request.map_or("".into(), |request| self.secrets.target(&request.target));
        let target = escape::terminal(target.as_bytes()).replace('|', "\\|");
        let (number, server) = (event.connection.number, event.connection.server);
        let messages = summary.traffic.to_server.message_count() + summary.traffic.to_client.message_count();
        writeln!(self.to, "| {number} | {server} | {target} | {} | {messages} |", summary.outcome.as_str())
    }

    fn finish(&mut self, totals: &Totals) -> io::Result<()> {
        writeln!(self.to, "\n{} connections in {} packets", self.connections, totals.packets)?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Reads a capture file, and writes what `output` makes of it.
pub fn export(path: &str, output: impl Output) -> Result<(), Box<dyn Error>> {
    let mut outputs = Outputs::new();
    outputs.add(output);
    let mut analyzer = Analyzer::new(&Options { demand: outputs.demand(), ..Options::default() });
    let mut input = Input::open(&[path])?;
    while let Some(packet) = input.next_packet()? {
        analyzer.packet(&packet, &mut outputs)?;
    }
    analyzer.finish(&mut outputs)?;
    outputs.finish(&analyzer.totals())?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which capture?")?;
    export(&path, Markdown::new(io::stdout().lock(), Secrets::Redact))
}
