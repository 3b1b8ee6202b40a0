//! Counts the memory that each thread allocates, to enforce the limit of a fuzz target.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// An allocator that counts the bytes of each thread, and refuses allocations beyond the thread's limit.
pub struct CountingAllocator;

#[derive(Clone, Copy)]
struct Usage {
    /// Negative when a thread has freed memory that others allocated.
    current: isize,
    peak: isize,
    limit: isize,
}

thread_local! {
    static USAGE: Cell<Usage> = const { Cell::new(Usage { current: 0, peak: 0, limit: isize::MAX }) };
}

/// Runs `work` and returns the peak of its allocated bytes. Allocations beyond `limit` bytes fail, which
/// aborts the program.
pub fn peak_memory(limit: usize, work: impl FnOnce()) -> usize {
    let before = USAGE.get();
    let limit = before.current.saturating_add_unsigned(limit);
    USAGE.set(Usage { current: before.current, peak: before.current, limit });
    work();
    let after = USAGE.get();
    USAGE.set(Usage { current: after.current, ..before });
    usize::try_from(after.peak - before.current).unwrap_or(0)
}

/// Adds `bytes`, which can be negative; returns whether they are within the limit.
fn count(bytes: isize) -> bool {
    // Reporting a panic is not part of the property: a backtrace's tables stay in memory.
    if std::thread::panicking() {
        return true;
    }
    // A thread that is ending no longer has a counter, and no property runs on it.
    let counted = USAGE.try_with(|usage| {
        let Usage { current, peak, limit } = usage.get();
        let current = current.saturating_add(bytes);
        if bytes > 0 && current > limit {
            return false;
        }
        usage.set(Usage { current, peak: peak.max(current), limit });
        true
    });
    counted.unwrap_or(true)
}

fn size(layout: Layout) -> isize {
    // A layout's size never exceeds isize::MAX.
    layout.size().cast_signed()
}

// SAFETY: every call is forwarded to the system's allocator with the same layout; a refused one
// returns a null pointer, as the trait specifies.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !count(size(layout)) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !count(size(layout)) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        if !count(new.cast_signed() - size(layout)) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise, passed on.
        unsafe { System.realloc(at, layout, new) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-size(layout));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(at, layout) }
    }
}
