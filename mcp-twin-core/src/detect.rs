//! What is configured on a machine, and what a command line really runs.

pub mod launch;
mod site;

pub use site::{Shape, Site, Step, Syntax};
