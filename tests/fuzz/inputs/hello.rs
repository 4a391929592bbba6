//! The hello at the relay: however it is cut, it says the same, and what it says is written the same again.

use p2pxfer::wire::{HELLO_MAX, HelloReader, Progress};

pub(crate) fn run(bytes: &[u8]) {
    let Some((&size, bytes)) = bytes.split_first() else {
        return;
    };
    let at_once = HelloReader::new().push(bytes);
    let mut reader = HelloReader::new();
    let mut before = 0;
    for piece in bytes.chunks(usize::from(size).max(1)) {
        match (reader.push(piece), &at_once) {
            (Ok(Progress::More), _) => before += piece.len(),
            (
                Ok(Progress::Done { hello, used }),
                Ok(Progress::Done {
                    hello: same,
                    used: all,
                }),
            ) => {
                assert_eq!((&hello, before + used), (same, *all));
                assert!(*all <= HELLO_MAX);
                assert_eq!(hello.encode(), bytes[..*all]);
                return;
            }
            (Err(error), Err(same)) => {
                assert_eq!(error, *same);
                return;
            }
            _ => panic!("the pieces say something else than the whole"),
        }
    }
    assert!(bytes.is_empty() || matches!(at_once, Ok(Progress::More)));
    assert!(before <= HELLO_MAX);
}
