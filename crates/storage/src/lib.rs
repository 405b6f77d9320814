//! Node databases on an embedded engine.
