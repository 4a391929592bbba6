//! Frames in a row, in memory that is used again and again.

use crate::transfer::channel::{OVERHEAD, frame, frame_in_place};
use crate::wire::v2::DATA;

/// Frames that are to be sealed and written together.
#[derive(Default)]
pub(super) struct Frames {
    /// What is behind the frames is left from earlier ones: to fill it with zeros before it is written to takes
    /// a part of the time that the reading of a file takes.
    memory: Vec<u8>,
    /// Bytes of the frames.
    length: usize,
    /// Bytes of files in them.
    data: u64,
}

impl Frames {
    /// None yet.
    pub(super) fn new(memory: Vec<u8>) -> Self {
        Self {
            memory,
            length: 0,
            data: 0,
        }
    }

    /// Bytes of the frames.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Bytes of files in them.
    pub(super) fn data(&self) -> u64 {
        self.data
    }

    /// Drops them.
    pub(super) fn clear(&mut self) {
        (self.length, self.data) = (0, 0);
    }

    /// Appends one whose plaintext `build` appends.
    pub(super) fn put(&mut self, build: impl FnOnce(&mut Vec<u8>)) {
        self.memory.truncate(self.length);
        frame(&mut self.memory, build);
        self.length = self.memory.len();
    }

    /// Appends DATA of at most so many bytes, which `fill` writes; how many it wrote. For none nothing is
    /// appended.
    ///
    /// # Errors
    /// That of `fill`; nothing is appended then.
    pub(super) fn put_data<E>(
        &mut self,
        most: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let end = self.length + OVERHEAD + 1 + most;
        if self.memory.len() < end {
            self.memory.resize(end, 0);
        }
        let memory = &mut self.memory[self.length..end];
        let count = frame_in_place(memory, DATA, fill)?;
        if count > 0 {
            self.length += OVERHEAD + 1 + count;
            self.data += count as u64;
        }
        Ok(count)
    }

    /// To be sealed.
    pub(super) fn bytes(&mut self) -> &mut [u8] {
        &mut self.memory[..self.length]
    }

    /// To be used again.
    pub(super) fn into_memory(self) -> Vec<u8> {
        self.memory
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::transfer::channel::{LENGTH_SIZE, TAG_SIZE};

    /// The plaintext of each.
    fn plain(frames: &mut Frames) -> Vec<Vec<u8>> {
        let mut rest = &*frames.bytes();
        let mut all = Vec::new();
        while let [low, middle, high, after @ ..] = rest {
            let length = u32::from_le_bytes([*low, *middle, *high, 0]) as usize;
            all.push(after[..length - TAG_SIZE].to_vec());
            rest = &after[length..];
        }
        all
    }

    fn read(frames: &mut Frames, most: usize, bytes: &[u8]) -> usize {
        let read = frames.put_data(most, |body| {
            assert_eq!(body.len(), most);
            body[..bytes.len()].copy_from_slice(bytes);
            Ok::<_, Infallible>(bytes.len())
        });
        read.unwrap_or_else(|never| match never {})
    }

    #[test]
    fn frames_follow_each_other_whatever_the_memory_had() {
        for memory in [Vec::new(), vec![7; 10], vec![7; 1000]] {
            let mut frames = Frames::new(memory);
            frames.put(|out| out.extend(b"Ab"));
            assert_eq!(read(&mut frames, 50, b"some"), 4);
            assert_eq!(read(&mut frames, 20, b"more"), 4);
            frames.put(|out| out.extend(b"C"));
            let data = |text: &[u8]| [&[DATA], text].concat();
            let expected = [b"Ab".to_vec(), data(b"some"), data(b"more"), b"C".to_vec()];
            assert_eq!(plain(&mut frames), expected);
            assert_eq!(frames.data(), 8);
            assert_eq!(frames.len(), 4 * (LENGTH_SIZE + TAG_SIZE) + 2 + 5 + 5 + 1);
        }
    }

    #[test]
    fn what_could_not_be_read_leaves_nothing() {
        let mut frames = Frames::new(vec![7; 100]);
        frames.put(|out| out.extend(b"A"));
        let length = frames.len();
        assert_eq!(read(&mut frames, 30, b""), 0);
        assert_eq!(frames.put_data(30, |_| Err("no")), Err("no"));
        assert_eq!((frames.len(), frames.data()), (length, 0));
        assert_eq!(plain(&mut frames), [b"A"]);
    }
}
