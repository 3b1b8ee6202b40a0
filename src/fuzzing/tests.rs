//! Runs every fuzz target on its seeds and on mutations of them, the same ones in each run:
//!
//!     FACEGUESSER_MUTATIONS=20000 cargo test --lib fuzzing
//!
//! `FACEGUESSER_FUZZ_TARGETS="gif heic"` selects targets.

use std::path::{Path, PathBuf};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::*;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Mutations of each seed, unless `FACEGUESSER_MUTATIONS` is set.
const MUTATIONS: usize = 1_000;
/// Values to which bytes are set, as boundary cases of lengths, counts and sizes.
const VALUES: [u8; 8] = [0, 1, 2, 0x10, 0x7f, 0x80, 0xfe, 0xff];

/// A target's seeds with their paths, in the order of these.
fn seeds(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target.name);
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Applies one to four changes: bytes are set, flipped, removed, repeated, inserted or copied from another seed, or
/// the rest is cut off.
fn mutate(seed: &[u8], other: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
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
fn properties_hold_for_seeds_and_their_mutations() {
    let mutations = std::env::var("FACEGUESSER_MUTATIONS").map_or(MUTATIONS, |count| count.parse().unwrap());
    let selection = std::env::var("FACEGUESSER_FUZZ_TARGETS").ok();
    let is_selected =
        |target: &&Target| selection.as_ref().is_none_or(|names| names.split(' ').any(|name| name == target.name));
    let failures: Vec<String> = TARGETS
        .par_iter()
        .filter(is_selected)
        .flat_map(|target| {
            let seeds = seeds(target);
            assert!(!seeds.is_empty(), "{} has no seeds", target.name);
            let failures: Vec<String> = (0..seeds.len())
                .into_par_iter()
                .filter_map(|index| first_failure(target, &seeds, index, mutations))
                .collect();
            let executions = (mutations + 1) * seeds.len();
            println!("{}: {executions} executions, failures for {} seeds", target.name, failures.len());
            failures
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The first of a seed and its mutations for which the property does not hold.
fn first_failure(target: &Target, seeds: &[(PathBuf, Vec<u8>)], index: usize, mutations: usize) -> Option<String> {
    let (path, seed) = &seeds[index];
    let mut rng = ChaCha8Rng::seed_from_u64(index as u64);
    let mutations = (0..mutations).map(|_| {
        let other = &seeds[rng.random_range(0..seeds.len())].1;
        mutate(seed, other, &mut rng)
    });
    let mut inputs = std::iter::once(seed.clone()).chain(mutations).enumerate();
    // The panic prints its own message.
    let failure = inputs.find(|(_, bytes)| std::panic::catch_unwind(|| target.run(bytes)).is_err());
    failure.map(|(number, bytes)| format!("{}, {}, mutation {number}: {}", target.name, path.display(), hex(&bytes)))
}

/// An input in hexadecimal, to be pasted into a regression test.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_seeds_are_small_together() {
    let bytes: usize = TARGETS.iter().flat_map(seeds).map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes < 150 << 10, "the seeds have {bytes} bytes");
}

#[test]
fn the_peak_of_allocated_memory_is_counted() {
    let peak = peak_memory(1 << 20, || {
        drop(vec![1_u8; 1000]);
        let mut growing = vec![1_u8; 10_000];
        growing.reserve_exact(10_000);
    });
    assert!((20_000..40_000).contains(&peak), "{peak}");
}
