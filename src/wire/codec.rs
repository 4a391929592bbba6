//! A bounded reader: packets are taken apart by it and never indexed.

/// Hands out pieces of a byte slice from the front; asking for more than is left yields `None`.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader over all of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    /// The text of a fixed field of `width` bytes: what stands before its first NUL.
    ///
    /// `None` when the field is cut short or holds no NUL. Whatever follows the NUL is skipped:
    /// the programs of 2013 leave old data there, and version 2 puts its mark there.
    pub fn asciz(&mut self, width: usize) -> Option<&'a [u8]> {
        let field = self.take(width)?;
        let end = field.iter().position(|&byte| byte == 0)?;
        field.get(..end)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// `Some` only when everything was consumed.
    pub fn finish(self) -> Option<()> {
        self.rest.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_handed_out_past_the_end() {
        let mut reader = Reader::new(b"abc");
        assert_eq!(reader.take(2), Some(&b"ab"[..]));
        assert_eq!(reader.take(2), None);
        assert_eq!(reader.clone().finish(), None);
        assert_eq!(reader.take(1), Some(&b"c"[..]));
        assert_eq!(reader.finish(), Some(()));
    }

    #[test]
    fn a_field_ends_at_its_first_nul_and_needs_one() {
        assert_eq!(Reader::new(b"ab\0cd\0").asciz(6), Some(&b"ab"[..]));
        assert_eq!(Reader::new(b"abcdef").asciz(6), None);
        assert_eq!(Reader::new(b"ab\0").asciz(6), None);
    }
}
