//! The authenticated key-value tree.
