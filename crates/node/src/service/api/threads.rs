//! Threads for calls: short ones are answered on them, and what they wait for keeps only calls waiting, not the peers.

use std::{io, thread};

use tokio::{
    runtime::{Builder, Handle},
    sync::watch,
};

/// Threads, each with the connections that it was given; they end when this is dropped.
pub struct ApiThreads {
    handles: Vec<Handle>,
    _stop: watch::Sender<()>,
}

impl ApiThreads {
    /// Starts some.
    pub fn start(count: usize) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(());
        let mut handles = Vec::new();
        for _ in 0..count {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            handles.push(runtime.handle().clone());
            let mut stopped = stopped.clone();
            thread::Builder::new().name("api".to_owned()).spawn(move || {
                // Nothing is ever sent: it ends with its sender.
                runtime.block_on(async move { while stopped.changed().await.is_ok() {} });
            })?;
        }
        Ok(Self { handles, _stop: stop })
    }

    /// For what is to run on them.
    pub fn handles(&self) -> Vec<Handle> {
        self.handles.clone()
    }
}
