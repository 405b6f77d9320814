//! The wish to stop: from the terminal, the system, the API, or a part of the node that can't go on.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

/// Tells every part of the node to stop.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Hears of the wish to stop.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// Makes the two ends.
pub fn stop() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Tells everybody.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Waits until everybody was told.
    pub async fn stopped(&self) {
        let _ = self.0.subscribe().wait_for(|stop| *stop).await;
    }

    /// Stops at the signals that ask for it.
    pub fn on_signals(&self) -> std::io::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let stopper = self.clone();
        tokio::spawn(async move {
            let name = tokio::select! {
                _ = interrupt.recv() => "interrupt",
                _ = terminate.recv() => "terminate",
            };
            tracing::info!(target: "node", signal = name, "stopping");
            stopper.stop();
            // Who asks again does not want to wait.
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            std::process::exit(1);
        });
        Ok(())
    }
}

impl Stop {
    /// Waits for the wish.
    pub async fn wait(&mut self) {
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    /// The receiver, for servers.
    pub fn receiver(&self) -> watch::Receiver<bool> {
        self.0.clone()
    }
}
