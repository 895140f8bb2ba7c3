//! Fixed-capacity storage: slots with generational handles, and lookup by hash.

pub mod index;
pub mod late;
pub mod slab;

pub use index::Index;
pub use late::Late;
pub use slab::{Handle, Slab};
