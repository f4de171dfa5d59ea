//! What a registry knows of technologies: models with their components, relationships and kinds of connections, as
//! documents that people exchange.

pub mod definition;
pub mod package;
#[cfg(test)]
mod tests;
