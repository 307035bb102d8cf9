//! Values of options as people write them: durations, sizes, switches.

use std::time::Duration;

const DURATIONS: [(&str, f64); 7] =
    [("ms", 0.001), ("s", 1.0), ("sec", 1.0), ("m", 60.0), ("min", 60.0), ("h", 3600.0), ("d", 86_400.0)];

const SIZES: [(&str, u64); 7] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// The longest duration an option takes: a hundred days. Longer ones are typing errors.
const LONGEST: Duration = Duration::from_secs(100 * 86_400);

/// A file's name is no longer on any system.
const LONGEST_NAME: usize = 255;

/// The longest prefix of a tool's name: clients put their own before it, and some take 64 characters in all.
const LONGEST_PREFIX: usize = 24;

/// So many names at most: each process of a twin is compared with all of them.
const MOST_NAMES: usize = 64;

/// Reads `100ms`, `2s`, `1.5s`, `5m`, `1h`, `2d`; `0` needs no unit.
///
/// # Errors
/// What is wrong, as a fragment.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let factor = DURATIONS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    let (Ok(number), Some(factor)) = (number.parse::<f64>(), factor) else {
        return Err("a duration such as `100ms`, `2s`, `5m` or `1h` is wanted".to_owned());
    };
    match Duration::try_from_secs_f64(number * factor) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err("a duration of at most 100 days is wanted".to_owned()),
    }
}

/// Writes a duration with the largest unit that needs no fraction.
pub(super) fn show_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 {
        return "0".to_owned();
    }
    let (unit, size) = [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)]
        .into_iter()
        .find(|(_, size)| millis.is_multiple_of(*size))
        .unwrap_or(("ms", 1));
    format!("{}{unit}", millis / size)
}

/// Reads a command line, or `none`.
///
/// # Errors
/// There is nothing in it.
pub(super) fn line(text: &str) -> Result<Option<String>, String> {
    match text.trim() {
        "" => Err("a command line such as `npm run build`, `auto` or `none` is wanted".to_owned()),
        "none" => Ok(None),
        line => Ok(Some(line.to_owned())),
    }
}

/// Writes a command line.
pub(super) fn show_line(line: Option<String>) -> String {
    line.unwrap_or_else(|| "none".to_owned())
}

/// Reads `64MiB`, `8MB`, `512KiB`, `1024`.
///
/// # Errors
/// What is wrong, as a fragment.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let (number, unit) = split(text);
    let factor = if unit.is_empty() {
        Some(1)
    } else {
        SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, factor)| *factor)
    };
    number
        .parse::<u64>()
        .ok()
        .zip(factor)
        .and_then(|(number, factor)| number.checked_mul(factor))
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(|| "a size such as `64MiB`, `8MB` or `4096` is wanted".to_owned())
}

/// Writes a size with the largest unit that needs no fraction.
pub(super) fn show_size(bytes: usize) -> String {
    [("GiB", 1_usize << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        .into_iter()
        .find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size))
        .map_or_else(|| bytes.to_string(), |(unit, size)| format!("{}{unit}", bytes / size))
}

/// Reads a switch.
///
/// # Errors
/// What is wrong, as a fragment.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" | "yes" | "on" => Ok(true),
        "false" | "no" | "off" => Ok(false),
        _ => Err("`true` or `false` is wanted".to_owned()),
    }
}

/// Reads names of programs with commas between them; `none` is no name at all.
///
/// # Errors
/// What is wrong, as a fragment.
pub(super) fn names(text: &str) -> Result<Vec<String>, String> {
    if text == "none" {
        return Ok(Vec::new());
    }
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim) {
        let odd = |c: char| c == '/' || c.is_control();
        if name.is_empty() || name == "none" || name.len() > LONGEST_NAME || name.contains(odd) {
            return Err("names of programs such as `adb` or `adb,gradle` are wanted, without folders".to_owned());
        }
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    if names.len() > MOST_NAMES {
        return Err(format!("at most {MOST_NAMES} names are wanted"));
    }
    Ok(names)
}

/// Writes names as [`names`] reads them.
pub(super) fn show_names(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(",") }
}

/// Reads what names of tools begin with.
///
/// # Errors
/// What is wrong, as a fragment.
pub(super) fn prefix(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if text.is_empty() || text.len() > LONGEST_PREFIX || !text.chars().all(plain) {
        return Err(format!("1 to {LONGEST_PREFIX} of letters, digits, `_`, `-` and `.` are wanted, such as `twin_`"));
    }
    Ok(text.to_owned())
}

fn split(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, millis) in [
            ("100ms", 100),
            ("2s", 2000),
            ("1.5s", 1500),
            ("5m", 300_000),
            ("5min", 300_000),
            ("1h", 3_600_000),
            ("2d", 172_800_000),
            ("0", 0),
            ("0s", 0),
            ("10 s", 10_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for bad in ["", "5", "s", "5 parsecs", "-1s", "1e3s", "1..5s", "500d", "99999999999999999999s", "none", "५s"]
        {
            assert!(duration(bad).is_err(), "{bad}");
        }
        for text in ["100ms", "2s", "90s", "5m", "1h", "0"] {
            assert_eq!(show_duration(duration(text).unwrap()), text);
        }
    }

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("64MiB", 64 << 20), ("8MB", 8_000_000), ("512KiB", 512 << 10), ("4096", 4096), ("1 kib", 1024), ("7B", 7)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for bad in ["", "MiB", "8XB", "-1", "1.5MiB", "99999999999GiB"] {
            assert!(size(bad).is_err(), "{bad}");
        }
        for text in ["64MiB", "3GiB", "512KiB", "1025", "0"] {
            assert_eq!(show_size(size(text).unwrap()), text);
        }
    }

    #[test]
    fn prefixes() {
        for good in ["twin_", "a", "My-server.2_", &"x".repeat(LONGEST_PREFIX)] {
            assert_eq!(prefix(good).as_deref(), Ok(good));
        }
        for bad in ["", " ", "twin ", "zwölf_", "a/b", "a\"b", "a\n", &"x".repeat(LONGEST_PREFIX + 1)] {
            assert!(prefix(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn lists_of_names() {
        let read = |text: &str| names(text).map(|names| show_names(&names));
        for (text, wanted) in
            [("adb", "adb"), ("adb, gradle,adb", "adb,gradle"), ("none", "none"), ("node (x)", "node (x)")]
        {
            assert_eq!(read(text).as_deref(), Ok(wanted), "{text}");
        }
        let many: Vec<String> = (0..=MOST_NAMES).map(|n| format!("d{n}")).collect();
        for bad in ["", ",", "adb,", "a/b", "adb,none", "a\nb", &"x".repeat(LONGEST_NAME + 1), &many.join(",")] {
            assert!(names(bad).is_err(), "{bad:?}");
        }
        assert_eq!(names(&many[1..].join(",")).map(|names| names.len()), Ok(MOST_NAMES));
    }
}
