//! The header of version 1, and the mark and the answer of version 2.

use p2pxfer::wire::v1::{Checksum, HEADER_SIZE, Header, LENGTH_MAX, NAME_MAX, NUMBER_WIDTH};
use p2pxfer::wire::v2::{ANSWER_SIZE, Answer, Mark};

pub(crate) fn run(bytes: &[u8]) {
    if let Some(header) = bytes.first_chunk::<HEADER_SIZE>() {
        of_header(header);
    }
    if let Some(answer) = bytes.first_chunk::<ANSWER_SIZE>() {
        if let Some(read) = Answer::decode(answer) {
            let written = read.encode();
            let again = Answer::decode(&written).expect("what we write");
            assert_eq!((read.secret, read.nonce), (again.secret, again.nonce));
        }
    }
    if let Some(number) = bytes.first_chunk::<NUMBER_WIDTH>() {
        if let Ok(sum) = Checksum::decode(number) {
            assert_eq!(Checksum::decode(&sum.encode()), Ok(sum));
        }
    }
}

fn of_header(bytes: &[u8; HEADER_SIZE]) {
    let mark = Mark::find(bytes);
    let Ok(header) = Header::decode(bytes) else {
        return;
    };
    assert!(header.name().len() <= NAME_MAX);
    assert!((1..=LENGTH_MAX).contains(&header.length()));
    let written = header.encode();
    assert_eq!(Header::decode(&written), Ok(header.clone()));
    assert!(Mark::find(&written).is_none(), "a mark that nobody made");
    // A program of 2013 reads the same header, whatever the mark says.
    if let Some(mark) = mark {
        let marked = mark.encode(Some(&header));
        assert_eq!(Header::decode(&marked), Ok(header));
        assert!(Mark::find(&marked).is_some_and(|found| found.secret == mark.secret));
    }
}
