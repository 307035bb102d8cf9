//! Where memory comes from: from mimalloc under `serve`, else from the system.
//!
//! An HTTP front asks for memory in bursts, some of it for each of its connections at once, and is measured by the work of a
//! request: mimalloc saves an eighth of that. A front over stdio has one client, and is measured by what it holds: there
//! mimalloc would cost 0.8 MiB of 8. Which of the two it is has to be known before the first byte is asked for.

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{CStr, c_char, c_int};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether this process is an HTTP front. It changes once, before the first allocation.
static SERVES: AtomicBool = AtomicBool::new(false);

#[global_allocator]
static MEMORY: ByCommand = ByCommand;

struct ByCommand;

fn serves() -> bool {
    SERVES.load(Ordering::Relaxed)
}

// SAFETY: each call goes with its arguments to one of two allocators that keep the contract, and always to the same one:
// `SERVES` changes only in `look`, which the loader calls before anything of this program has run.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for ByCommand {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if serves() { unsafe { MiMalloc.alloc(layout) } } else { unsafe { System.alloc(layout) } }
    }

    #[inline]
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if serves() { unsafe { MiMalloc.dealloc(at, layout) } } else { unsafe { System.dealloc(at, layout) } }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if serves() { unsafe { MiMalloc.alloc_zeroed(layout) } } else { unsafe { System.alloc_zeroed(layout) } }
    }

    #[inline]
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if serves() {
            unsafe { MiMalloc.realloc(at, layout, size) }
        } else {
            unsafe { System.realloc(at, layout, size) }
        }
    }
}

/// The GNU loader hands the command line to what stands in this section, as it does to the standard library's own.
#[allow(unsafe_code)]
#[used]
// SAFETY: the section holds pointers to functions of this type.
#[unsafe(link_section = ".init_array.00001")]
static LOOK: unsafe extern "C" fn(c_int, *const *const c_char, *const *const c_char) = look;

/// # Safety
/// `words` has `count` C strings.
#[allow(unsafe_code)]
unsafe extern "C" fn look(count: c_int, words: *const *const c_char, _environment: *const *const c_char) {
    if count > 1 {
        // SAFETY: by contract; the second of at least two.
        let word = unsafe { CStr::from_ptr(*words.add(1)) };
        SERVES.store(word == c"serve", Ordering::Relaxed);
    }
}
