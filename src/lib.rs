//! wslens: every WebSocket conversation in a packet capture.

pub mod capture;
pub mod event;
pub mod ground;
pub mod http;
pub mod net;
pub mod tcp;
pub mod websocket;
