//! The tasks around the manager: the listener, handshakes, connections.

use std::{future::pending, sync::Arc, time::Duration};

use bytes::Bytes;
use oasis_consensus_engine::PeerId;
use oasis_primitives::signature::Signer;
use tokio::{
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{Semaphore, mpsc},
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use super::{LOG, Report, Shared};
use crate::{
    address::{NetAddress, PeerAddress},
    mux::{Link, Stop, run},
    network::{NetConfig, NetEvent, Queued},
    pex::PEX_CHANNEL,
    reason::Reason,
    upgrade::{UpgradeError, Upgraded, upgrade},
};

/// Handshakes at the same time with those that dial us.
const PENDING: usize = 64;
/// Of these from one IP address, where each may have one peer only.
const PENDING_PER_IP: usize = 4;
/// How long a second connection with a peer is held.
const HOLD: Duration = Duration::from_millis(500);
/// Bytes that are taken from it meanwhile.
const HELD_BYTES: usize = 65_536;
/// Bytes that one permit to wait for the user stands for.
const PERMIT: usize = 1024;

pub(super) type NewPeer = Upgraded<OwnedReadHalf, OwnedWriteHalf>;

/// What every task needs.
#[derive(Clone)]
pub(super) struct Wires {
    pub config: Arc<NetConfig>,
    pub signer: Arc<dyn Signer>,
    pub shared: Arc<Shared>,
    pub reports: mpsc::Sender<Report>,
    pub events: mpsc::Sender<Queued>,
}

/// Takes connections and shakes hands, each in a task of its own.
///
/// Source: tendermint `p2p/transport.go`, `acceptPeers`.
pub(super) async fn accept(listener: TcpListener, wires: Wires) {
    let slots = Arc::new(Semaphore::new(PENDING));
    let per_ip = if wires.config.allow_duplicate_ip { PENDING } else { PENDING_PER_IP };
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(e) => {
                // Out of file descriptors, most likely: others may become free.
                warn!(target: LOG, error = %e, "accepting a connection failed");
                sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let ip = remote.ip().to_canonical();
        if !wires.config.allow_duplicate_ip && wires.shared.has_ip(&ip) {
            debug!(target: LOG, %remote, "inbound connection refused: a peer has the same IP address");
            continue;
        }
        let Some(pending) = wires.shared.begin(ip, per_ip) else {
            debug!(target: LOG, %remote, "inbound connection refused: too many from this IP address");
            continue;
        };
        let wires = wires.clone();
        tokio::spawn(async move {
            let result = shake(stream, &wires, None).await.map(Box::new);
            drop(slot);
            let _ = wires.reports.send(Report::Accepted { remote, result, pending }).await;
        });
    }
}

/// Dials and shakes hands. Source: tendermint `p2p/transport.go`, `Dial`.
pub(super) async fn dial(wires: Wires, target: PeerAddress) {
    let mut address = target.ip();
    let dialed = async {
        let connect = async {
            let found = target.resolve().await?;
            address = Some(found);
            Ok::<_, UpgradeError>(TcpStream::connect(found.socket()).await.map_err(crate::secret::StreamError::from)?)
        };
        let stream = timeout(wires.config.dial_timeout, connect).await.map_err(|_| UpgradeError::Timeout)??;
        shake(stream, &wires, Some(target.id)).await
    };
    let result = dialed.await.map(Box::new);
    let _ = wires.reports.send(Report::Dialed { id: target.id, address, result }).await;
}

async fn shake(stream: TcpStream, wires: &Wires, dialed: Option<PeerId>) -> Result<NewPeer, UpgradeError> {
    let _ = stream.set_nodelay(true);
    let (read, write) = stream.into_split();
    let upgrading = upgrade(read, write, &*wires.signer, &wires.shared.info, dialed);
    timeout(wires.config.handshake_timeout, upgrading).await.map_err(|_| UpgradeError::Timeout)?
}

/// Holds a second connection with a peer until the peer closes it, or for a moment.
pub(super) async fn hold(wires: Wires, remote: NetAddress, mut peer: NewPeer, outbound: bool) {
    let closed = async {
        while peer.reader.plain().len() < HELD_BYTES {
            if peer.reader.fill().await.is_err() {
                return true;
            }
        }
        pending().await
    };
    let closed = timeout(HOLD, closed).await.unwrap_or(false);
    let peer = (!closed).then(|| Box::new(peer));
    let _ = wires.reports.send(Report::Held { remote, outbound, peer }).await;
}

/// Serves a peer until it is gone.
pub(super) async fn serve(wires: Wires, link: Arc<Link>, peer: NewPeer, outbound: bool, persistent: bool) {
    let Upgraded { info, reader, writer } = peer;
    let id = info.id;
    let _ = wires.events.send((NetEvent::Connected { peer: id, info: Box::new(info), outbound, persistent }, None)).await;
    let most = (wires.config.connection.recv_queue_bytes / PERMIT).clamp(1, Semaphore::MAX_PERMITS);
    let credit = Arc::new(Semaphore::new(most));
    let deliver = |channel, bytes: Bytes| deliver(&wires, &link, &credit, most, id, channel, bytes);
    let report = |channel, bytes| {
        let wires = &wires;
        async move {
            if channel != PEX_CHANNEL || !wires.config.pex {
                let _ = wires.events.send((NetEvent::Sent { peer: id, channel, bytes }, None)).await;
            }
        }
    };
    let reason = run(&link, reader, writer, &wires.shared.descriptors, &wires.config.connection, deliver, report).await;
    let _ = wires.events.send((NetEvent::Gone { peer: id, reason: reason.clone() }, None)).await;
    let _ = wires.reports.send(Report::Gone { peer: id, reason }).await;
}

/// Hands a message on, when so few bytes of the peer wait that it has room.
async fn deliver(wires: &Wires, link: &Link, credit: &Arc<Semaphore>, most: usize, id: PeerId, channel: u8, bytes: Bytes) {
    if channel == PEX_CHANNEL && wires.config.pex {
        let _ = wires.reports.send(Report::Exchange { peer: id, bytes }).await;
        return;
    }
    let permits = u32::try_from((bytes.len() / PERMIT).saturating_add(1).min(most)).unwrap_or(u32::MAX);
    let permit = credit.clone().acquire_many_owned(permits).await.ok();
    if wires.events.send((NetEvent::Message { peer: id, channel, bytes }, permit)).await.is_err() {
        link.stop(Stop::Now(Reason::Shutdown));
    }
}
