//! The pages of the program itself, which are most of what a front holds in memory.

use rustix::mm::{Advice, madvise};
use std::ffi::c_void;
use std::fs;

/// Gives back the pages of the program's code. What a front runs at its start (options, patterns, the first look at the
/// files) or for a new twin is not run for the many messages that follow; what is run again comes back from the page cache.
pub fn forget_the_code() {
    let Some(maps) = fs::read_to_string("/proc/self/maps").ok() else { return };
    let Some(program) = std::env::current_exe().ok() else { return };
    let Some(program) = program.to_str() else { return };
    for line in maps.lines().filter(|line| line.ends_with(program)) {
        let mut words = line.split(' ');
        let (Some(range), Some("r-xp")) = (words.next(), words.next()) else { continue };
        let Some((from, to)) = range.split_once('-') else { continue };
        let (Ok(from), Ok(to)) = (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16)) else { continue };
        #[allow(unsafe_code)]
        // SAFETY: the range is a private mapping of a file that cannot be written through it (`r-xp`), so that no page of it
        // differs from the file: what is dropped is read again, unchanged, when it is next run. It holds no data.
        let _ =
            unsafe { madvise(std::ptr::with_exposed_provenance_mut::<c_void>(from), to - from, Advice::LinuxDontNeed) };
    }
}
