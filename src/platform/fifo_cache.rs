//! A map of bounded size that drops its oldest entry first.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A map that holds at most `capacity` entries; inserting beyond that evicts the oldest one.
#[derive(Debug)]
pub(super) struct FifoCache<K, V> {
    capacity: usize,
    entries: Mutex<Entries<K, V>>,
}

#[derive(Debug)]
struct Entries<K, V> {
    values: HashMap<K, V>,
    /// Oldest first.
    order: VecDeque<K>,
}

impl<K: Copy + Eq + Hash, V: Clone> FifoCache<K, V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, entries: Mutex::new(Entries { values: HashMap::new(), order: VecDeque::new() }) }
    }

    /// Inserts or replaces an entry and returns the value that was evicted for it. Replacing an entry
    /// does not make it younger.
    pub(super) fn insert(&self, key: K, value: V) -> Option<V> {
        let mut entries = self.entries();
        if entries.values.insert(key, value).is_none() {
            entries.order.push_back(key);
        }
        entries.evict(self.capacity)
    }

    /// Changes an entry, a new one if there is none, and evicts as [`FifoCache::insert`] does.
    #[cfg(any(feature = "matrix", test))]
    pub(super) fn change(&self, key: K, change: impl FnOnce(&mut V))
    where
        V: Default,
    {
        let mut entries = self.entries();
        let Entries { values, order } = &mut *entries;
        change(values.entry(key).or_insert_with(|| {
            order.push_back(key);
            V::default()
        }));
        entries.evict(self.capacity);
    }

    #[cfg(any(feature = "discord", feature = "matrix", test))]
    pub(super) fn get(&self, key: K) -> Option<V> {
        self.entries().values.get(&key).cloned()
    }

    pub(super) fn contains(&self, key: K) -> bool {
        self.entries().values.contains_key(&key)
    }

    fn entries(&self) -> MutexGuard<'_, Entries<K, V>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash, V> Entries<K, V> {
    /// Removes the oldest entry if there are more than `capacity`, and returns its value.
    fn evict(&mut self, capacity: usize) -> Option<V> {
        if self.order.len() <= capacity {
            return None;
        }
        let oldest = self.order.pop_front()?;
        self.values.remove(&oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entry_is_evicted_first_and_replacing_one_adds_none() {
        let cache = FifoCache::new(2);
        assert_eq!([(1, 'a'), (1, 'b'), (2, 'c')].map(|(key, value)| cache.insert(key, value)), [None; 3]);
        assert_eq!(cache.insert(3, 'd'), Some('b'));
        assert_eq!([1, 2, 3].map(|key| cache.get(key)), [None, Some('c'), Some('d')]);
        assert!(!cache.contains(1) && cache.contains(3));
    }

    #[test]
    fn a_changed_entry_keeps_what_it_had_and_its_age() {
        let cache = FifoCache::new(2);
        for (key, letter) in [(1, 'a'), (2, 'b'), (1, 'c')] {
            cache.change(key, |text: &mut String| text.push(letter));
        }
        assert_eq!([1, 2].map(|key| cache.get(key)), [Some("ac".to_owned()), Some("b".to_owned())]);
        cache.change(3, |text| text.push('d'));
        assert!(!cache.contains(1) && cache.contains(2) && cache.contains(3));
    }
}
