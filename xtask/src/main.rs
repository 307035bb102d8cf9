//! The one script runner.

fn main() {}
