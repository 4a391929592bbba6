//! What the sockets of every platform keep to.

use std::io::{Read, Write};
use std::net::Ipv4Addr;

use super::*;

#[test]
fn what_can_be_read_is_told_without_waiting() {
    let listener = listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let mut theirs = connect(address, Duration::from_secs(5), &|| false).unwrap();
    let ours = listener.accept().unwrap().0;
    assert!(!readable(&ours).unwrap());
    theirs.write_all(b"x").unwrap();
    ours.peek(&mut [0]).unwrap();
    assert!(readable(&ours).unwrap());
    assert_eq!((&ours).read(&mut [0]).unwrap(), 1);
    assert!(!readable(&ours).unwrap());
    drop(theirs);
    assert_eq!(ours.peek(&mut [0]).unwrap(), 0);
    assert!(readable(&ours).unwrap());
}
