//! See the package README.
fn main() {}
