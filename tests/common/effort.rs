//! How much random tests try: little in an ordinary run, so that all tests end within minutes, and much in `.ci/run`.

/// `WSLENS_SLOW=1` asks for the large numbers.
pub(crate) fn is_slow() -> bool {
    std::env::var("WSLENS_SLOW").is_ok_and(|value| value == "1")
}

/// The number of cases of a random test: `few`, or `many` with `WSLENS_SLOW=1`. `PROPTEST_CASES` overrides both.
pub(crate) fn cases(few: u32, many: u32) -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    asked.unwrap_or(if is_slow() { many } else { few })
}
