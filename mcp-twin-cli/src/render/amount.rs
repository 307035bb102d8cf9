//! Amounts as people read them: memory, and how long a call took.

/// `0 KiB`, `812 KiB`, `48.2 MiB`, `1.2 GiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;
    match bytes {
        // What would be rounded to the next unit is written in that.
        0..1_048_064 => format!("{} KiB", (bytes + 512) >> 10),
        1_048_064..1_073_689_396 => format!("{:.1} MiB", bytes as f64 / MIB as f64),
        _ => format!("{:.1} GiB", bytes as f64 / GIB as f64),
    }
}

/// `0.4 ms`, `12 ms`, `1.2 s`, `75 s`: what was measured to within an eighth.
pub(crate) fn micros(micros: u64) -> String {
    match micros {
        0..9_950 => format!("{:.1} ms", micros as f64 / 1000.0),
        9_950..999_500 => format!("{:.0} ms", micros as f64 / 1000.0),
        999_500..9_950_000 => format!("{:.1} s", micros as f64 / 1e6),
        _ => format!("{:.0} s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_magnitude() {
        let sizes = [0, 1, 831_488, 1_048_063, 1_048_064, 50_541_363, 1_073_689_395, 1_073_689_396, 1_288_490_189];
        assert_eq!(
            sizes.map(bytes),
            ["0 KiB", "0 KiB", "812 KiB", "1023 KiB", "1.0 MiB", "48.2 MiB", "1023.9 MiB", "1.0 GiB", "1.2 GiB"]
        );
        assert_eq!(
            [0, 400, 9_949, 9_950, 999_499, 999_500, 1_200_000, 75_000_000].map(micros),
            ["0.0 ms", "0.4 ms", "9.9 ms", "10 ms", "999 ms", "1.0 s", "1.2 s", "75 s"]
        );
    }
}
