//! All tests at the level of the program, in one binary. See `support` for how they meet it.

#![expect(unreachable_pub, reason = "a test binary has no outside")]
#![allow(missing_docs, reason = "tests are sentences")]

mod cli;
#[expect(dead_code, reason = "methods come into use one by one")]
mod support;
