//! Transcripts: what is typed, then exactly what the user sees.

mod design;
mod design_tables;
mod frame;
