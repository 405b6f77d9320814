//! A node: its configuration and keys, the consensus engine on its threads, workers, and the API.

pub mod api;
pub mod config;
pub mod entity;
pub mod files;
pub mod grpc;
pub mod identity;
pub mod logs;
pub mod metrics;
pub mod service;
pub mod signers;
pub mod tls;
pub mod workers;
