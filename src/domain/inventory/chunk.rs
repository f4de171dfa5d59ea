//! Bytes in pieces that fit into one Secret each.
//!
//! Every piece carries its place, how many there are and the digest of the whole: one that is lost,
//! of something else, or in a wrong place is noticed.

use std::borrow::Cow;

use super::{digest, hex};

/// The largest chunk, in bytes: a Secret takes 1 MiB of values, and needs room for the rest.
pub const CHUNK_LIMIT: usize = 900 << 10;

/// A piece of something larger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Its place, from 1.
    pub index: usize,
    /// How many there are.
    pub total: usize,
    /// The SHA-256 of the whole, in hexadecimal digits.
    pub digest: Cow<'a, str>,
    /// The piece itself.
    pub bytes: Cow<'a, [u8]>,
}

/// Why chunks cannot be joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// Some are missing.
    #[error("of {total} chunks {found} are there, {first} is missing")]
    Missing {
        /// How many there should be.
        total: usize,
        /// How many there are.
        found: usize,
        /// The first one that is missing.
        first: usize,
    },
    /// Some are of something else.
    #[error("the chunks are not of one whole")]
    Mixed,
    /// One is there twice.
    #[error("chunk {index} is there twice")]
    Twice {
        /// Its place.
        index: usize,
    },
    /// One has a place that there isn't.
    #[error("there is a chunk {index} of {total}")]
    OutOfPlace {
        /// The place that it claims.
        index: usize,
        /// How many there should be.
        total: usize,
    },
    /// The whole is not what it was.
    #[error("the chunks together do not have the digest that they name")]
    Damaged,
}

/// Splits bytes into chunks of at most `limit` bytes; there is always one at least.
pub fn chunks(bytes: &[u8], limit: usize) -> Vec<Chunk<'_>> {
    let whole = hex(&digest(bytes));
    let limit = limit.max(1);
    let total = bytes.len().div_ceil(limit).max(1);
    let pieces = bytes.chunks(limit).chain(bytes.is_empty().then_some(bytes));
    let chunks = pieces.zip(1..).map(|(piece, index)| Chunk {
        index,
        total,
        digest: Cow::Owned(whole.clone()),
        bytes: Cow::Borrowed(piece),
    });
    chunks.collect()
}

/// Joins chunks, in whatever order they come.
pub fn join(chunks: &[Chunk<'_>]) -> Result<Vec<u8>, JoinError> {
    let missing = |total, first| JoinError::Missing {
        total,
        found: chunks.len(),
        first,
    };
    let mut sorted: Vec<&Chunk<'_>> = chunks.iter().collect();
    sorted.sort_by_key(|chunk| chunk.index);
    let first = *sorted.first().ok_or_else(|| missing(1, 1))?;
    let total = first.total;
    let mut size = 0_usize;
    let mut expected = 1;
    for chunk in &sorted {
        if chunk.total != total || chunk.digest != first.digest {
            return Err(JoinError::Mixed);
        }
        let index = chunk.index;
        if index == 0 || index > total {
            return Err(JoinError::OutOfPlace { index, total });
        }
        if index < expected {
            return Err(JoinError::Twice { index });
        }
        if index > expected {
            return Err(missing(total, expected));
        }
        expected = index.saturating_add(1);
        size = size.saturating_add(chunk.bytes.len());
    }
    if expected <= total {
        return Err(missing(total, expected));
    }
    let mut whole = Vec::with_capacity(size);
    for chunk in sorted {
        whole.extend_from_slice(&chunk.bytes);
    }
    if hex(&digest(&whole)) == first.digest {
        Ok(whole)
    } else {
        Err(JoinError::Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Random;
    use super::*;

    #[test]
    fn every_length_is_split_and_joined_in_any_order() {
        let bytes: Vec<u8> = (0..40).collect();
        for length in 0..=bytes.len() {
            for limit in 0..=length + 1 {
                let bytes = &bytes[..length];
                let mut split = chunks(bytes, limit);
                assert_eq!(split.len(), length.div_ceil(limit.max(1)).max(1));
                assert!(split.iter().all(|chunk| chunk.bytes.len() <= limit.max(1)));
                assert_eq!(join(&split).as_deref(), Ok(bytes));
                split.reverse();
                assert_eq!(join(&split).as_deref(), Ok(bytes));
            }
        }
        assert_eq!(chunks(&vec![0; 2 * CHUNK_LIMIT + 1], CHUNK_LIMIT).len(), 3);
    }

    #[test]
    fn what_is_not_the_whole_is_noticed() {
        let (one, other) = (chunks(b"abcdefgh", 3), chunks(b"abcdefgi", 3));
        let of = |places: &[usize]| -> Vec<Chunk<'_>> {
            places.iter().map(|at| one[*at].clone()).collect()
        };
        let missing = |found, first| JoinError::Missing {
            total: 3,
            found,
            first,
        };
        let placed = |places: [usize; 3]| {
            let mut chunks = one.clone();
            for (chunk, place) in chunks.iter_mut().zip(places) {
                chunk.index = place;
            }
            chunks
        };
        let mut longer = one.clone();
        longer[0].bytes.to_mut().push(b'x');
        let cases = [
            (of(&[0, 1]), missing(2, 3)),
            (of(&[2, 0]), missing(2, 2)),
            (of(&[1, 2]), missing(2, 1)),
            (of(&[0, 1, 2, 1]), JoinError::Twice { index: 2 }),
            (
                vec![one[0].clone(), one[1].clone(), other[2].clone()],
                JoinError::Mixed,
            ),
            (
                vec![one[0].clone(), chunks(b"abcdefgh", 4)[1].clone()],
                JoinError::Mixed,
            ),
            (placed([2, 1, 3]), JoinError::Damaged),
            (longer, JoinError::Damaged),
            (
                placed([0, 1, 2]),
                JoinError::OutOfPlace { index: 0, total: 3 },
            ),
            (
                placed([1, 2, 4]),
                JoinError::OutOfPlace { index: 4, total: 3 },
            ),
            (placed([1, 3, 3]), missing(3, 2)),
        ];
        for (chunks, error) in cases {
            assert_eq!(join(&chunks), Err(error));
        }
        let none = JoinError::Missing {
            total: 1,
            found: 0,
            first: 1,
        };
        assert_eq!(join(&[]), Err(none));
    }

    /// Chunks of two wholes of one size: only all of one of them can be joined.
    #[test]
    fn no_mixture_is_joined() {
        let mut random = Random::new(11);
        let mut joined = 0;
        for round in 0_u8..200 {
            let wholes = [vec![round; 50], vec![round ^ 1; 50]];
            let split = [chunks(&wholes[0], 13), chunks(&wholes[1], 13)];
            let picks: Vec<usize> = (0..4).map(|_| usize::from(random.below(2) == 1)).collect();
            let picked = picks.iter().enumerate();
            let mixed: Vec<_> = picked.map(|(at, pick)| split[*pick][at].clone()).collect();
            if picks.iter().all(|pick| *pick == picks[0]) {
                joined += 1;
                assert_eq!(join(&mixed), Ok(wholes[picks[0]].clone()));
            } else {
                assert_eq!(join(&mixed), Err(JoinError::Mixed));
            }
        }
        assert!(joined > 5, "{joined}");
    }
}
