//! Every property, tried with its door's seeds and with mutations of them, the same ones at each run:
//!
//!     FACEGUESSER_MUTATIONS=20000 cargo test --lib fuzzing
//!
//! `FACEGUESSER_DOORS="gif heic"` tries these doors alone.

use std::path::{Path, PathBuf};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::*;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Mutations of each seed, unless the environment says otherwise.
const MUTATIONS: usize = 1_000;
/// What lengths, counts and sides are set to.
const VALUES: [u8; 8] = [0, 1, 2, 0x10, 0x7f, 0x80, 0xfe, 0xff];

/// A door's seeds with their names, in the order of these.
fn seeds(door: &Door) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(door.name);
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// One to four changes: bytes set, flipped, left out, repeated, moved or taken from another seed.
fn mutated(seed: &[u8], other: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..rng.random_range(1..=4) {
        let at = rng.random_range(0..=bytes.len());
        let end = (at + rng.random_range(1..=8)).min(bytes.len());
        match rng.random_range(0..8) {
            0 | 1 if at < bytes.len() => bytes[at] = VALUES[rng.random_range(0..VALUES.len())],
            2 | 3 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            4 => drop(bytes.drain(at..end)),
            5 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            6 if !other.is_empty() => {
                let from = rng.random_range(0..other.len());
                let piece = &other[from..(from + 16).min(other.len())];
                bytes.splice(at..end, piece.iter().copied());
            }
            7 => bytes.truncate(at),
            _ => bytes.insert(at, rng.random()),
        }
    }
    bytes
}

#[test]
fn properties_hold_for_seeds_and_mutations_of_them() {
    let mutations = std::env::var("FACEGUESSER_MUTATIONS").map_or(MUTATIONS, |wanted| wanted.parse().unwrap());
    let doors = std::env::var("FACEGUESSER_DOORS").ok();
    let chosen = |door: &&Door| doors.as_ref().is_none_or(|doors| doors.split(' ').any(|name| name == door.name));
    let broken: Vec<String> = DOORS
        .par_iter()
        .filter(chosen)
        .flat_map(|door| {
            let seeds = seeds(door);
            assert!(!seeds.is_empty(), "{} has no seeds", door.name);
            let broken: Vec<String> = (0..seeds.len())
                .into_par_iter()
                .filter_map(|index| break_with(door, &seeds, index, mutations))
                .collect();
            println!("{}: {} executions, {} seeds broke it", door.name, (mutations + 1) * seeds.len(), broken.len());
            broken
        })
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The first of one seed's mutations for which the property does not hold.
fn break_with(door: &Door, seeds: &[(PathBuf, Vec<u8>)], index: usize, mutations: usize) -> Option<String> {
    let (path, seed) = &seeds[index];
    let mut rng = ChaCha8Rng::seed_from_u64(index as u64);
    let mutations = (0..mutations).map(|_| {
        let other = &seeds[rng.random_range(0..seeds.len())].1;
        mutated(seed, other, &mut rng)
    });
    let mut tried = std::iter::once(seed.clone()).chain(mutations).enumerate();
    // The panic's own message is printed above.
    let broke = tried.find(|(_, bytes)| std::panic::catch_unwind(|| door.try_with(bytes)).is_err());
    broke.map(|(number, bytes)| format!("{}, {}, mutation {number}: {}", door.name, path.display(), hex(&bytes)))
}

/// An input as it can be pasted into a regression test.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn no_seed_is_large() {
    let bytes: usize = DOORS.iter().flat_map(seeds).map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes < 150 << 10, "{bytes} bytes of seeds");
}

#[test]
fn what_is_held_is_counted() {
    let held = most_held(1 << 20, || {
        drop(vec![1_u8; 1000]);
        let mut growing = vec![1_u8; 10_000];
        growing.reserve_exact(10_000);
    });
    assert!((20_000..40_000).contains(&held), "{held}");
}
