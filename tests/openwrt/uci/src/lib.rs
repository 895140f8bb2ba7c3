//! Has nothing: see `Cargo.toml`.
