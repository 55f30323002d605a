use super::*;
use FindingCode::{ExtensionNotOffered, ExtensionParamsInvalid};

fn list(value: &str) -> Vec<String> {
    elements(value).map(str::to_owned).collect()
}

/// What that offer and that response negotiate, and the findings with their details.
fn negotiated(offer: &str, answer: &str) -> (Option<Deflate>, Vec<(FindingCode, String)>) {
    let (negotiated, wrong) = negotiate(Some(&list(offer)), &list(answer));
    (negotiated.deflate, wrong.into_iter().map(|(code, detail)| (code, detail.to_string())).collect())
}

/// A negotiation in which nothing is wrong: which side resets its context, and the windows, the server's first.
#[track_caller]
fn agreed(offer: &str, answer: &str) -> (bool, bool, u8, u8) {
    assert_eq!(check_offers(&list(offer)), [], "{offer}");
    let (deflate, wrong) = negotiated(offer, answer);
    assert_eq!(wrong, [], "{offer} / {answer}");
    let deflate = deflate.unwrap();
    (
        deflate.server_no_context_takeover,
        deflate.client_no_context_takeover,
        deflate.server_max_window_bits,
        deflate.client_max_window_bits,
    )
}

/// A response with one fault, which is applied nevertheless.
#[track_caller]
fn invalid_answer(offer: &str, answer: &str, sentence: &str) -> Deflate {
    let (deflate, wrong) = negotiated(offer, answer);
    assert_eq!(wrong, [(ExtensionParamsInvalid, sentence.to_owned())], "{offer} / {answer}");
    deflate.unwrap()
}

#[test]
fn the_grammar() {
    assert_eq!(list("a, b;c=\"x,y\\\",z\" ,, d"), ["a", "b;c=\"x,y\\\",z\"", "d"]);
    assert_eq!(list("  "), Vec::<String>::new());
    let offer = ExtensionOffer::parse("foo ; a ; b = 1;c=\"2\";d=\"\\3\\\\;4\"");
    assert_eq!(offer.name, "foo");
    let parameters: Vec<_> = offer.parameters.iter().map(|(name, value)| (*name, value.as_deref())).collect();
    assert_eq!(parameters, [("a", None), ("b", Some("1")), ("c", Some("2")), ("d", Some("3\\;4"))]);
    for (text, well_formed) in [
        ("foo", true),
        ("foo; x=\"10\"", true),
        ("foo;x ;y=z", true),
        ("foo; x=\"1 0\"", false),
        ("foo; x=", false),
        ("foo;", false),
        ("foo; =1", false),
        ("; x", false),
        ("foo bar", false),
        ("foo; x=\"10", false),
    ] {
        assert_eq!(ExtensionOffer::parse(text).is_well_formed(), well_formed, "{text}");
    }
}

#[test]
fn any_text_has_some_name_and_parameters() {
    for text in
        ["", ";", "=", "\"", "\\", "a;\"\\", ";;==\"\"", "\u{e9};\u{1f600}=\"\u{1f600}\"", "a=\"\\\"", "=\"\"\"\";\\"]
    {
        for len in (0..=text.len()).filter(|len| text.is_char_boundary(*len)) {
            let _ = ExtensionOffer::parse(&text[..len]).is_well_formed();
            let _ = negotiated(&text[..len], text);
        }
    }
}

#[test]
fn negotiations_of_real_clients_and_servers() {
    // Chromium with ws.
    let chromium = "permessage-deflate; client_max_window_bits";
    assert_eq!(agreed(chromium, "permessage-deflate"), (false, false, 15, 15));
    assert_eq!(agreed(chromium, "permessage-deflate; client_max_window_bits=11"), (false, false, 15, 11));
    // Firefox, which offers no parameters.
    assert_eq!(agreed("permessage-deflate", "permessage-deflate"), (false, false, 15, 15));
    // websockets (Python), both sides.
    let python = "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12";
    let answer = "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12";
    assert_eq!(agreed(python, answer), (false, false, 12, 12));
    // ws as a client that wants all of it.
    let ws = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits";
    let answer = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=8";
    assert_eq!(agreed(ws, answer), (true, true, 9, 8));
    // Not agreed, and that is right too.
    assert_eq!(negotiated(chromium, ""), (None, vec![]));
    assert_eq!(negotiated("", ""), (None, vec![]));
}

#[test]
fn the_examples_of_rfc_7692() {
    // §7.1.3, and the second, with a fallback.
    assert_eq!(agreed("permessage-deflate", "permessage-deflate"), (false, false, 15, 15));
    let offers = "permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate; client_max_window_bits";
    assert_eq!(agreed(offers, "permessage-deflate; server_max_window_bits=10"), (false, false, 10, 15));
    assert_eq!(agreed(offers, "permessage-deflate"), (false, false, 15, 15));
    assert_eq!(
        agreed("permessage-deflate; server_max_window_bits=\"10\"", "permessage-deflate; server_max_window_bits=10").2,
        10
    );
}

#[test]
fn a_server_may_restrict_itself_more_than_was_asked_for() {
    let offer = "permessage-deflate; client_max_window_bits=12";
    assert_eq!(agreed(offer, "permessage-deflate; server_no_context_takeover"), (true, false, 15, 12));
    assert_eq!(
        agreed(offer, "permessage-deflate; client_no_context_takeover; server_max_window_bits=8"),
        (false, true, 8, 12)
    );
    // A client that offers a value uses no larger window, whatever the answer allows.
    assert_eq!(agreed(offer, "permessage-deflate; client_max_window_bits=15").3, 12);
    assert_eq!(agreed(offer, "permessage-deflate; client_max_window_bits=9").3, 9);
    // The client's own no_context_takeover is a hint.
    assert_eq!(agreed("permessage-deflate; client_no_context_takeover", "permessage-deflate"), (false, false, 15, 15));
}

#[test]
fn responses_that_the_offer_does_not_allow() {
    let deflate = invalid_answer(
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits=10",
        "client_max_window_bits is in the answer and not in the offer",
    );
    assert_eq!(deflate.client_max_window_bits, 10);
    let deflate = invalid_answer(
        "permessage-deflate; server_max_window_bits=10",
        "permessage-deflate; server_max_window_bits=11",
        "server_max_window_bits=11, more than the 10 asked for",
    );
    assert_eq!(deflate.server_max_window_bits, 11);
    let deflate = invalid_answer(
        "permessage-deflate; server_max_window_bits=10",
        "permessage-deflate",
        "server_max_window_bits was asked for and is not in the answer",
    );
    assert_eq!(deflate.server_max_window_bits, 15);
    let deflate = invalid_answer(
        "permessage-deflate; server_no_context_takeover",
        "permessage-deflate",
        "server_no_context_takeover was asked for and is not in the answer",
    );
    assert!(!deflate.server_no_context_takeover);
    invalid_answer("permessage-deflate; x", "permessage-deflate", "it accepts an offer that has to be declined");
    // Of several offers the one that fits best counts.
    invalid_answer(
        "permessage-deflate; server_max_window_bits=10; server_no_context_takeover, permessage-deflate; server_max_window_bits=9",
        "permessage-deflate",
        "server_max_window_bits was asked for and is not in the answer",
    );
}

#[test]
fn responses_that_are_wrong_in_themselves() {
    let offer = "permessage-deflate; client_max_window_bits";
    for (parameter, sentence) in [
        ("server_max_window_bits=7", "server_max_window_bits=7, not 8 to 15"),
        ("server_max_window_bits=16", "server_max_window_bits=16, not 8 to 15"),
        ("server_max_window_bits=08", "server_max_window_bits=08, not 8 to 15"),
        ("server_max_window_bits=1000000000000000000000", "server_max_window_bits=1000000000000000000000, not 8 to 15"),
        ("client_max_window_bits=+9", "client_max_window_bits=+9, not 8 to 15"),
        ("server_max_window_bits", "server_max_window_bits has no value"),
        ("client_max_window_bits", "client_max_window_bits has no value"),
        ("server_no_context_takeover=1", "server_no_context_takeover has a value, 1"),
        ("client_no_context_takeover=true", "client_no_context_takeover has a value, true"),
        ("x", "unknown parameter x"),
        ("Server_no_context_takeover", "unknown parameter Server_no_context_takeover"),
        ("client_no_context_takeover; client_no_context_takeover", "client_no_context_takeover is repeated"),
        ("server_max_window_bits=15; server_max_window_bits=15", "server_max_window_bits is repeated"),
    ] {
        let deflate = invalid_answer(offer, &format!("permessage-deflate; {parameter}"), sentence);
        assert_eq!((deflate.server_max_window_bits, deflate.client_max_window_bits), (15, 15), "{parameter}");
    }
    let deflate = invalid_answer(
        offer,
        "permessage-deflate; server_max_window_bits=9; server_max_window_bits=10",
        "server_max_window_bits is repeated",
    );
    assert_eq!(deflate.server_max_window_bits, 9);
    invalid_answer(offer, "permessage-deflate;", "permessage-deflate; is not in the form of RFC 6455 §9.1");
    invalid_answer(offer, "permessage-deflate, permessage-deflate", "permessage-deflate is chosen twice");
}

#[test]
fn offers_that_have_to_be_declined() {
    let faults = |offer: &str| -> Vec<_> {
        check_offers(&list(offer)).into_iter().map(|(code, detail)| (code, detail.to_string())).collect()
    };
    for (offer, sentence) in [
        ("permessage-deflate; server_max_window_bits", "offer: server_max_window_bits has no value"),
        ("permessage-deflate; client_max_window_bits=99", "offer: client_max_window_bits=99, not 8 to 15"),
        ("permessage-deflate; foo=bar", "offer: unknown parameter foo"),
        (
            "a, permessage-deflate; client_max_window_bits; client_max_window_bits",
            "offer: client_max_window_bits is repeated",
        ),
        ("permessage-deflate; x=\"", "offer permessage-deflate; x=\" is not in the form of RFC 6455 §9.1"),
        ("foo bar", "offer foo bar is not in the form of RFC 6455 §9.1"),
    ] {
        assert_eq!(faults(offer), [(ExtensionParamsInvalid, sentence.to_owned())], "{offer}");
    }
    // Others may have any parameters.
    assert_eq!(faults("x-webkit-deflate-frame; no_context_takeover, permessage-bzip2; y=8"), []);
}

#[test]
fn extensions_that_were_not_offered() {
    let not_offered = |text: &str| vec![(ExtensionNotOffered, text.to_owned())];
    let (deflate, wrong) = negotiated("", "permessage-deflate; server_max_window_bits=10");
    assert_eq!(
        (deflate.unwrap().server_max_window_bits, wrong),
        (10, not_offered("permessage-deflate; server_max_window_bits=10"))
    );
    assert_eq!(negotiated("permessage-deflate", "x-foo"), (None, not_offered("x-foo")));
    assert_eq!(negotiated("x-foo, x-bar;a", "x-bar;b"), (None, vec![]));
    // Another case is another name, and is used nevertheless.
    let (deflate, wrong) = negotiated("permessage-deflate", "Permessage-Deflate");
    assert_eq!((deflate, wrong), (Some(Deflate::default()), not_offered("Permessage-Deflate")));
    // Without the request, the offers are not known.
    let (negotiated, wrong) = negotiate(None, &list("x-foo, permessage-deflate; client_max_window_bits=10"));
    assert_eq!((negotiated.deflate.unwrap().client_max_window_bits, wrong), (10, vec![]));
}
