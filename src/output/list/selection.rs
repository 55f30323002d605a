//! Which connections an output shows: all, one by its number, or those whose uid begins with some digits.

use crate::event::{Identity, Uid};

/// The connections that an output shows (`--follow=ID`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Selection {
    /// All of them.
    #[default]
    All,
    /// The one of that number.
    Number(u64),
    /// Those whose uid begins with these digits, in lower case.
    Uid(String),
}

impl Selection {
    /// Reads an ID as a user types it: a connection's number, with or without `#`, or 4 to 32 digits from the beginning of
    /// a uid. Decimal digits alone are a number unless they are too many for one. `None` for anything else.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        let number = id.strip_prefix('#').unwrap_or(id);
        if let Ok(number) = number.parse() {
            return Some(Self::Number(number));
        }
        let digits = (4..=32).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        digits.then(|| Self::Uid(id.to_ascii_lowercase()))
    }

    /// Whether the connection is among them.
    #[inline]
    #[must_use]
    pub fn takes(&self, connection: &Identity) -> bool {
        self.takes_id(connection.number, connection.uid)
    }

    /// Whether the connection of that number and uid is among them.
    pub(super) fn takes_id(&self, number: u64, uid: Uid) -> bool {
        match self {
            Self::All => true,
            Self::Number(only) => *only == number,
            Self::Uid(prefix) => uid.to_string().starts_with(prefix),
        }
    }

    /// Whether it needs the connection's number over the whole input, which a worker does not know.
    pub(super) const fn needs_number(&self) -> bool {
        matches!(self, Self::Number(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_as_they_are_typed() {
        assert_eq!(Selection::parse("12"), Some(Selection::Number(12)));
        assert_eq!(Selection::parse("#12"), Some(Selection::Number(12)));
        assert_eq!(Selection::parse("BEEF01"), Some(Selection::Uid("beef01".into())));
        assert_eq!(Selection::parse(&"1".repeat(32)), Some(Selection::Uid("1".repeat(32))));
        for wrong in ["", "abc", "xyz12", "-1", "#beef", &"a".repeat(33)] {
            assert_eq!(Selection::parse(wrong), None, "{wrong}");
        }
    }
}
