//! The settings with which a client asks to go from HTTP/1.1 to HTTP/2, in its HTTP2-Settings field (format): "the payload
//! of a SETTINGS frame … encoded as a base64url string (that is, the URL- and filename-safe Base64 encoding described in
//! Section 5 of \[RFC4648\], with any trailing '=' characters omitted)" (RFC 7540 §3.2.1).
//!
//! In: the fields of the request. Out: the settings that can be read, and the first fault of the value.
//! Padding that was not omitted is understood, and the unused bits of the last character are ignored. What the settings
//! mean is known to [`H2`](super::H2), which takes them "as though they were in a SETTINGS frame".

use base64::alphabet::URL_SAFE as ALPHABET;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, Engine as _};

use super::frame::Setting;
use crate::http::head::Fields;
use crate::types::{Detail, FindingCode, PacketRef};

/// Settings that are kept, as many as a frame can reasonably have; curl sends 3.
const MAX_SETTINGS: usize = 32;

const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The settings of an upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpgradeSettings {
    settings: Vec<Setting>,
    fault: Option<UpgradeSettingsFault>,
    /// The packet that ended the request's head.
    seen: PacketRef,
}

/// A fault in the value of an HTTP2-Settings field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpgradeSettingsFault {
    /// A character outside base64url's alphabet, or padding where none can be. No setting is read.
    Character {
        /// Where, in characters of the value, from 0.
        at: usize,
    },
    /// 4n + 1 characters, which encode no whole number of bytes. No setting is read.
    Length {
        /// How many characters.
        characters: usize,
    },
    /// The payload ends inside a setting. Those before it are read.
    CutOff {
        /// Bytes of the last setting that are there: 1 to 5.
        bytes: usize,
    },
    /// More settings than are kept. The first 32 are read.
    TooMany {
        /// How many.
        settings: usize,
    },
}

impl UpgradeSettings {
    /// Reads the first HTTP2-Settings field of a request's head, which ended in that packet. Without one there are no
    /// settings.
    #[must_use]
    pub fn from_fields(fields: &Fields<'_>, seen: PacketRef) -> Self {
        Self { seen, ..fields.first("HTTP2-Settings").map_or_else(Self::default, Self::parse) }
    }

    /// Reads the value of an HTTP2-Settings field.
    #[must_use]
    pub fn parse(value: &[u8]) -> Self {
        let value = value.trim_ascii();
        let bytes = match URL_SAFE.decode(value) {
            Ok(bytes) => bytes,
            Err(error) => return Self { fault: Some(UpgradeSettingsFault::of(error, value)), ..Self::default() },
        };
        let (settings, rest) = bytes.as_chunks();
        let fault = if settings.len() > MAX_SETTINGS {
            Some(UpgradeSettingsFault::TooMany { settings: settings.len() })
        } else if rest.is_empty() {
            None
        } else {
            Some(UpgradeSettingsFault::CutOff { bytes: rest.len() })
        };
        Self { settings: settings.iter().take(MAX_SETTINGS).map(Setting::parse).collect(), fault, ..Self::default() }
    }

    /// The settings that could be read, in order.
    #[must_use]
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }

    /// The first fault of the value, and the packet that shows it.
    #[must_use]
    pub fn fault(&self) -> Option<(UpgradeSettingsFault, PacketRef)> {
        self.fault.map(|fault| (fault, self.seen))
    }

    /// Bytes that it keeps besides itself.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.settings.capacity() * size_of::<Setting>()
    }
}

impl UpgradeSettingsFault {
    /// The finding that reports it, with its detail.
    #[must_use]
    pub const fn finding(self) -> (FindingCode, Detail) {
        let code = match self {
            Self::Character { .. } | Self::Length { .. } | Self::CutOff { .. } => FindingCode::Http2Error,
            Self::TooMany { .. } => FindingCode::Http2Flood,
        };
        (code, self.detail())
    }

    const fn detail(self) -> Detail {
        match self {
            Self::Character { at } => Detail::Number("HTTP2-Settings is not base64url from its byte # on", at as u64),
            Self::Length { characters } => {
                Detail::Number("HTTP2-Settings has # characters, which no base64url has", characters as u64)
            }
            Self::CutOff { bytes } => {
                Detail::Number("HTTP2-Settings ends after # of the 6 bytes of a setting", bytes as u64)
            }
            Self::TooMany { settings } => Detail::Numbers(
                "HTTP2-Settings has # settings, # of them are read",
                settings as u64,
                MAX_SETTINGS as u64,
            ),
        }
    }

    fn of(error: DecodeError, value: &[u8]) -> Self {
        match error {
            DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol { offset: at, .. } => {
                Self::Character { at }
            }
            DecodeError::InvalidLength(_) => Self::Length { characters: value.len() },
            DecodeError::InvalidPadding => Self::Character { at: memchr::memchr(b'=', value).unwrap_or(value.len()) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What curl 8 sends: MAX_CONCURRENT_STREAMS 100, INITIAL_WINDOW_SIZE 32 MiB, ENABLE_PUSH 0.
    const CURL: &str = "AAMAAABkAAQCAAAAAAIAAAAA";
    const OF_CURL: [(u16, u32); 3] = [(3, 100), (4, 0x0200_0000), (2, 0)];

    fn read(value: &str) -> (Vec<(u16, u32)>, Option<UpgradeSettingsFault>) {
        let upgrade = UpgradeSettings::parse(value.as_bytes());
        let pairs = upgrade.settings().iter().map(|setting| (setting.id, setting.value)).collect();
        (pairs, upgrade.fault().map(|(fault, _)| fault))
    }

    #[test]
    fn settings_of_an_upgrade_are_read() {
        assert_eq!(read(CURL), (OF_CURL.to_vec(), None));
        assert_eq!(read(" AAMAAABkAAQAAP__ "), (vec![(3, 100), (4, 65535)], None));
        assert_eq!(read(""), (vec![], None));
    }

    /// Whole groups of four are 3 bytes, half a setting; a group of one character is no byte.
    #[test]
    fn a_value_cut_short_at_every_length_gives_the_settings_before_the_cut_and_says_where_it_ends() {
        for len in 0..=CURL.len() {
            let bytes = len * 3 / 4;
            let expected = match (len % 4, bytes % 6) {
                (1, _) => (vec![], Some(UpgradeSettingsFault::Length { characters: len })),
                (_, 0) => (OF_CURL[..bytes / 6].to_vec(), None),
                (_, rest) => (OF_CURL[..bytes / 6].to_vec(), Some(UpgradeSettingsFault::CutOff { bytes: rest })),
            };
            assert_eq!(read(&CURL[..len]), expected, "{len} characters");
        }
    }

    #[test]
    fn padding_is_understood_where_it_can_be() {
        let cut = |bytes| Some(UpgradeSettingsFault::CutOff { bytes });
        assert_eq!(read("AAMAAABkAA=="), (vec![(3, 100)], cut(1)));
        assert_eq!(read("AAMAAABkAA="), (vec![(3, 100)], cut(1)));
        assert_eq!(read("AAMAAABkAAQ="), (vec![(3, 100)], cut(2)));
        for (value, at) in [("AAMAAABk=", 8), ("=", 0), ("AAMA====", 4), ("AA==AABk", 2)] {
            assert_eq!(read(value), (vec![], Some(UpgradeSettingsFault::Character { at })), "{value}");
        }
    }

    #[test]
    fn characters_of_another_alphabet_are_named_by_their_place() {
        for (value, at) in [("AAMAAABkAAQAAP//", 14), ("AAMA+ABk", 4), ("AA AAABk", 2), ("\u{e9}AMAAABk", 0)] {
            assert_eq!(read(value), (vec![], Some(UpgradeSettingsFault::Character { at })), "{value}");
        }
    }

    #[test]
    fn no_more_than_32_settings_are_kept() {
        let (settings, fault) = read(&"AAMAAABk".repeat(32));
        assert_eq!((settings.len(), fault), (32, None));
        let (settings, fault) = read(&"AAMAAABk".repeat(33));
        assert_eq!((settings.len(), fault), (32, Some(UpgradeSettingsFault::TooMany { settings: 33 })));
        let text = fault.map(|fault| fault.detail().to_string());
        assert_eq!(text.as_deref(), Some("HTTP2-Settings has 33 settings, 32 of them are read"));
    }
}
