//! The channels of a connection.

/// Number of a channel.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub u8);

impl ChannelId {
    /// Addresses of other nodes (peer exchange).
    pub const PEX: Self = Self(0x00);
    /// Where a node stands in consensus.
    pub const STATE: Self = Self(0x20);
    /// Proposals and parts of blocks.
    pub const DATA: Self = Self(0x21);
    /// Votes.
    pub const VOTE: Self = Self(0x22);
    /// Which votes a node has.
    pub const VOTE_SET_BITS: Self = Self(0x23);
    /// Transactions.
    pub const MEMPOOL: Self = Self(0x30);
    /// Evidence of misbehaviour.
    pub const EVIDENCE: Self = Self(0x38);
    /// Blocks of the past.
    pub const BLOCKCHAIN: Self = Self(0x40);
    /// Offers of snapshots.
    pub const SNAPSHOT: Self = Self(0x60);
    /// Pieces of snapshots.
    pub const CHUNK: Self = Self(0x61);
}

impl std::fmt::Debug for ChannelId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#04x}", self.0)
    }
}

/// How a connection treats a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelInfo {
    /// Its number.
    pub id: ChannelId,
    /// Share of the connection: the channel that has sent least by its priority comes next.
    pub priority: u32,
    /// Messages that may wait for the connection.
    pub send_queue: usize,
    /// Most bytes of a received message.
    pub max_message: usize,
}

/// Most bytes of a transaction. Source: tendermint `config/config.go`, `DefaultMempoolConfig`.
pub const MAX_TX_BYTES: usize = 1_048_576;

const MAX_CONSENSUS: usize = 1_048_576;
/// A message of one transaction of [`MAX_TX_BYTES`]: twice a key and a length of three bytes.
const MAX_MEMPOOL: usize = 1_048_584;
/// The largest block with five bytes around it. Source: tendermint `blockchain/msgs.go`, `MaxMsgSize`.
const MAX_BLOCK_MESSAGE: usize = 104_857_605;

/// All channels of a node, in ascending order.
///
/// Source: tendermint `GetChannels` of `consensus/reactor.go`, `mempool/reactor.go`, `evidence/reactor.go`,
/// `blockchain/v0/reactor.go`, `statesync/reactor.go`, `p2p/pex/pex_reactor.go`; where no length of the queue is given,
/// `p2p/conn/connection.go`, `defaultSendQueueCapacity`.
pub const CHANNELS: [ChannelInfo; 10] = [
    ChannelInfo { id: ChannelId::PEX, priority: 1, send_queue: 10, max_message: 64_000 },
    ChannelInfo { id: ChannelId::STATE, priority: 6, send_queue: 100, max_message: MAX_CONSENSUS },
    ChannelInfo { id: ChannelId::DATA, priority: 10, send_queue: 100, max_message: MAX_CONSENSUS },
    ChannelInfo { id: ChannelId::VOTE, priority: 7, send_queue: 100, max_message: MAX_CONSENSUS },
    ChannelInfo { id: ChannelId::VOTE_SET_BITS, priority: 1, send_queue: 2, max_message: MAX_CONSENSUS },
    ChannelInfo { id: ChannelId::MEMPOOL, priority: 5, send_queue: 1, max_message: MAX_MEMPOOL },
    ChannelInfo { id: ChannelId::EVIDENCE, priority: 6, send_queue: 1, max_message: MAX_CONSENSUS },
    ChannelInfo { id: ChannelId::BLOCKCHAIN, priority: 5, send_queue: 1000, max_message: MAX_BLOCK_MESSAGE },
    ChannelInfo { id: ChannelId::SNAPSHOT, priority: 5, send_queue: 10, max_message: 4_000_000 },
    ChannelInfo { id: ChannelId::CHUNK, priority: 1, send_queue: 4, max_message: 16_000_000 },
];

/// How a connection treats a channel; none for a number that no node uses.
pub fn channel(id: ChannelId) -> Option<&'static ChannelInfo> {
    CHANNELS.iter().find(|c| c.id == id)
}

/// Most bytes of a message of a channel, 0 for an unknown one.
pub(crate) fn max_message(id: ChannelId) -> usize {
    channel(id).map_or(0, |c| c.max_message)
}
