//! The relays that a HOST names.

use std::fmt;
use std::str::FromStr;

/// One relay, or several separated by commas: a host name, an IPv4 address, or an IPv6 address with or
/// without brackets; each may have a port of its own behind a colon, an IPv6 address then in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts(Vec<(String, Option<u16>)>);

/// What is wrong with a HOST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostsError {
    /// Nothing stands there, or nothing before, between or behind commas.
    Empty,
    /// A blank or a control character.
    Blank,
    /// An address in brackets is not closed, or is followed by something other than a port.
    Brackets,
    /// A port that is not from 1 to 65535.
    Port,
}

impl fmt::Display for HostsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the host is empty: give a name or an address, or several with commas",
            Self::Blank => "the host holds a blank or a control character: leave it out",
            Self::Brackets => {
                "the host's brackets are not those of '[ADDRESS]' or '[ADDRESS]:PORT'"
            }
            Self::Port => "the port behind a host is not a number from 1 to 65535",
        })
    }
}

impl std::error::Error for HostsError {}

impl FromStr for Hosts {
    type Err = HostsError;

    fn from_str(text: &str) -> Result<Self, HostsError> {
        text.split(',')
            .map(entry)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn entry(text: &str) -> Result<(String, Option<u16>), HostsError> {
    if text
        .chars()
        .any(|char| char.is_whitespace() || char.is_control())
    {
        return Err(HostsError::Blank);
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']').ok_or(HostsError::Brackets)?;
            match behind.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if behind.is_empty() => (host, None),
                None => return Err(HostsError::Brackets),
            }
        }
        // With more than one colon it is an IPv6 address.
        None => match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (text, None),
        },
    };
    if host.is_empty() {
        return Err(HostsError::Empty);
    }
    let port = port.map(number).transpose()?;
    Ok((host.to_ascii_lowercase(), port))
}

fn number(text: &str) -> Result<u16, HostsError> {
    // The standard library would take a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.filter(|&port| port > 0).ok_or(HostsError::Port)
}

impl Hosts {
    /// Each relay once, those without a port at `port`.
    pub(super) fn relays(&self, port: u16) -> Vec<Relay> {
        let mut relays = Vec::new();
        for (host, own) in &self.0 {
            let (host, port) = (host.clone(), own.unwrap_or(port));
            let relay = Relay { host, port };
            if !relays.contains(&relay) {
                relays.push(relay);
            }
        }
        relays
    }
}

/// A relay by its normalised name: lower case, without brackets, with its port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Relay {
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Relay {
    /// `host:port`, with brackets around an IPv6 address: how it is shown, and how it is weighed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        match host.contains(':') {
            true => write!(f, "[{host}]:{port}"),
            false => write!(f, "{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_and_normalised() {
        for (text, relays) in [
            ("relay.example", &["relay.example:9000"][..]),
            ("Relay.EXAMPLE:1", &["relay.example:1"]),
            ("192.0.2.7", &["192.0.2.7:9000"]),
            ("::1", &["[::1]:9000"]),
            ("[2001:DB8::1]", &["[2001:db8::1]:9000"]),
            ("[::1]:65535", &["[::1]:65535"]),
            (
                "a.example,b.example:9001,[::1]:9000",
                &["a.example:9000", "b.example:9001", "[::1]:9000"],
            ),
            ("a,A,a:9000,[a]", &["a:9000"]),
        ] {
            let shown: Vec<_> = text.parse::<Hosts>().unwrap().relays(9000);
            let shown: Vec<_> = shown.iter().map(Relay::to_string).collect();
            assert_eq!(shown, relays, "{text}");
        }
    }

    #[test]
    fn each_mistake_has_its_error() {
        for (text, error) in [
            ("", HostsError::Empty),
            (",", HostsError::Empty),
            ("a,", HostsError::Empty),
            ("a,,b", HostsError::Empty),
            (":9000", HostsError::Empty),
            ("[]", HostsError::Empty),
            ("a, b", HostsError::Blank),
            ("a\n", HostsError::Blank),
            ("[::1", HostsError::Brackets),
            ("[::1]9000", HostsError::Brackets),
            ("a:", HostsError::Port),
            ("a:0", HostsError::Port),
            ("a:65536", HostsError::Port),
            ("a:+1", HostsError::Port),
            ("[::1]:x", HostsError::Port),
        ] {
            assert_eq!(text.parse::<Hosts>(), Err(error), "{text:?}");
        }
    }
}
