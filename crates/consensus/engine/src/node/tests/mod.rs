//! Whole nodes that talk to each other in one process, on virtual time.

pub(crate) mod harness;

use oasis_primitives::signature::{ChainContext, Signer as _, TENDERMINT_CONTEXT};

use self::harness::*;
use super::*;
use crate::{
    messages::{
        BlockRequest, BlockSyncMessage, CHANNELS, ChannelId, ConsensusMessage, HasVoteMessage, NewRoundStepMessage, SnapshotsRequest,
        StateSyncMessage, StatusRequest, VoteMessage,
    },
    ports::Store,
    proto::Vote,
};

#[test]
fn four_nodes_make_blocks_with_transactions() {
    let mut net = Network::new(4, 4);
    (0..4).for_each(|i| net.start(i));
    net.give(2, Input::SubmitTx { id: 7, tx: vec![5] });
    net.give(2, Input::SubmitTx { id: 8, tx: vec![0] });
    net.give(3, Input::SubmitTx { id: 9, tx: vec![6; 300_000] });
    net.reaches(20, 60_000 * MS);
    assert_eq!(net.disks[0].with(|d| d.app.app_hash.clone()), 2u64.to_be_bytes());
    assert!(net.nodes.iter().flatten().all(|n| n.mempool().is_empty()));
    assert_eq!(net.dropped, []);
    // Hardly more than a round of messages each.
    assert!(net.now < 20 * 250 * MS, "{} ms", net.now / MS);
    println!("{:?} {:?} {} ms", net.sent, net.fired, net.now / MS);
}

#[test]
fn a_node_alone_makes_blocks() {
    let mut net = Network::new(1, 1);
    net.config.sync_blocks = true;
    net.start(0);
    net.reaches(20, 10_000 * MS);
}

#[test]
fn a_node_alone_that_never_pauses_gives_others_a_turn_between_blocks() {
    let mut net = Network::new(1, 1);
    net.config.rounds.skip_timeout_commit = true;
    net.start(0);
    net.reaches(20, 10_000 * MS);
    net.give(0, Input::SubmitTx { id: 7, tx: vec![5] });
    let height = net.height(0);
    net.reaches(height + 2, 10_000 * MS);
    assert_eq!(net.disks[0].with(|d| d.app.app_hash.clone()), 1u64.to_be_bytes());
    net.crash(0);
    net.start(0);
    net.reaches(height + 20, 10_000 * MS);
}

#[test]
fn nodes_that_crash_go_on_where_they_were() {
    let mut net = Network::new(4, 4);
    (0..4).for_each(|i| net.start(i));
    net.reaches(3, 60_000 * MS);
    for turn in 0..40usize {
        let node = turn % 4;
        net.crash(node);
        net.run(turn as i64 * 17 * MS, |_| false);
        net.start(node);
        net.run(turn as i64 * 13 * MS, |_| false);
    }
    let height = net.height(0);
    net.reaches(height + 5, 60_000 * MS);
    assert_eq!(net.dropped, []);
}

#[test]
fn a_stopped_network_wakes_when_all_crashed() {
    let mut net = Network::new(4, 4);
    (0..4).for_each(|i| net.start(i));
    for turn in 0..20 {
        net.run(turn * 37 * MS, |_| false);
        (0..4).for_each(|i| net.crash(i));
        (0..4).for_each(|i| net.start(i));
    }
    let height = (0..4).map(|i| net.height(i)).max().unwrap();
    net.reaches(height + 5, 60_000 * MS);
}

#[test]
fn a_node_that_was_away_catches_up() {
    let mut net = Network::new(4, 4);
    (0..4).for_each(|i| net.start(i));
    net.reaches(2, 60_000 * MS);
    net.crash(3);
    net.run(20_000 * MS, |n| n.height(0) >= 30);
    net.start(3);
    net.reaches(32, 20_000 * MS);
    assert_eq!(net.dropped, []);
}

#[test]
fn nodes_at_the_end_give_peers_the_last_block() {
    const END: i64 = 12;
    let mut net = Network::new(5, 4);
    net.config.sync_blocks = true;
    net.disks.iter().for_each(|disk| disk.with(|d| d.end = Some(END)));
    (0..4).for_each(|i| net.start(i));
    let ended = |net: &Network, i: usize| net.events[i].iter().filter(|e| matches!(e, NodeEvent::Ended(_))).count() == 1;
    net.reaches(END - 3, 60_000 * MS);
    // One is away while the others decide the last block; another was never there.
    net.crash(3);
    assert!(net.run(60_000 * MS, |net| (0..3).all(|i| ended(net, i))));
    net.start(3);
    net.start(4);
    assert!(
        net.run(60_000 * MS, |net| (0..5).all(|i| net.disks[i].range().1 == END)),
        "{:?}",
        net.disks.iter().map(|d| d.range()).collect::<Vec<_>>()
    );
    assert!(net.run(60_000 * MS, |net| (0..4).all(|i| ended(net, i))));
    assert!(net.nodes.iter().flatten().all(|n| n.state().last_block_height == END - 1));
    assert_eq!(net.dropped, []);
}

#[test]
fn a_new_node_syncs_blocks_then_follows() {
    let mut net = Network::new(5, 4);
    (0..4).for_each(|i| net.start(i));
    net.run(60_000 * MS, |n| n.height(0) >= 50);
    net.config.sync_blocks = true;
    net.config.verify_elsewhere = true;
    net.start(4);
    net.reaches(60, 30_000 * MS);
    assert_eq!(net.nodes[4].as_ref().unwrap().mode(), Mode::Consensus);
    assert_eq!(net.dropped, []);
}

#[test]
fn a_node_that_falls_far_behind_goes_back_to_block_sync() {
    let mut net = Network::new(4, 4);
    net.config.sync_blocks = true;
    net.config.verify_elsewhere = true;
    (0..4).for_each(|i| net.start(i));
    net.reaches(3, 60_000 * MS);
    let mode = |n: &Network| n.nodes[3].as_ref().unwrap().mode();
    for _ in 0..3 {
        net.deaf.insert(3);
        let height = net.height(3);
        assert!(net.run(60_000 * MS, |n| mode(n) == Mode::BlockSync));
        assert!(net.height(0) > height + 20 && net.height(3) == height);
        assert!(net.run(20_000 * MS, |n| mode(n) == Mode::Consensus));
        assert!(net.height(3) + 5 > net.height(0));
        net.deaf.clear();
        let height = net.height(0);
        net.reaches(height + 5, 20_000 * MS);
    }
    assert_eq!(net.dropped, []);
    // It votes again: three of four go on without another.
    net.crash(0);
    let height = net.height(1);
    net.run(60_000 * MS, |n| n.height(3) >= height + 5);
    assert!(net.height(3) >= height + 5);
}

#[test]
fn a_peer_that_only_boasts_of_its_height_keeps_nobody_from_consensus() {
    let mut net = Network::new(4, 4);
    net.config.sync_blocks = true;
    (0..4).for_each(|i| net.start(i));
    net.reaches(3, 60_000 * MS);
    let stranger = PeerId([100; 20]);
    net.give(0, Input::Connected { peer: stranger, outbound: false, persistent: false });
    for round in 0..200 {
        let step = NewRoundStepMessage { height: 1_000_000, round, step: 1, ..Default::default() };
        let bytes = ConsensusMessage::NewRoundStep(step).to_bytes();
        net.give(0, Input::Message { peer: stranger, channel: ChannelId::STATE, bytes });
        let status = BlockSyncMessage::StatusResponse(crate::messages::StatusResponse { height: 1_000_000, base: 1 });
        net.give(0, Input::Message { peer: stranger, channel: ChannelId::BLOCKCHAIN, bytes: status.to_bytes() });
        net.run(300 * MS, |_| false);
        assert_eq!(net.nodes[0].as_ref().unwrap().mode(), Mode::Consensus);
    }
    assert!(net.height(0) > 200, "{}", net.height(0));
    assert!(net.to_strangers > 0);
}

#[test]
fn a_fresh_network_begins_by_block_sync() {
    let mut net = Network::new(4, 4);
    net.config.sync_blocks = true;
    (0..4).for_each(|i| net.start(i));
    net.reaches(5, 60_000 * MS);
}

#[test]
fn peers_that_send_garbage_are_dropped_and_banned() {
    let mut net = Network::new(4, 4);
    (0..4).for_each(|i| net.start(i));
    net.reaches(2, 60_000 * MS);
    let has_vote = ConsensusMessage::HasVote(HasVoteMessage { height: -1, round: 0, r#type: 1, index: 0 }).to_bytes();
    let garbage = [
        (ChannelId::STATE, vec![0xff; 10]),
        (ChannelId::STATE, has_vote),
        (ChannelId::DATA, vec![]),
        (ChannelId::MEMPOOL, vec![0; 3_000_000]),
        (ChannelId::EVIDENCE, vec![0x0a, 0x00]),
        (ChannelId::BLOCKCHAIN, vec![0xff]),
        (ChannelId(0x99), vec![1]),
    ];
    for (i, (channel, bytes)) in garbage.into_iter().enumerate() {
        let peer = PeerId([100 + i as u8; 20]);
        net.give(0, Input::Connected { peer, outbound: false, persistent: false });
        net.give(0, Input::Message { peer, channel, bytes });
        assert!(matches!(net.dropped.pop(), Some((0, p, _, true)) if p == peer), "{channel:?}");
    }
    net.reaches(5, 60_000 * MS);
    assert_eq!(net.nodes[0].as_ref().unwrap().gossip().peers().count(), 3);
}

#[test]
fn messages_that_get_lost_are_sent_again_at_last() {
    let mut net = Network::new(4, 4);
    (0..4).for_each(|i| net.start(i));
    net.reaches(2, 60_000 * MS);
    for turn in 0..10 {
        net.run((turn * 31 + 5) * MS, |_| false);
        // Everything on the way, without any connection being closed.
        net.queue.retain(|_, (_, what)| !matches!(what, What::Input(Input::Message { .. })));
    }
    let height = (0..4).map(|i| net.height(i)).max().unwrap();
    net.reaches(height + 3, 120_000 * MS);
}

#[test]
fn a_validator_that_votes_twice_is_reported_in_a_block() {
    let mut net = Network::new(4, 4);
    (0..3).for_each(|i| net.start(i));
    net.run(60_000 * MS, |n| n.height(0) >= 3);
    // Two votes of the validator that is away, each through another peer.
    let (height, round, set) = {
        let rounds = net.nodes[0].as_ref().unwrap().rounds().unwrap();
        (rounds.height(), rounds.round(), rounds.validators().clone())
    };
    let key = &net.keys[3];
    let index = set.validators().iter().position(|v| v.key().unwrap() == key.public_key().0).unwrap();
    for i in 0..2u8 {
        let mut vote = Vote {
            r#type: 1,
            height,
            round,
            timestamp: net.time(),
            validator_address: set.validators()[index].address.clone(),
            validator_index: index as i32,
            ..Default::default()
        };
        vote.block_id.hash = vec![i; 32];
        vote.block_id.part_set_header = crate::proto::PartSetHeader { total: 1, hash: vec![i; 32] };
        let signed = net.keys[3].sign(&TENDERMINT_CONTEXT, &ChainContext::UNSET, &vote.sign_bytes("test chain")).unwrap();
        vote.signature = signed.signature.0.to_vec();
        let peer = PeerId([50 + i; 20]);
        net.give(0, Input::Connected { peer, outbound: false, persistent: false });
        let bytes = ConsensusMessage::Vote(VoteMessage { vote: Some(vote) }).to_bytes();
        net.give(0, Input::Message { peer, channel: ChannelId::VOTE, bytes });
        net.give(0, Input::Gone { peer });
    }
    let slashed = |n: &Network| n.disks[1].with(|d| d.app.app_hash.clone()) == 1000u64.to_be_bytes();
    assert!(net.run(60_000 * MS, slashed), "{:?}", net.dropped);
    net.run(5_000 * MS, |_| false);
    assert!(slashed(&net) && net.nodes.iter().flatten().all(|n| n.evidence().is_empty()));
    assert_eq!(net.dropped, []);
}

#[test]
fn a_peer_that_takes_nothing_costs_a_bounded_amount() {
    let mut net = Network::new(4, 4);
    (0..3).for_each(|i| net.start(i));
    let peer = PeerId([77; 20]);
    net.give(0, Input::Connected { peer, outbound: false, persistent: false });
    // It stands at the first height for ever, and asks for every block.
    let step = NewRoundStepMessage { height: 1, round: 0, step: 1, seconds_since_start_time: 0, last_commit_round: -1 };
    let step = ConsensusMessage::NewRoundStep(step).to_bytes();
    net.give(0, Input::Message { peer, channel: ChannelId::STATE, bytes: step });
    for i in 0..400u32 {
        net.give(0, Input::SubmitTx { id: 0, tx: [i.to_be_bytes().to_vec(), vec![1; 40_000]].concat() });
        if i % 20 == 0 {
            net.run(100 * MS, |_| false);
        }
    }
    for asks in 0..2000 {
        let ask = BlockSyncMessage::BlockRequest(BlockRequest { height: asks % 10 + 1 }).to_bytes();
        net.give(0, Input::Message { peer, channel: ChannelId::BLOCKCHAIN, bytes: ask });
    }
    for _ in 0..100_000 {
        let ask = BlockSyncMessage::StatusRequest(StatusRequest {}).to_bytes();
        net.give(0, Input::Message { peer, channel: ChannelId::BLOCKCHAIN, bytes: ask });
        let ask = StateSyncMessage::SnapshotsRequest(SnapshotsRequest {}).to_bytes();
        net.give(0, Input::Message { peer, channel: ChannelId::SNAPSHOT, bytes: ask });
    }
    let bytes = net.to_strangers;
    assert!((1 << 20..12 << 20).contains(&bytes), "{bytes}");
    assert_eq!(net.dropped, []);
}

#[test]
fn changed_messages_stop_nobody() {
    let mut net = Network::new(4, 4);
    (0..4).for_each(|i| net.start(i));
    net.reaches(2, 60_000 * MS);
    let mut random = 1u64;
    let mut next = move |n: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % n
    };
    let mut banned = 0;
    for i in 0..3000 {
        net.run(MS, |_| false);
        // What goes to one node, changed, comes to another as well.
        let on_the_way: Vec<_> = net
            .queue
            .values()
            .filter_map(|(_, what)| match what {
                What::Input(Input::Message { channel, bytes, .. }) => Some((*channel, bytes.clone())),
                _ => None,
            })
            .collect();
        let Some((channel, mut bytes)) = on_the_way.get(next(on_the_way.len().max(1))).cloned() else { continue };
        for _ in 0..next(3) {
            match (next(4), bytes.len()) {
                (_, 0) => bytes.push(next(256) as u8),
                (0, n) => bytes.truncate(next(n)),
                (1, n) => bytes.insert(next(n), next(256) as u8),
                (_, n) => bytes[next(n)] = next(256) as u8,
            }
        }
        let channel = if next(10) == 0 { CHANNELS[next(CHANNELS.len())].id } else { channel };
        let (node, peer) = (next(4), PeerId([200; 20]));
        if i % 10 == 0 || banned > 0 {
            net.give(node, Input::Connected { peer, outbound: false, persistent: false });
        }
        net.give(node, Input::Message { peer, channel, bytes });
        banned = net.dropped.iter().filter(|d| d.1 == peer).count();
        net.dropped.retain(|d| d.1 != peer);
    }
    let height = net.height(0);
    assert_eq!(net.dropped, []);
    assert!(height > 10);
    net.reaches(height + 3, 60_000 * MS);
}

#[test]
fn a_new_node_restores_a_state_then_syncs_then_follows() {
    let mut net = Network::new(5, 4);
    (0..4).for_each(|i| net.start(i));
    net.give(1, Input::SubmitTx { id: 1, tx: vec![5] });
    assert!(net.run(60_000 * MS, |n| n.height(0) >= 45));
    net.config.sync_blocks = true;
    net.config.state_sync = Some(crate::statesync::Config::default());
    net.start(4);
    net.reaches(100, 60_000 * MS);
    assert_eq!(net.nodes[4].as_ref().unwrap().mode(), Mode::Consensus);
    let modes: Vec<_> = net.events[4].iter().filter_map(|e| if let NodeEvent::Mode(m) = e { Some(*m) } else { None }).collect();
    assert_eq!(modes, [Mode::StateSync, Mode::BlockSync, Mode::Consensus]);
    assert!(net.disks[4].range().0 > 40);
    assert_eq!(net.dropped, []);
    // Left on, it does no harm after a restart.
    net.crash(4);
    net.start(4);
    let height = net.height(0);
    net.reaches(height + 10, 30_000 * MS);
    assert!(net.events[4].iter().filter(|e| matches!(e, NodeEvent::Mode(Mode::StateSync))).count() == 1);
}

#[test]
fn a_node_that_finds_no_snapshot_says_so_and_stops() {
    let mut net = Network::new(5, 4);
    net.config.state_sync = Some(crate::statesync::Config { give_up_after: 30_000 * MS, ..Default::default() });
    net.start(4);
    net.run(29_000 * MS, |_| false);
    let time = net.time().plus_nanos(5_000 * MS);
    let end = net.nodes[4].as_mut().unwrap().handle(time, Input::Timer(TimerId::StateSync)).unwrap_err();
    assert!(end.0.contains("no snapshot could be restored"), "{end}");
}

#[test]
fn votes_hardly_come_twice_in_a_full_mesh() {
    let mut net = Network::new(12, 12);
    (0..12).for_each(|i| net.start(i));
    net.reaches(2, 60_000 * MS);
    let (from, before) = (net.height(0), net.sent.clone());
    net.reaches(12, 60_000 * MS);
    let blocks = usize::try_from(net.height(0) - from).unwrap();
    let count = |channel| net.sent[&channel].0 - before[&channel].0;
    // Two votes of each node to each other.
    let needed = blocks * 2 * 12 * 11;
    let votes = count(ChannelId::VOTE);
    assert!(votes < needed * 3 / 2, "{votes} of {needed}");
    // The proposal and the one part, to each once.
    assert!(count(ChannelId::DATA) < blocks * 2 * 11 * 3 / 2);
}

#[test]
fn power_may_fail_at_every_write() {
    let mut net = Network::new(4, 4);
    (0..4).for_each(|i| net.start(i));
    net.reaches(2, 60_000 * MS);
    for writes in 0..60 {
        // Two of the four at once, so that nothing is decided without those that come back.
        for node in [writes as usize % 4, (writes as usize + 1) % 4] {
            net.disks[node].with(|d| d.fuse = Some(writes));
        }
        net.give(2, Input::SubmitTx { id: 1, tx: vec![1, writes as u8] });
        let failed = net.power_failures + 2;
        assert!(net.run(60_000 * MS, |n| n.power_failures == failed), "{writes}");
    }
    let height = (0..4).map(|i| net.height(i)).max().unwrap();
    net.reaches(height + 3, 60_000 * MS);
    let refused: Vec<_> = net.events.iter().flatten().filter(|e| matches!(e, NodeEvent::Halted(_))).collect();
    assert!(refused.is_empty(), "{refused:?}");
    assert_eq!(net.dropped, []);
}

#[test]
fn nodes_in_a_line_agree_over_their_neighbours() {
    let mut net = Network::new(7, 7);
    net.reach = 1;
    (0..7).for_each(|i| net.start(i));
    net.give(6, Input::SubmitTx { id: 1, tx: vec![1; 200_000] });
    net.reaches(12, 60_000 * MS);
    // No round was lost to the way.
    let rounds = |e: &NodeEvent| if let NodeEvent::Step(step) = e { step.round } else { 0 };
    assert_eq!(net.events.iter().flatten().map(rounds).max(), Some(0));
    assert_eq!(net.disks[0].with(|d| d.app.app_hash.clone()), 1u64.to_be_bytes());
    assert_eq!(net.dropped, []);
    println!("{} ms for {} blocks", net.now / MS, net.height(0));
}
