//! What tests of recorded calls share with the fuzz target of the API and with `./x fuzz`.

pub mod archive;
pub mod call;
