//! Durations as people say them.

use std::time::Duration;

/// `just now`, `12 s ago`, `2 min ago`, `3 h ago`, `5 days ago`.
pub(crate) fn ago(since: Duration) -> String {
    if since < Duration::from_secs(1) { "just now".to_owned() } else { format!("{} ago", span(since)) }
}

/// `0.4 s`, `12 s`, `2 min`, `3 h`, `5 days`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{:.1} s", time.as_secs_f64()),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        86_400..172_800 => "1 day".to_owned(),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// `48 ms`, `1.20 s`: for what was measured.
pub(crate) fn measured(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_magnitude() {
        let said = [0.2, 1.0, 59.9, 60.0, 150.0, 3600.0, 86_399.0, 86_400.0, 500_000.0]
            .map(|seconds| ago(Duration::from_secs_f64(seconds)));
        assert_eq!(
            said,
            [
                "just now",
                "1 s ago",
                "59 s ago",
                "1 min ago",
                "2 min ago",
                "1 h ago",
                "23 h ago",
                "1 day ago",
                "5 days ago"
            ]
        );
        assert_eq!(span(Duration::from_millis(400)), "0.4 s");
        assert_eq!([48, 1200].map(|ms| measured(Duration::from_millis(ms))), ["48 ms", "1.20 s"]);
    }
}
