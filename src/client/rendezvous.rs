//! In which order two hosts that know nothing of each other but the user id try several relays:
//! rendezvous hashing, or highest random weight (Thaler and Ravishankar, 1998).
//!
//! The weights are part of the protocol (`doc/protocol.md`, section 1.1) and never change: programs
//! that weigh differently do not meet.

use super::hosts::Relay;
use crate::transfer::UserId;

/// The relays by falling weight; the order that they come in has no influence.
pub(super) fn order(user: &UserId, mut relays: Vec<Relay>) -> Vec<Relay> {
    relays.sort_by_cached_key(|relay| {
        let name = relay.to_string();
        (u64::MAX - weight(&name, user.as_bytes()), name)
    });
    relays
}

/// The weight of the relay shown as `relay` for a user id.
fn weight(relay: &str, user: &[u8]) -> u64 {
    let bytes = [relay.as_bytes(), &[0], user].concat();
    finish(fnv1a(&bytes))
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv).
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood, 2014): FNV alone mixes its last bytes too little
/// for weights to be compared.
fn finish(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Hosts;

    fn user(text: &str) -> UserId {
        UserId::new(text.as_bytes()).unwrap()
    }

    fn ordered(id: &str, hosts: &str) -> Vec<String> {
        let relays = hosts.parse::<Hosts>().unwrap().relays(9000);
        let order = order(&user(id), relays);
        order.iter().map(Relay::to_string).collect()
    }

    #[test]
    fn the_parts_of_the_hash_are_what_their_authors_publish() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
        // The first output of SplitMix64 seeded with 0 finishes its increment.
        assert_eq!(finish(0x9e37_79b9_7f4a_7c15), 0xe220_a839_7b1d_cdaf);
    }

    #[test]
    fn the_weights_never_change() {
        for (relay, id, wanted) in [
            ("a.example:9000", "alice", 0x0e82_826b_05ae_2901),
            ("b.example:9001", "alice", 0x8691_eed2_02a9_f7d9),
            ("[::1]:9000", "alice", 0x4bc2_c847_704b_c5b8),
            ("a.example:9000", "CF:E7:11:101", 0x822a_2940_da88_a80e),
            ("a.example:9000", "\u{d55c}", 0xcfa9_4c5e_b8b6_2378),
        ] {
            let weight = weight(relay, id.as_bytes());
            assert_eq!(weight, wanted, "{relay} {id}");
        }
    }

    #[test]
    fn the_order_is_the_same_however_the_list_is_written() {
        for index in 0..200 {
            let id = format!("device {index}");
            let order = ordered(&id, "a.example,b.example:9001,[::1]");
            for other in [
                "b.example:9001,[::1]:9000,a.example:9000",
                "::1,A.Example,a.example,B.EXAMPLE:9001",
            ] {
                assert_eq!(ordered(&id, other), order, "{id}");
            }
        }
    }

    #[test]
    fn the_ids_spread_evenly_and_a_relay_that_leaves_moves_only_its_own() {
        const IDS: usize = 30_000;
        let (all, less) = ("a,b,c", "a,c");
        let mut first = [0; 3];
        let mut second = [0_usize; 3];
        for index in 0..IDS {
            let id = format!("{index:x}");
            let order = ordered(&id, all);
            let place = |relay: &str| usize::from(relay.as_bytes()[0] - b'a');
            first[place(&order[0])] += 1;
            if order[0] == "b:9000" {
                second[place(&order[1])] += 1;
            }
            let rest: Vec<_> = order
                .into_iter()
                .filter(|relay| relay != "b:9000")
                .collect();
            assert_eq!(ordered(&id, less), rest, "{id}");
        }
        // Five standard deviations: sqrt(30000 * 1/3 * 2/3) = 82, sqrt(10000 * 1/4) = 50.
        assert!(
            first.iter().all(|share| (9590..=10410).contains(share)),
            "{first:?}"
        );
        assert!(second[0].abs_diff(second[2]) < 500, "{second:?}");
        assert_eq!(second[1], 0);
    }
}
