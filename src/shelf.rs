//! Memory for JPEGs that is used again: it comes back when the last client has sent its picture.

use crate::sync::lock;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

/// Lets the allocator give each large piece of memory pages of its own, for good: by itself glibc would stop that once such a
/// piece was given back, and then each JPEG would take all the room that it might have needed.
pub fn keep_pages_apart() {
    const LARGE: libc::c_int = 128 << 10;
    // SAFETY: it sets a number of the allocator's.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
}

/// Spare memory that is kept: more is only needed while clients are slow.
const KEPT: usize = 4;

/// Where spare memory lies.
#[derive(Debug, Default)]
pub struct Shelf(Mutex<Vec<Vec<u8>>>);

impl Shelf {
    /// Memory without anything in it yet.
    pub fn take(self: &Arc<Self>) -> Bytes {
        Bytes {
            memory: lock(&self.0).pop().unwrap_or_default(),
            length: 0,
            shelf: Some(Arc::clone(self)),
        }
    }
}

/// The bytes of a JPEG, which grow while it is written.
#[derive(Debug, Default)]
pub struct Bytes {
    memory: Vec<u8>,
    length: usize,
    shelf: Option<Arc<Shelf>>,
}

impl Bytes {
    /// Forgets the bytes, and gives room for `most`. How many were written there, [`Bytes::set_length`] must say.
    pub fn room(&mut self, most: usize) -> &mut [u8] {
        self.length = 0;
        if self.memory.len() < most {
            // Pages that nobody writes to take no memory; those of a vector that grows do.
            self.memory = vec![0; most];
        }
        &mut self.memory[..most]
    }

    /// So many bytes were written into the room.
    pub fn set_length(&mut self, length: usize) {
        self.length = length.min(self.memory.len());
    }

    /// Puts `parts`, one behind the other, in the place of the bytes.
    pub fn join(&mut self, parts: &[&[u8]]) {
        let mut room = self.room(parts.iter().map(|part| part.len()).sum());
        let length = room.len();
        for part in parts {
            let (here, rest) = room.split_at_mut(part.len());
            here.copy_from_slice(part);
            room = rest;
        }
        self.length = length;
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[..self.length]
    }
}

/// Bytes that were put together elsewhere; their memory goes back to the system.
impl From<Vec<u8>> for Bytes {
    fn from(memory: Vec<u8>) -> Self {
        Self {
            length: memory.len(),
            memory,
            shelf: None,
        }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        if let Some(shelf) = &self.shelf {
            let mut spare = lock(&shelf.0);
            if spare.len() < KEPT {
                spare.push(std::mem::take(&mut self.memory));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_comes_back_and_little_is_kept() {
        let shelf = Arc::new(Shelf::default());
        let mut first = shelf.take();
        first.join(&[b"one ", b"two"]);
        assert_eq!(&first[..], b"one two");
        let place = first.as_ptr();
        drop(first);
        let mut again = shelf.take();
        assert!(again.is_empty());
        again.room(5)[..2].copy_from_slice(b"xy");
        again.set_length(2);
        assert_eq!((&again[..], again.as_ptr()), (&b"xy"[..], place));
        let many: Vec<_> = (0..2 * KEPT).map(|_| shelf.take()).collect();
        drop((again, many));
        assert_eq!(lock(&shelf.0).len(), KEPT);
        drop(Bytes::from(vec![1, 2, 3]));
        assert_eq!(lock(&shelf.0).len(), KEPT);
    }
}
