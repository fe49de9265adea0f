//! The `trackmill` binary.

fn main() {}
