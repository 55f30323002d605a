//! The bytes that handshakes keep: a hostile head is full of text.

use super::{CheckedRequest, CheckedResponse, Handshake, Request, Response};
use crate::websocket::violation::Violation;

impl Handshake {
    /// Bytes that it keeps besides itself.
    #[must_use]
    pub fn held(&self) -> usize {
        self.request.as_ref().map_or(0, Request::held) + self.response.as_ref().map_or(0, Response::held)
    }
}

impl Request {
    /// Bytes that it keeps besides itself.
    #[must_use]
    pub fn held(&self) -> usize {
        let fields =
            [&self.host, &self.origin, &self.user_agent, &self.version, &self.key, &self.authorization, &self.via];
        self.method.capacity()
            + self.target.capacity()
            + texts(fields)
            + list(&self.subprotocols)
            + list(&self.extensions)
    }
}

impl Response {
    /// Bytes that it keeps besides itself.
    #[must_use]
    pub fn held(&self) -> usize {
        let fields = [&self.accept, &self.subprotocol, &self.version, &self.server, &self.location];
        self.reason.capacity() + texts(fields) + list(&self.extensions)
    }
}

impl CheckedRequest {
    /// Bytes that it keeps besides itself.
    #[must_use]
    pub fn held(&self) -> usize {
        self.request.held() + texts([&self.accept]) + violations(&self.violations)
    }
}

impl CheckedResponse {
    /// Bytes that it keeps besides itself.
    #[must_use]
    pub fn held(&self) -> usize {
        self.response.held() + violations(&self.violations)
    }
}

fn texts<const N: usize>(texts: [&Option<String>; N]) -> usize {
    texts.into_iter().flatten().map(String::capacity).sum()
}

fn list(texts: &Vec<String>) -> usize {
    texts.capacity() * size_of::<String>() + texts.iter().map(String::capacity).sum::<usize>()
}

fn violations(violations: &Vec<Violation>) -> usize {
    let details: usize = violations.iter().map(|(_, detail)| detail.held()).sum();
    violations.capacity() * size_of::<Violation>() + details
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_texts_count() {
        let mut request = Request { target: "x".repeat(1000), ..Request::default() };
        assert!(request.held() >= 1000);
        request.via = Some("y".repeat(500));
        request.subprotocols = vec!["z".repeat(300), String::new()];
        assert!(request.held() >= 1800 + 2 * size_of::<String>());
        let response = Response { location: Some("l".repeat(100)), ..Response::default() };
        let handshake = Handshake { request: Some(request.clone()), response: Some(response), ..Handshake::default() };
        assert!(handshake.held() >= request.held() + 100);
    }
}
