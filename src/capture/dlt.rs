//! libpcap's own numbers and messages: link types as its functions number them, which for the oldest few differ from the
//! numbers in files, and its error messages.

use pcap::Linktype;

use super::LinkType;

/// Number in files, number in libpcap. Those of libpcap differ between systems: these are right on most of them.
const DIFFERENT: [(u16, i32); 4] = [
    (100, 11),                                                // ATM
    (101, if cfg!(target_os = "openbsd") { 14 } else { 12 }), // raw IP
    (102, 15),                                                // SLIP
    (103, 16),                                                // PPP
];

/// libpcap's number for `link`.
pub(super) fn to_libpcap(link: LinkType) -> Linktype {
    let known = DIFFERENT.iter().find(|(file, _)| *file == link.0);
    Linktype(known.map_or(i32::from(link.0), |&(_, dlt)| dlt))
}

/// The number in files for libpcap's `dlt`.
pub(super) fn from_libpcap(dlt: Linktype) -> LinkType {
    let known = DIFFERENT.iter().find(|&&(_, known)| known == dlt.0);
    LinkType(known.map_or_else(|| u16::try_from(dlt.0).unwrap_or(u16::MAX), |&(file, _)| file))
}

/// libpcap's message, without the prefix that the crate adds.
pub(super) fn message(error: pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(message) => message,
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_agree() {
        for link in [LinkType::NULL, LinkType::ETHERNET, LinkType::RAW, LinkType::LINUX_SLL2, LinkType(103)] {
            assert_eq!(from_libpcap(to_libpcap(link)), link);
        }
        assert_ne!(to_libpcap(LinkType::RAW).0, 101);
        assert_eq!(to_libpcap(LinkType::LINUX_SLL), Linktype(113));
    }
}
