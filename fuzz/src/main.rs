//! Hands a door's property to libFuzzer: that of the door which `FACEGUESSER_DOOR` names.

#![no_main]

use std::sync::OnceLock;

use faceguesser::fuzzing::{Counting, DOORS, Door};
use libfuzzer_sys::fuzz_target;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static DOOR: OnceLock<&Door> = OnceLock::new();

/// The door that the environment names.
///
/// # Panics
/// When it names none: the message lists them.
fn chosen() -> &'static Door {
    let named = std::env::var("FACEGUESSER_DOOR").unwrap_or_default();
    DOORS.iter().find(|door| door.name == named).unwrap_or_else(|| {
        let names: Vec<&str> = DOORS.iter().map(|door| door.name).collect();
        panic!("set FACEGUESSER_DOOR to one of {}", names.join(", "))
    })
}

fuzz_target!(
    init: {
        DOOR.get_or_init(chosen);
    },
    |data: &[u8]| DOOR.get_or_init(chosen).try_with(data)
);
