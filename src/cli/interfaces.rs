//! `wslens interfaces`: the interfaces that can be sniffed.
//!
//! ```text
//! eth0  up, 192.0.2.7, fe80::1
//! lo    up, loopback, 127.0.0.1, ::1
//! ```

use std::io::Write;

use anyhow::Result;
use wslens::capture::{Interface, interfaces};

use super::diagnostics;

/// Lists them.
///
/// # Errors
/// When the system does not list them, or `out` cannot be written.
pub(super) fn list(out: &mut impl Write) -> Result<()> {
    let interfaces = interfaces()?;
    let width = interfaces.iter().map(|interface| interface.name.chars().count()).max().unwrap_or(0);
    for interface in &interfaces {
        let description = interface.description.iter().map(|text| format!("  ({text})")).collect::<String>();
        writeln!(out, "{:width$}  {}{description}", interface.name, properties(interface).join(", "))?;
    }
    if interfaces.is_empty() {
        diagnostics::warning("none that this user may sniff; try as root (sudo)");
    }
    Ok(())
}

fn properties(interface: &Interface) -> Vec<String> {
    let Interface { up, loopback, wireless, ref addresses, .. } = *interface;
    let flags = [(up, "up"), (!up, "down"), (loopback, "loopback"), (wireless, "wireless")];
    let names = flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name.to_owned());
    names.chain(addresses.iter().map(ToString::to_string)).collect()
}
