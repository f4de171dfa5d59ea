//! Lines out of the pieces in which an answer comes.

/// What has come, cut into lines.
#[derive(Default)]
pub(super) struct Lines {
    /// What has come of a line that isn't complete.
    rest: Vec<u8>,
    /// How much of the rest has no line end.
    searched: usize,
}

impl Lines {
    /// Adds what has come, and returns the lines that it completes, with their ends.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        self.rest.extend_from_slice(bytes);
        let mut lines = Vec::new();
        let mut begin = 0;
        while let Some(at) = self
            .rest
            .iter()
            .skip(self.searched)
            .position(|byte| *byte == b'\n')
        {
            let end = self.searched + at + 1;
            lines.push(self.rest.get(begin..end).unwrap_or_default().to_vec());
            (begin, self.searched) = (end, end);
        }
        self.rest.drain(..begin);
        self.searched = self.rest.len();
        lines
    }

    /// How much there is of a line that isn't complete, in bytes.
    pub(super) fn rest(&self) -> usize {
        self.rest.len()
    }

    /// Takes what there is of a line that isn't complete.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.searched = 0;
        std::mem::take(&mut self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        let text = b"one\n\ntwo\nthree";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let parts = text.chunks(size);
            let found: Vec<Vec<u8>> = parts.flat_map(|part| lines.add(part)).collect();
            assert_eq!(found, [&b"one\n"[..], b"\n", b"two\n"], "{size}");
            assert_eq!(lines.rest(), 5, "{size}");
            assert_eq!(lines.take(), b"three", "{size}");
        }
    }
}
