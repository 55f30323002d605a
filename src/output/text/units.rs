//! Numbers for people: three digits, in the unit that fits.

/// `1,204,733`
pub(super) fn count(value: u64) -> String {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(value);
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 frame`, `2 frames`
pub(super) fn counted(value: u64, one: &str, many: &str) -> String {
    if value == 1 { format!("1 {one}") } else { format!("{} {many}", count(value)) }
}

/// `512 B`, `1.25 KiB`, `64.0 MiB`
pub(crate) fn bytes(value: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if value < 1024 {
        return format!("{value} B");
    }
    for (place, name) in (1_u32..).zip(UNITS) {
        let unit = 1_u64 << (10 * place);
        // Rounded first: 1023.9 KiB would be written as 1024.
        if value.saturating_add(unit / 2) >> (10 * place) < 1024 || name == "EiB" {
            return three_digits(value, unit, name);
        }
    }
    String::new()
}

/// So many of a unit, with three digits: `1.25 s`, `12.5 s`, `125 s`.
fn three_digits(value: u64, unit: u64, name: &str) -> String {
    let rounded = |scale: u64| match value.checked_mul(scale).and_then(|scaled| scaled.checked_add(unit / 2)) {
        Some(scaled) => u128::from(scaled / unit),
        None => (u128::from(value) * u128::from(scale) + u128::from(unit) / 2) / u128::from(unit),
    };
    match (rounded(100), rounded(10)) {
        (hundredths @ 0..1_000, _) => format!("{}.{:02} {name}", hundredths / 100, hundredths % 100),
        (_, tenths @ 0..1_000) => format!("{}.{} {name}", tenths / 10, tenths % 10),
        _ => format!("{} {name}", rounded(1)),
    }
}

/// Microseconds: `850 µs`, `12.3 ms`, `1.25 s`, `2 min 03 s`, `1 h 02 min`, `3 d 04 h`
pub(crate) fn micros(value: u64) -> String {
    let seconds = value.saturating_add(500_000) / 1_000_000;
    match value {
        0..1_000 => format!("{value} µs"),
        1_000..999_500 => three_digits(value, 1_000, "ms"),
        999_500..60_000_000 if seconds < 60 => three_digits(value, 1_000_000, "s"),
        _ if seconds < 3_600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ if seconds < 86_400 => format!("{} h {:02} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// Microseconds, from a second on to the millisecond: `850 µs`, `12.3 ms`, `60.002 s`
pub(super) fn exact_seconds(value: u64) -> String {
    if value < 1_000_000 {
        return micros(value);
    }
    let millis = value / 1_000;
    format!("{}.{:03} s", count(millis / 1_000), millis % 1_000)
}

/// A part in percent of all: `14.2 %`; empty where all is 0.
pub(super) fn percent(part: u64, all: u64) -> String {
    let Some(permille) = (u128::from(part) * 1_000 + u128::from(all) / 2).checked_div(u128::from(all)) else {
        return String::new();
    };
    format!("{}.{} %", permille / 10, permille % 10)
}

/// How many times `small` goes into `large`: `4.2×`; empty where `small` is 0.
pub(super) fn times(large: u64, small: u64) -> String {
    let Some(tenths) = (u128::from(large) * 10 + u128::from(small) / 2).checked_div(u128::from(small)) else {
        return String::new();
    };
    format!("{}.{}×", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_digits() {
        let cases = [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.00 KiB"),
            (1280, "1.25 KiB"),
            (10_235, "10.0 KiB"),
            (12_800, "12.5 KiB"),
            (102_350, "100 KiB"),
            (1_048_064, "1.00 MiB"),
            (1_047_000, "1022 KiB"),
            (1 << 20, "1.00 MiB"),
            (64 << 20, "64.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ];
        for (value, text) in cases {
            assert_eq!(bytes(value), text, "{value}");
        }
    }

    #[test]
    fn times_fit_their_unit() {
        let cases = [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_000, "1.00 ms"),
            (12_345, "12.3 ms"),
            (999_499, "999 ms"),
            (999_500, "1.00 s"),
            (12_345_678, "12.3 s"),
            (59_499_999, "59.5 s"),
            (59_999_999, "1 min 00 s"),
            (62_000_000, "1 min 02 s"),
            (3_599_600_000, "1 h 00 min"),
            (90_000_000_000, "1 d 01 h"),
        ];
        for (value, text) in cases {
            assert_eq!(micros(value), text, "{value}");
        }
        assert!(micros(u64::MAX).ends_with(" h"));
        assert_eq!((exact_seconds(0), exact_seconds(151_400)), ("0 µs".into(), "151 ms".into()));
        assert_eq!((exact_seconds(999_499), exact_seconds(1_000_000)), ("999 ms".into(), "1.000 s".into()));
        assert_eq!(exact_seconds(60_002_900), "60.002 s");
        assert_eq!(exact_seconds(3_600_000_000), "3,600.000 s");
    }

    #[test]
    fn parts_and_multiples() {
        assert_eq!(
            (percent(142, 1_000), percent(0, 0), percent(u64::MAX, u64::MAX)),
            ("14.2 %".into(), String::new(), "100.0 %".into())
        );
        assert_eq!((times(42, 10), times(0, 10), times(1, 0)), ("4.2×".into(), "0.0×".into(), String::new()));
        assert_eq!(
            (count(0), count(999), count(1_000), count(u64::MAX)),
            ("0".into(), "999".into(), "1,000".into(), "18,446,744,073,709,551,615".into())
        );
        assert_eq!(
            (counted(1, "frame", "frames"), counted(1_200, "frame", "frames")),
            ("1 frame".into(), "1,200 frames".into())
        );
    }
}
