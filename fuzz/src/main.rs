//! Runs a fuzz target with libFuzzer: the one that `FACEGUESSER_FUZZ_TARGET` names.

#![no_main]

use std::sync::OnceLock;

use faceguesser::fuzzing::{CountingAllocator, TARGETS, Target};
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

static TARGET: OnceLock<&Target> = OnceLock::new();

/// The target that the environment names.
///
/// # Panics
/// When it names none: the message lists them.
fn selected_target() -> &'static Target {
    let name = std::env::var("FACEGUESSER_FUZZ_TARGET").unwrap_or_default();
    TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        panic!("set FACEGUESSER_FUZZ_TARGET to one of {}", names.join(", "))
    })
}

fuzz_target!(
    init: {
        TARGET.get_or_init(selected_target);
    },
    |data: &[u8]| TARGET.get_or_init(selected_target).run(data)
);
