//! The direction of bytes in a connection, and the endpoint that sends them.

use core::fmt;

/// The direction of a byte between the client, which opened the connection, and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// From the client; printed `c2s`.
    ToServer,
    /// From the server; printed `s2c`.
    ToClient,
}

/// One of the two endpoints of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// The endpoint that opened the connection.
    Client,
    /// The endpoint that accepted the connection.
    Server,
}

impl Direction {
    /// Both, the client's first.
    pub const BOTH: [Self; 2] = [Self::ToServer, Self::ToClient];

    /// The other direction.
    #[must_use]
    pub const fn reverse(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }

    /// The endpoint that sends in this direction.
    #[must_use]
    pub const fn sender(self) -> Role {
        match self {
            Self::ToServer => Role::Client,
            Self::ToClient => Role::Server,
        }
    }

    /// `c2s` or `s2c`, as in every table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ToServer => "c2s",
            Self::ToClient => "s2c",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Role {
    /// `client` or `server`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One of something for each direction, so that nothing can be shared between them by accident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PerDirection<T> {
    /// The one for the bytes that the client sends.
    pub to_server: T,
    /// The one for the bytes that the server sends.
    pub to_client: T,
}

impl<T> PerDirection<T> {
    /// The one for `direction`.
    pub const fn get(&self, direction: Direction) -> &T {
        match direction {
            Direction::ToServer => &self.to_server,
            Direction::ToClient => &self.to_client,
        }
    }

    /// The one for `direction`, to change.
    pub const fn get_mut(&mut self, direction: Direction) -> &mut T {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }

    /// Makes one for each direction.
    pub fn from_fn(mut make: impl FnMut(Direction) -> T) -> Self {
        Self { to_server: make(Direction::ToServer), to_client: make(Direction::ToClient) }
    }

    /// Exchanges the two, for when the client turns out to be the server.
    pub const fn swap(&mut self) {
        core::mem::swap(&mut self.to_server, &mut self.to_client);
    }
}
