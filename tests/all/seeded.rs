//! Random numbers that can be had again, and how many of them a run takes.

#![allow(clippy::print_stdout, reason = "the seed is printed")]

/// A seeded generator of random numbers (splitmix64).
pub struct Seeded(u64);

impl Seeded {
    /// One with a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed of this run: `WEFT_TEST_SEED`, or another one each time. It is printed.
    pub fn seed() -> u64 {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed();
        Self::seed_or(now.map_or(1, |now| now.as_secs() ^ u64::from(now.subsec_nanos())))
    }

    /// The seed of this run: `WEFT_TEST_SEED`, or this one. It is printed.
    pub fn seed_or(usual: u64) -> u64 {
        let given = std::env::var("WEFT_TEST_SEED").ok();
        let seed = given.and_then(|seed| seed.parse().ok()).unwrap_or(usual);
        println!("seed: WEFT_TEST_SEED={seed}");
        seed
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound; 0 below 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from(self.next() % bound).unwrap_or(0)
    }
}

/// Whether the counts of the issue are wanted (`./tests/run --full`).
pub fn full() -> bool {
    std::env::var_os("WEFT_TEST_FULL").is_some_and(|set| !set.is_empty() && set != "0")
}
