//! Secrets and what only looks like one.

use proptest::prelude::*;

use super::*;

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
const UUID: &str = "3f2b8c1e-0d4a-4c55-9f61-2d7a90b1c3e4";
const OPAQUE: &str = "Zk3Jq9vXr7LmT2bNc8WdYf5HsA1gKp6EuR0iOa4t";

fn target(text: &str) -> String {
    Secrets::Redact.target(text).into_owned()
}

#[test]
fn the_contract_s_example() {
    let text = target(&format!("/chat?room=1&token={UUID}&v=2"));
    let hash = &format!("{:x}", u32::from_be_bytes(Sha1::digest(UUID)[..4].try_into().unwrap()))[..6];
    assert_eq!(text, format!("/chat?room=1&token=[redacted 36 chars, {hash}]&v=2"));
    assert_eq!(Secrets::Show.target("/?token=abc"), "/?token=abc");
}

#[test]
fn every_name_that_is_said_to_be_secret() {
    for name in [
        "token",
        "access_token",
        "access%5Ftoken",
        "ACCESS-TOKEN",
        "jwt",
        "auth",
        "api_key",
        "apikey",
        "key",
        "sid",
        "session",
        "password",
        "secret",
        "signature",
        "code",
        "X-Amz-Signature",
        "X-Amz-Credential",
        "auth[token]",
        "PHPSESSID",
        "client_secret",
        "subscription-key",
        "authToken",
    ] {
        assert_eq!(target(&format!("/ws?a=1&{name}=hunter2#x=y")), format!("/ws?a=1&{name}=[redacted 7 chars]#x=y"));
    }
    for ordinary in ["/ws?room=lobby&user=ann&author=bob&EIO=4&transport=websocket&v=1.2.3", "/?token=", "/", "*", ""] {
        assert!(matches!(Secrets::Redact.target(ordinary), Cow::Borrowed(same) if same == ordinary), "{ordinary}");
    }
}

#[test]
fn secrets_by_their_looks_wherever_they_are() {
    let secrets = [JWT, OPAQUE, "0123456789abcdef0123456789abcdef", "Bearer%20abc", "ghp_0123456789abcdefghij"];
    for secret in secrets {
        let text = target(&format!("/ws?x={secret}"));
        assert!(text.starts_with("/ws?x=[redacted ") && !text.contains(secret), "{text}");
    }
    assert!(!target(&format!("/u/{JWT}/ws")).contains(JWT));
    assert!(!target(&format!("/ws?{JWT}")).contains(JWT));
    assert!(!target(&format!("/cb#access_token={UUID}")).contains(UUID));
    assert!(!target(&format!("/ws;jsessionid={UUID}?x=1")).contains(UUID));
    assert!(!target(&format!("/ws?next=%2Fa%3Fx%3D1%26token%3D{UUID}")).contains(UUID));
    assert_eq!(target("wss://user:pass@host:1/p?q=1"), "wss://[redacted 9 chars]@host:1/p?q=1");
    assert_eq!(target("http://h/a@b?u=ws://c@d"), "http://h/a@b?u=ws://c@d");
    let ordinary = format!(
        "/rooms/{UUID}/containers/{}/attach?id={UUID}&file=some/long/path/with/words/and/1234/x",
        "ab".repeat(32)
    );
    assert_eq!(target(&ordinary), ordinary);
}

#[test]
fn equal_secrets_look_equal_and_short_ones_give_nothing_away() {
    let marked = |text: &str| target(text).split_once('=').unwrap().1.to_owned();
    assert_eq!(marked(&format!("/?token={OPAQUE}")), marked(&format!("/?key=%5A{}", &OPAQUE[1..])));
    assert_ne!(marked(&format!("/?token={OPAQUE}")), marked(&format!("/?token={}x", &OPAQUE[1..])));
    assert_eq!(marked("/?pin_code=1&code=1234"), "1&code=[redacted 4 chars]");
}

#[test]
fn bearers_in_sub_protocols() {
    let safe = |name: &str| Secrets::Redact.subprotocol(name, None).into_owned();
    assert!(
        safe("base64url.bearer.authorization.k8s.io.c2VjcmV0")
            .starts_with("base64url.bearer.authorization.k8s.io.[redacted 8 ")
    );
    assert_eq!(safe("authorization.bearer.abc"), "authorization.bearer.[redacted 3 chars]");
    assert!(safe(JWT).starts_with("[redacted "));
    assert!(safe(OPAQUE).starts_with("[redacted "));
    assert!(safe(&format!("jwt-{OPAQUE}")).starts_with("jwt-[redacted 40 "));
    assert_eq!(safe("token=hunter2"), "token=[redacted 7 chars]");
    for name in [
        "chat.v1",
        "graphql-transport-ws",
        "v12.stomp",
        "v1.kernel.websocket.jupyter.org",
        "mqtt",
        "auth-v1",
        "v5.channel.k8s.io",
        "wamp.2.msgpack.batched",
        "ocpp2.0.1",
        "hub.bsc.bacnet.org",
        "token",
        "com.example.a.rather.long.name.v10",
    ] {
        assert_eq!(safe(name), name);
    }
    assert!(Secrets::Redact.subprotocol("hunter2hunter2hunter2", Some("access_token")).starts_with("[redacted 21"));
    assert_eq!(Secrets::Redact.subprotocol("graphql-transport-ws", Some("access_token")), "graphql-transport-ws");
    let offered = ["bearer".to_owned(), "hunter2hunter2hunter2".to_owned()];
    assert!(Secrets::Redact.chosen("hunter2hunter2hunter2", &offered).starts_with("[redacted"));
    assert_eq!(Secrets::Redact.chosen("bearer", &offered), "bearer");
}

#[test]
fn sentences_quote_no_secret() {
    let text = format!(
        "the server chose \"bearer.{OPAQUE}\", not one of chat.v1, {JWT}; target /x?token={UUID}, and Upgrade is absent"
    );
    let safe = Secrets::Redact.sentence(&text);
    assert!(!safe.contains(OPAQUE) && !safe.contains(JWT) && !safe.contains(UUID), "{safe}");
    assert!(safe.starts_with("the server chose \"bearer.[redacted 40 chars, "), "{safe}");
    assert!(safe.ends_with(", and Upgrade is absent"), "{safe}");
}

proptest! {
    /// Any text: no panic, and what is not redacted is as it was.
    #[test]
    fn any_text(text in any::<String>()) {
        for safe in [Secrets::Redact.target(&text), Secrets::Redact.sentence(&text), Secrets::Redact.subprotocol(&text, Some("token"))] {
            prop_assert!(safe.contains("[redacted") || safe == text, "{} {}", safe, text);
        }
    }

    #[test]
    fn a_named_secret_never_shows(before in "[a-z/?&=#;:@%]{0,12}", secret in "[A-Za-z0-9]{9,40}", after in "[a-z/?&=#;]{0,8}") {
        let text = format!("/{before}?token={secret}&{after}");
        prop_assert!(!target(&text).contains(&secret), "{}", target(&text));
    }
}
