//! What the kernel holds for one of our sockets, told by Linux in `/proc/net/tcp`.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};

/// Bytes of this connection that the other end has not acknowledged yet; an end counts as one.
/// `None` when the connection is no more.
pub(crate) fn unacknowledged(stream: &TcpStream) -> Option<u64> {
    let ours = shown(stream.local_addr().ok()?)?;
    let theirs = shown(stream.peer_addr().ok()?)?;
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    table.lines().find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let found = words.next()? == ours && words.next()? == theirs;
        let (waiting, _) = words.nth(1).filter(|_| found)?.split_once(':')?;
        u64::from_str_radix(waiting, 16).ok()
    })
}

/// An address as the table has it: the IPv4 address as one number in the machine's byte order.
fn shown(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else {
        return None;
    };
    let ip = u32::from_ne_bytes(Ipv4Addr::octets(address.ip()));
    Some(format!("{ip:08X}:{:04X}", address.port()))
}
