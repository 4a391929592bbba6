use super::super::hex;
use super::*;

// Appendix B.1 of the draft.
const PRS: &[u8] = b"Password";
const CI: &[u8] = b"\x0bA_initiator\x0bB_responder";
const SID: &str = "7e4b4791d6a8ef019b936c79fb7f2c57";
const G: &str = "d04bf6d41f6a289632a2e929fa29bebd51092512a7829fdde7d314b62f05a73f";
const A: &str = "21b4f4bd9e64ed355c3eb676a28ebedaf6d8f17bdc365995b319097153044080";
const YA: &str = "1d13c89278cdadd826f6d8d7f887701430f8380ddc17611cdd6dc989ce0c9f32";
const B: &str = "848b0779ff415f0af4ea14df9dd1d3c29ac41d836c7808896c4eba19c51ac40a";
const YB: &str = "248cccf6d5cdc3646f0ad593f9e6cef4e69d4945f8372e623512ecea32185623";
const ISK: &str = "6e19b875f7a561d6b3ca3dbb9ef42ac55de3e717881018204b8922b4d5e53bb2\
                   aa82c300bea7b65d2b671da71922ddf6472301b79bc270adfa8bf413285f2263";

fn lv(strings: &[&[u8]]) -> Vec<u8> {
    let mut all = Vec::new();
    lv_cat(strings, |bytes| all.extend_from_slice(bytes));
    all
}

/// Both sides' keys, after a session in which each byte arrives as it was sent.
fn session(a: [&[u8]; 4], b: [&[u8]; 4]) -> [Keys; 2] {
    let (initiator, ya) = Initiator::new(a[0], a[1], a[2], a[3], [1; 32]);
    let (theirs, yb) =
        Responder::respond(b[0], b[1], b[2], &ya, a[3], b[3], [2; 32]).expect("an honest share");
    let ours = initiator.finish(&yb, b[3]).expect("an honest share");
    [ours, theirs]
}

#[test]
fn strings_are_written_as_in_appendix_a_1() {
    assert_eq!(lv(&[]), [0; 0]);
    assert_eq!(lv(&[b""]), [0]);
    assert_eq!(
        lv(&[b"1234", b"5", b"", b"678"]),
        b"\x041234\x015\x00\x03678"
    );
    for (length, prefix) in [
        (127, &[0x7f][..]),
        (128, &[0x80, 0x01]),
        (16_383, &[0xff, 0x7f]),
        (16_384, &[0x80, 0x80, 0x01]),
    ] {
        let written = lv(&[&vec![7; length]]);
        assert_eq!(written.len(), prefix.len() + length);
        assert_eq!(&written[..prefix.len()], prefix);
    }
}

#[test]
fn the_draft_s_session_comes_out_on_both_sides() {
    let sid = hex::bytes(SID);
    assert_eq!(*generator(PRS, CI, &sid).expose(), hex::array(G));
    let (initiator, ya) = Initiator::new(PRS, CI, &sid, b"ADa", hex::array(A));
    assert_eq!(ya, hex::array(YA));
    let (theirs, yb) = Responder::respond(PRS, CI, &sid, &ya, b"ADa", b"ADb", hex::array(B))
        .expect("an honest share");
    assert_eq!(yb, hex::array(YB));
    let ours = initiator.finish(&yb, b"ADb").expect("an honest share");
    assert_eq!(*ours.isk(), hex::array(ISK));
    assert_eq!(*theirs.isk(), hex::array(ISK));
    // The draft has no vectors for the tags. These are what Python's hmac and hashlib make of its ISK.
    let ta = "214b05fed53d47d1ac815b42eae64cc68f93f2013db81db04cc9a4f12a1a5ca5\
              13cb2458c9071bbecf720556872de984260fdc2b576c8f5331c455de81bd22dd";
    let tb = "b792827dc20f93390415cba5f17cbdbb00556053ce74d334e16ffd52258c1320\
              36f933ece5527ca39ccd6d25ac7030c15b15ae6ee45b7665e5df9dc651ad9362";
    assert_eq!(*ours.own(), hex::array(ta));
    assert_eq!(*theirs.expected(), hex::array(ta));
    assert_eq!(*theirs.own(), hex::array(tb));
    assert_eq!(*ours.expected(), hex::array(tb));
    assert!(ours.confirms(theirs.own()) && theirs.confirms(ours.own()));
}

#[test]
fn points_of_low_order_give_what_appendix_b_1_10_says() {
    let scalar: [u8; 32] =
        hex::array("af46e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449aff");
    let zero = "0000000000000000000000000000000000000000000000000000000000000000";
    for (u, q) in [
        (zero, zero),
        (
            "0100000000000000000000000000000000000000000000000000000000000000",
            zero,
        ),
        (
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            zero,
        ),
        (
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            zero,
        ),
        (
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            zero,
        ),
        (
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            zero,
        ),
        (
            "daffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "d8e2c776bbacd510d09fd9278b7edcd25fc5ae9adfba3b6e040e8d3b71b21806",
        ),
        (
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            zero,
        ),
        (
            "dbffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "c85c655ebe8be44ba9c0ffde69f2fe10194458d137f09bbff725ce58803cdb38",
        ),
        (
            "d9ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "db64dafa9b8fdd136914e61461935fe92aa372cb056314e1231bc4ec12417456",
        ),
        (
            "cdeb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880",
            "e062dcd5376d58297be2618c7498f55baa07d7e03184e8aada20bca28888bf7a",
        ),
        (
            "4c9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f11d7",
            "993c6ad11c4c29da9a56f7691fd0ff8d732e49de6250b6c2e80003ff4629a175",
        ),
    ] {
        let share = hex::array(u);
        let k: [u8; 32] = hex::array(q);
        assert_eq!(x25519(&scalar, &share), k, "{u}");
        let (initiator, _) = Initiator::new(PRS, CI, b"", b"", scalar);
        let ours = initiator.finish(&share, b"");
        let theirs = Responder::respond(PRS, CI, b"", &share, b"", b"", scalar);
        assert_eq!(ours.is_err(), k == [0; 32], "{u}");
        assert_eq!(theirs.is_err(), k == [0; 32], "{u}");
    }
}

#[test]
fn our_own_share_sent_back_is_refused() {
    let (initiator, ya) = Initiator::new(PRS, CI, b"", b"", [5; 32]);
    assert_eq!(initiator.finish(&ya, b"").err(), Some(Degenerate));
}

#[test]
#[cfg_attr(miri, ignore = "two dozen ladders")]
fn sides_agree_only_if_every_input_does() {
    let same = [PRS, CI, b"sid", b"ADa"];
    let [ours, theirs] = session(same, [PRS, CI, b"sid", b"ADb"]);
    assert!(ours.confirms(theirs.own()) && theirs.confirms(ours.own()));
    assert!(ct::eq(ours.isk(), theirs.isk()));
    for other in [
        [b"Passwort", CI, b"sid", b"ADb"],
        [b"", CI, b"sid", b"ADb"],
        [PRS, b"CI", b"sid", b"ADb"],
        [PRS, CI, b"sie", b"ADb"],
        // The same bytes, cut elsewhere.
        [b"Password\0", CI, b"sid", b"ADb"],
        [PRS, &CI[..CI.len() - 1], b"rsid", b"ADb"],
    ] {
        let [ours, theirs] = session(same, other);
        assert!(!ours.confirms(theirs.own()) && !theirs.confirms(ours.own()));
        assert!(!ct::eq(ours.isk(), theirs.isk()));
    }
}

#[test]
fn what_was_changed_on_the_way_is_not_confirmed() {
    let (initiator, ya) = Initiator::new(PRS, CI, b"sid", b"ADa", [1; 32]);
    let (theirs, yb) =
        Responder::respond(PRS, CI, b"sid", &ya, b"ADA", b"ADb", [2; 32]).expect("an honest share");
    let ours = initiator.finish(&yb, b"ADb").expect("an honest share");
    assert!(!ours.confirms(theirs.own()) && !theirs.confirms(ours.own()));
    assert!(!ct::eq(ours.isk(), theirs.isk()));
    let mut tag = *ours.expected();
    assert!(ours.confirms(&tag));
    tag[63] ^= 1;
    assert!(!ours.confirms(&tag));
}

#[test]
#[cfg_attr(miri, ignore = "a dozen ladders")]
fn secrets_of_any_length_work() {
    for length in [0, 1, 116, 117, 118, 119, 127, 128, 129, 1000] {
        let prs = vec![b'p'; length];
        let [ours, theirs] = session([&prs, CI, b"", b""], [&prs, CI, b"", b""]);
        assert!(
            ours.confirms(theirs.own()) && theirs.confirms(ours.own()),
            "{length}"
        );
    }
}

#[test]
fn the_map_gives_points_of_the_curve() {
    let j = Element::small(486_662);
    for seed in 0..if cfg!(miri) { 2 } else { 128_u8 } {
        let bytes = Secret::new([seed.wrapping_mul(2) | 1; 32]);
        let x = Element::from_bytes(map_to_curve(&bytes).expose());
        // v^2 = x^3 + J x^2 + x has a v.
        let g = x.add(&j).mul(&x).add(&Element::ONE).mul(&x);
        assert!(g.is_square().is_yes(), "seed {seed}");
        // The map takes u and -u to the same point.
        let minus = Element::ZERO.sub(&Element::from_bytes(bytes.expose()));
        let minus = Secret::new(minus.mul(&Element::ONE).to_bytes());
        assert!(ct::eq(map_to_curve(&minus).expose(), &x.to_bytes()));
    }
}
