//! Load generation and latency histograms; the `perf` noun will stand on this crate.
