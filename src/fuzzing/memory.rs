//! Counts what a thread holds, to hold a door's property to its memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// An allocator that counts what each thread holds, and grants no thread more than its limit.
pub struct Counting;

#[derive(Clone, Copy)]
struct Held {
    /// Below 0 where a thread frees what others allocated.
    now: isize,
    most: isize,
    limit: isize,
}

thread_local! {
    static HELD: Cell<Held> = const { Cell::new(Held { now: 0, most: 0, limit: isize::MAX }) };
}

/// Runs `work` and gives the most bytes that it held at once. Allocations beyond `limit` fail, which
/// ends the program.
pub fn most_held(limit: usize, work: impl FnOnce()) -> usize {
    let before = HELD.get();
    let limit = before.now.saturating_add_unsigned(limit);
    HELD.set(Held { now: before.now, most: before.now, limit });
    work();
    let after = HELD.get();
    HELD.set(Held { now: after.now, ..before });
    usize::try_from(after.most - before.now).unwrap_or(0)
}

/// Counts `bytes` more, or fewer; whether they are granted.
fn count(bytes: isize) -> bool {
    // A thread that ends has no counter any more, and no property runs on it.
    let counted = HELD.try_with(|held| {
        let Held { now, most, limit } = held.get();
        let now = now.saturating_add(bytes);
        // What tells of a panic is no part of the property.
        if bytes > 0 && now > limit && !std::thread::panicking() {
            return false;
        }
        held.set(Held { now, most: most.max(now), limit });
        true
    });
    counted.unwrap_or(true)
}

fn size(layout: Layout) -> isize {
    // A layout's size never exceeds isize::MAX.
    layout.size().cast_signed()
}

// SAFETY: every call is handed on to the system's allocator, with the same layout; what is refused
// is answered with a null pointer, as the trait has it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !count(size(layout)) {
            return std::ptr::null_mut();
        }
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !count(size(layout)) {
            return std::ptr::null_mut();
        }
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, new: usize) -> *mut u8 {
        if !count(new.cast_signed() - size(layout)) {
            return std::ptr::null_mut();
        }
        unsafe { System.realloc(at, layout, new) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-size(layout));
        unsafe { System.dealloc(at, layout) }
    }
}
