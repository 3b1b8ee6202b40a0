//! What the bot remembers of its replies until it is restarted, and only of the latest ones.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// A map that forgets its oldest entry when it is full.
#[derive(Debug)]
pub(super) struct Memory<K, V> {
    room: usize,
    kept: Mutex<Kept<K, V>>,
}

#[derive(Debug)]
struct Kept<K, V> {
    values: HashMap<K, V>,
    /// Oldest first.
    order: VecDeque<K>,
}

impl<K: Copy + Eq + Hash, V: Clone> Memory<K, V> {
    /// Room for so many entries.
    pub(super) fn of(room: usize) -> Self {
        Self { room, kept: Mutex::new(Kept { values: HashMap::new(), order: VecDeque::new() }) }
    }

    pub(super) fn keep(&self, key: K, value: V) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.values.insert(key, value).is_none() {
            kept.order.push_back(key);
        }
        while kept.order.len() > self.room {
            if let Some(oldest) = kept.order.pop_front() {
                kept.values.remove(&oldest);
            }
        }
    }

    pub(super) fn get(&self, key: K) -> Option<V> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).values.get(&key).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first_and_what_is_kept_anew_counts_once() {
        let memory = Memory::of(2);
        for (key, value) in [(1, 'a'), (1, 'b'), (2, 'c'), (3, 'd')] {
            memory.keep(key, value);
        }
        assert_eq!([1, 2, 3].map(|key| memory.get(key)), [None, Some('c'), Some('d')]);
    }
}
