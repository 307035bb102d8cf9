//! The pages of the program itself, which are most of what a front holds in memory.

use rustix::mm::{Advice, madvise};
use std::ffi::c_void;
use std::fs;

/// Gives back the pages of the program's code and of its constants. What a front runs at its start (options, patterns, the first look at the
/// files) or for a new twin is not run for the many messages that follow; what is run again comes back from the page cache.
pub fn forget_the_code() {
    let Some(maps) = fs::read_to_string("/proc/self/maps").ok() else { return };
    let Some(program) = std::env::current_exe().ok() else { return };
    let Some(program) = program.to_str() else { return };
    for line in maps.lines().filter(|line| line.ends_with(program)) {
        let mut words = line.split(' ');
        let (Some(range), Some(rights), Some(offset)) = (words.next(), words.next(), words.next()) else { continue };
        // The code; and what stands before it from the file's first byte on: the list of relocations, which is read once at the
        // start, and constants. Other parts that cannot be written to were written to before, when the program was loaded.
        let first = rights == "r--p" && u64::from_str_radix(offset, 16) == Ok(0);
        if rights != "r-xp" && !first {
            continue;
        }
        let Some((from, to)) = range.split_once('-') else { continue };
        let (Ok(from), Ok(to)) = (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16)) else { continue };
        #[allow(unsafe_code)]
        // SAFETY: the range is a private mapping of a file that cannot be written through it and never could (the loader
        // relocates in segments that are writable then, and none of those begins with the file), so that no page of it differs
        // from the file: what is dropped is read again, unchanged, when it is next wanted.
        let _ =
            unsafe { madvise(std::ptr::with_exposed_provenance_mut::<c_void>(from), to - from, Advice::LinuxDontNeed) };
    }
}
