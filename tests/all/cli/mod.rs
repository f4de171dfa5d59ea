//! Transcripts: what is typed, then exactly what the user sees.

mod config;
mod design;
mod design_tables;
mod frame;
mod overlays;
mod readme;
mod system;
