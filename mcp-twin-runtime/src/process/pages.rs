//! The pages of the program and its libraries, which are most of what a front holds in memory.

use rustix::mm::{Advice, madvise};
use std::ffi::c_void;
use std::fs::File;
use std::io::{BufRead as _, BufReader};

/// A mapping of this process, as `/proc/self/smaps` has it.
struct Mapping {
    from: usize,
    to: usize,
    /// A private mapping of a file that cannot be written to.
    fixed: bool,
    /// Some of it is in memory.
    held: bool,
}

/// Gives back the pages of code and of constants. What a front runs at its start (options, patterns, the first look at the
/// files) or for a new twin is not run for the many messages that follow; what is run again comes back from the page cache.
pub fn forget_the_code() {
    let Ok(maps) = File::open("/proc/self/smaps") else { return };
    let mut mapping = None;
    for line in BufReader::new(maps).lines().map_while(Result::ok) {
        if let Some(begun) = begun(&line) {
            mapping = Some(begun);
        } else if let Some(pages) = line.strip_prefix("Rss:") {
            mapping = mapping.map(|mapping| Mapping { held: !is_zero(pages), ..mapping });
        } else if let Some(pages) = line.strip_prefix("Anonymous:")
            && is_zero(pages)
            && let Some(mapping) = mapping.take().filter(|mapping| mapping.fixed && mapping.held)
        {
            #[allow(unsafe_code)]
            // SAFETY: the range is a private mapping of a file that cannot be written through it, and none of its pages was
            // ever written to (none is anonymous: what the loader relocated is left alone). So each page is the file's, and
            // what is dropped is read again, unchanged, when it is next wanted.
            let _ = unsafe {
                let at = std::ptr::with_exposed_provenance_mut::<c_void>(mapping.from);
                madvise(at, mapping.to - mapping.from, Advice::LinuxDontNeed)
            };
        }
    }
}

/// The line with which a mapping begins: `from-to rights offset device inode path`.
fn begun(line: &str) -> Option<Mapping> {
    let mut words = line.split_ascii_whitespace();
    let (from, to) = words.next()?.split_once('-')?;
    let (from, to) = (usize::from_str_radix(from, 16).ok()?, usize::from_str_radix(to, 16).ok()?);
    let rights = words.next()?;
    let file = words.nth(3).is_some_and(|path| path.starts_with('/'));
    Some(Mapping { from, to, fixed: file && matches!(rights, "r-xp" | "r--p"), held: false })
}

fn is_zero(amount: &str) -> bool {
    amount.trim_start().starts_with("0 ")
}

#[cfg(test)]
mod tests {
    use super::begun;

    #[test]
    fn only_what_cannot_be_written_to_and_is_a_file_is_given_back() {
        let line = |text: &str| begun(text).map(|mapping| (mapping.from, mapping.to, mapping.fixed));
        assert_eq!(line("1000-3000 r-xp 00001000 fe:00 42    /usr/lib/libc.so.6"), Some((0x1000, 0x3000, true)));
        assert_eq!(line("1000-3000 r--p 00000000 fe:00 42    /usr/bin/mcp twin"), Some((0x1000, 0x3000, true)));
        assert_eq!(line("1000-3000 rw-p 00001000 fe:00 42    /usr/lib/libc.so.6"), Some((0x1000, 0x3000, false)));
        assert_eq!(line("1000-3000 r--s 00001000 fe:00 42    /tmp/shared"), Some((0x1000, 0x3000, false)));
        assert_eq!(line("1000-3000 r-xp 00000000 00:00 0     [vdso]"), Some((0x1000, 0x3000, false)));
        assert_eq!(line("1000-3000 rw-p 00000000 00:00 0"), Some((0x1000, 0x3000, false)));
        assert_eq!(line("Rss:                1152 kB"), None);
        assert_eq!(line("VmFlags: rd ex mr mw me"), None);
    }
}
