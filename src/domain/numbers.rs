//! Numbers that only look random: the same in each run of a test (xorshift).

/// A generator; the seed is not zero.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// Returns a number below a limit, which is not zero.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).expect("the limit is one")
    }
}
