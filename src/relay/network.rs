//! A range of addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// All addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    /// How many bits count.
    length: u32,
}

impl Network {
    /// Whether `ip`, in its canonical form, is one of them. IPv4 and IPv6 have nothing in common.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let differ = match (self.base, ip) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => (base.to_bits() ^ ip.to_bits()).leading_zeros(),
            (IpAddr::V6(base), IpAddr::V6(ip)) => (base.to_bits() ^ ip.to_bits()).leading_zeros(),
            _ => return false,
        };
        differ >= self.length
    }
}

/// The text is no address and no range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkError;

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an address such as 192.0.2.7, or a range such as 192.0.2.0/24")
    }
}

impl std::error::Error for NetworkError {}

impl FromStr for Network {
    type Err = NetworkError;

    /// `ADDR` or `ADDR/LEN`: the first LEN bits count, all of them without it.
    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (base, length) = match text.split_once('/') {
            Some((base, length)) => (base, Some(length)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| NetworkError)?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => most,
            // The standard library would take a sign.
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| NetworkError)?
            }
            Some(_) => return Err(NetworkError),
        };
        match length <= most {
            true => Ok(Self { base, length }),
            false => Err(NetworkError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_what_begins_with_its_bits_and_nothing_else() {
        for (network, inside, outside) in [
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.7/24", "192.0.2.255", "192.0.3.7"),
            ("10.0.0.0/9", "10.127.0.1", "10.128.0.1"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("::/0", "2001:db8::1", "127.0.0.1"),
            ("2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1"),
            ("::1", "::1", "::2"),
        ] {
            let range: Network = network.parse().unwrap();
            assert!(range.contains(inside.parse().unwrap()), "{network}");
            assert!(!range.contains(outside.parse().unwrap()), "{network}");
        }
    }

    #[test]
    fn what_is_no_range_is_an_error() {
        for text in [
            "",
            "/8",
            "a",
            "1.2.3",
            "1.2.3.4/",
            "1.2.3.4/33",
            "1.2.3.4/-1",
            "1.2.3.4/+1",
            "1.2.3.4/8/8",
            "::1/129",
            "[::1]",
            "1.2.3.4/99999999999",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError), "{text}");
        }
    }
}
