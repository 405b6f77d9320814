use proptest::prelude::*;

use super::*;
use crate::rng::Rng;

const NOW: i64 = 1_700_000_000;

fn address(n: u32) -> NetAddress {
    let mut id = [0; 20];
    id[..4].copy_from_slice(&n.to_be_bytes());
    let [_, a, b, c] = n.to_be_bytes();
    NetAddress { id: PeerId(id), ip: std::net::Ipv4Addr::new(8, a, b, c.max(1)).into(), port: 26656 }
}

fn filled(count: u32) -> AddressBook {
    let (mut book, mut rng) = (AddressBook::new(true), Rng::Seeded(1));
    for n in 0..count {
        book.add(address(n * 977), address(n * 7919), NOW, &mut rng).unwrap();
    }
    book
}

fn check(book: &AddressBook) {
    for (buckets, old) in [(&book.new, false), (&book.old, true)] {
        for (at, bucket) in buckets.iter().enumerate() {
            assert!(bucket.len() <= BUCKET_SIZE + 1);
            for id in bucket {
                let known = &book.known[id];
                assert!(known.is_old == old && known.buckets.contains(&at));
            }
        }
    }
    for (id, known) in &book.known {
        assert!(!known.buckets.is_empty() && known.buckets.len() <= MAX_BUCKETS_PER_ADDRESS);
        let buckets = if known.is_old { &book.old } else { &book.new };
        assert!(known.buckets.iter().all(|at| buckets[*at].contains(id)));
    }
}

#[test]
fn addresses_that_must_not_be_known_are_refused() {
    let (mut book, mut rng) = (AddressBook::new(true), Rng::Seeded(1));
    book.add_our_id(address(1).id);
    book.add_our_address(address(2));
    book.add_private([address(3).id]);
    book.ban(address(4).id, NOW + 10, NOW);
    let unroutable = NetAddress { ip: "10.0.0.1".parse().unwrap(), ..address(5) };
    let invalid = NetAddress { ip: "0.0.0.0".parse().unwrap(), ..address(5) };
    let mut refusal = |address, source| book.add(address, source, NOW, &mut rng).unwrap_err();
    assert_eq!(refusal(address(1), address(9)), AddError::Ours);
    assert_eq!(refusal(address(2), address(9)), AddError::Ours);
    assert_eq!(refusal(address(3), address(9)), AddError::Private);
    assert_eq!(refusal(address(9), address(3)), AddError::Private);
    assert_eq!(refusal(address(4), address(9)), AddError::Banned);
    assert_eq!(refusal(unroutable, address(9)), AddError::NotRoutable);
    assert_eq!(refusal(invalid, address(9)), AddError::Invalid);
    assert!(book.is_empty());
    assert_eq!(AddressBook::new(false).add(unroutable, address(9), NOW, &mut rng), Ok(true));
}

#[test]
fn one_teller_cannot_fill_the_book() {
    let (mut book, mut rng) = (AddressBook::new(true), Rng::Seeded(1));
    for n in 0..20_000 {
        let _ = book.add(address(n * 331), address(77), NOW, &mut rng);
    }
    check(&book);
    assert!(book.len() <= NEW_BUCKETS_PER_GROUP as usize * (BUCKET_SIZE + 1), "{}", book.len());
}

#[test]
fn a_good_node_is_not_moved_by_hearsay() {
    let mut book = filled(10);
    let id = address(977).id;
    book.mark_good(&id, NOW);
    check(&book);
    assert!(book.is_good(&id));
    let elsewhere = NetAddress { ip: "9.9.9.9".parse().unwrap(), ..address(977) };
    assert_eq!(book.add(elsewhere, address(5), NOW, &mut Rng::Seeded(1)), Ok(false));
    assert_eq!(book.known[&id].address, address(977));
}

#[test]
fn many_good_nodes_push_the_oldest_out_of_their_buckets() {
    let mut book = filled(9000);
    for n in 0..9000 {
        book.mark_good(&address(n * 977).id, NOW + i64::from(n));
    }
    check(&book);
    assert!(book.known.values().filter(|k| k.is_old).count() <= OLD_BUCKETS * (BUCKET_SIZE + 1));
}

#[test]
fn a_ban_ends_and_the_address_comes_back() {
    let mut book = filled(10);
    let id = address(977).id;
    book.ban(id, NOW + 100, NOW);
    assert!(book.is_banned(&id, NOW + 99) && !book.contains(&id));
    book.reinstate(NOW + 99);
    assert!(!book.contains(&id));
    book.reinstate(NOW + 100);
    assert!(book.contains(&id) && !book.is_banned(&id, NOW + 100));
    check(&book);
}

#[test]
fn bans_are_bounded() {
    let mut book = AddressBook::new(true);
    for n in 0..MAX_BANS as u32 + 100 {
        book.ban(address(n).id, NOW + 1000 + i64::from(n), NOW);
    }
    assert_eq!(book.bans.iter().count(), MAX_BANS);
    assert!(!book.is_banned(&address(0).id, NOW) && book.is_banned(&address(100).id, NOW));
}

#[test]
fn selections_have_the_originals_sizes() {
    for (known, expected) in [(0, 0), (20, 20), (100, 32), (1000, 230), (1200, 250)] {
        let (book, mut rng) = (filled(known), Rng::Seeded(3));
        assert_eq!(book.len(), known as usize);
        assert_eq!(book.selection(&mut rng).len(), expected);
        assert_eq!(book.selection_with_bias(30, &mut rng).len(), expected);
    }
    let mut book = filled(100);
    for n in 0..50 {
        book.mark_good(&address(n * 977).id, NOW);
    }
    let selection = book.selection_with_bias(30, &mut Rng::Seeded(3));
    assert_eq!(selection.iter().filter(|a| book.is_good(&a.id)).count(), 22);
}

#[test]
fn picking_leans_as_asked() {
    let mut book = filled(100);
    for n in 0..50 {
        book.mark_good(&address(n * 977).id, NOW);
    }
    let mut rng = Rng::Seeded(5);
    let mut old = |percent| (0..1000).filter(|_| book.is_good(&book.pick(percent, &mut rng).unwrap().id)).count();
    assert_eq!((old(100), old(0)), (0, 1000));
    assert!((600..800).contains(&old(30)));
    assert_eq!(AddressBook::new(true).pick(50, &mut rng), None);
}

#[test]
fn the_file_brings_everything_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config/addrbook.json");
    assert!(AddressBook::load(&path, true).unwrap().is_empty());
    let mut book = filled(300);
    book.mark_good(&address(977).id, NOW + 5);
    book.mark_attempt(&address(2 * 977).id, NOW + 9);
    book.ban(address(3 * 977).id, NOW + 100, NOW);
    AddressBook::write(&path, &book.to_text()).unwrap();
    let mut again = AddressBook::load(&path, true).unwrap();
    check(&again);
    assert_eq!((&again.key, &again.known), (&book.key, &book.known));
    assert!(again.is_banned(&address(3 * 977).id, NOW));
    assert!(!again.take_changed() && book.take_changed());
}

/// As the Go node writes it.
#[test]
fn a_file_of_the_original_is_read() {
    let text = r#"{
	"key": "1f4fb2a4a5b6c7d8e9f0a1b2",
	"addrs": [
		{
			"addr": {"id": "00112233445566778899aabbccddeeff00112233", "ip": "34.86.165.6", "port": 26656},
			"src": {"id": "00112233445566778899aabbccddeeff00112233", "ip": "34.86.165.6", "port": 26656},
			"buckets": [17, 250],
			"attempts": 2,
			"bucket_type": 1,
			"last_attempt": "2023-05-02T10:11:12.123456789+02:00",
			"last_success": "0001-01-01T00:00:00Z",
			"last_ban_time": "0001-01-01T00:00:00Z"
		},
		{"addr": null}
	]
}"#;
    let book = AddressBook::from_json(&serde_json::from_str(text).unwrap(), true).unwrap();
    check(&book);
    let known = &book.known["00112233445566778899aabbccddeeff00112233".parse::<PeerId>().as_ref().unwrap()];
    assert_eq!((known.attempts, known.last_success, known.last_attempt, &known.buckets[..]), (2, NEVER, 1_683_015_072, &[17, 250][..]));
}

#[test]
fn a_damaged_file_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("addrbook.json");
    for text in ["", "[]", "{\"key\": 5}", "{"] {
        std::fs::write(&path, text).unwrap();
        assert!(AddressBook::load(&path, true).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn the_book_stays_in_order(steps in prop::collection::vec((0u8..5, 0u32..40, 0u32..9), 0..300)) {
        let (mut book, mut rng) = (AddressBook::new(true), Rng::Seeded(9));
        for (at, (kind, n, source)) in steps.into_iter().enumerate() {
            let (id, now) = (address(n * 977).id, NOW + at as i64);
            match kind {
                0 | 1 => { let _ = book.add(address(n * 977), address(source * 7919), now, &mut rng); }
                2 => book.mark_good(&id, now),
                3 => book.ban(id, now + 20, now),
                _ => book.reinstate(now),
            }
            check(&book);
        }
        let again = AddressBook::from_json(&serde_json::from_str(&book.to_text()).unwrap(), true).unwrap();
        prop_assert_eq!(again.known, book.known);
    }
}
