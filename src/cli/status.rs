//! `p2p-relay --status`: the metrics of a running relay, for a human.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant, SystemTime};

use super::progress;
use crate::transfer::Printable;

/// How long the relay may take to answer in all.
const DEADLINE: Duration = Duration::from_secs(5);
/// Longest answer, in bytes.
const ANSWER_MAX: u64 = 1 << 20;

/// Asks the relay whose metrics are at `address`; what to print.
///
/// # Errors
/// The message for the user: nobody answers, or something else does.
pub(super) fn fetch(address: SocketAddr) -> Result<String, String> {
    let answer = get(address).map_err(|error| {
        format!(
            "no relay answers at {address}: {}; it has to run with --metrics {address}",
            super::relay::reason(&error)
        )
    })?;
    let body = body(&answer)
        .and_then(|body| describe(body, SystemTime::now()))
        .ok_or_else(|| {
            format!("what answers at {address} is no relay: give the address of its --metrics")
        })?;
    Ok(format!("p2p-relay at {address}\n{body}"))
}

fn get(address: SocketAddr) -> io::Result<Vec<u8>> {
    let until = Instant::now() + DEADLINE;
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE)?;
    stream.set_write_timeout(Some(DEADLINE))?;
    // HTTP/1.0: the end of the connection is the end of the answer.
    stream.write_all(format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while (answer.len() as u64) < ANSWER_MAX {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What the system calls "try again" is the end of the time here.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(answer)
}

/// The content of a good answer that is whole.
fn body(answer: &[u8]) -> Option<&str> {
    let (head, body) = std::str::from_utf8(answer).ok()?.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim())
    });
    let whole = length.is_none_or(|length| length.parse() == Ok(body.len()));
    (status.starts_with("HTTP/1.") && status.split(' ').nth(1) == Some("200") && whole)
        .then_some(body)
}

/// A line of the text format.
struct Sample<'a> {
    name: &'a str,
    /// Values of its labels.
    labels: Vec<&'a str>,
    /// In thousand millionths.
    value: u128,
}

/// What the value of a [`Sample`] is multiplied by.
const ONE: u128 = 1_000_000_000;

impl<'a> Sample<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (series, value) = line.rsplit_once(' ')?;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        Some(Self {
            // Only ours: other numbers of the same page are not this relay's.
            name: name.strip_prefix("p2p_relay_")?,
            labels: labels.split('"').skip(1).step_by(2).collect(),
            value: decimal(value)?,
        })
    }
}

/// A number as the relay writes them, without sign and exponent: floating-point numbers would be a
/// tenth of the relay's size.
fn decimal(text: &str) -> Option<u128> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 9 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u128 = format!("{part:0<9}").parse().ok()?;
    Some(u128::from(whole) * ONE + part)
}

/// A table of all metrics, whichever there are; `None` when there is none.
fn describe(text: &str, now: SystemTime) -> Option<String> {
    let mut rows: Vec<(String, Vec<String>)> = Vec::new();
    let mut buckets: Vec<(&str, u128)> = Vec::new();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    for sample in lines.filter_map(Sample::read) {
        let name = sample.name.strip_suffix("_total").unwrap_or(sample.name);
        let (name, cell) = if let Some(name) = name.strip_suffix("_seconds_bucket") {
            buckets.push((
                sample.labels.last().copied().unwrap_or_default(),
                sample.value,
            ));
            (name, None)
        } else if let Some(name) = name.strip_suffix("_seconds_sum") {
            let count = buckets.last().map_or(0, |&(_, count)| count / ONE);
            let cell = (count > 0).then(|| {
                let mean = seconds(sample.value / count);
                format!("{mean} on average, {}", percentile(&buckets))
            });
            (name, cell)
        } else if let Some(name) = name.strip_suffix("_seconds_count") {
            buckets.clear();
            (name, Some(format!("{} in all", sample.value / ONE)))
        } else if name == "build_info" {
            ("version", Some(sample.labels.join(", ")))
        } else if name == "start_time_seconds" {
            let now = now.duration_since(SystemTime::UNIX_EPOCH);
            let start = Duration::from_secs((sample.value / ONE) as u64);
            let up = now.unwrap_or_default().saturating_sub(start);
            ("up", Some(long(up)))
        } else {
            let value = (sample.value / ONE) as u64;
            let value = if name.ends_with("_bytes") {
                progress::bytes(value)
            } else {
                value.to_string()
            };
            let cell = match sample.labels.as_slice() {
                [] => Some(value),
                // A reason that never was is none to read about.
                _ if sample.value == 0 => None,
                labels => Some(format!("{} {value}", labels.join(" "))),
            };
            (name, cell)
        };
        let title = name.replace('_', " ");
        match rows.last_mut().filter(|(last, _)| *last == title) {
            Some((_, cells)) => cells.extend(cell),
            None => rows.push((title, cell.into_iter().collect())),
        }
    }
    let mut table = String::new();
    for (title, cells) in &rows {
        let cells = if cells.is_empty() {
            "0".to_owned()
        } else {
            cells.join(", ")
        };
        let title = Printable(title.as_bytes()).to_string();
        // A `String` takes everything.
        let _ = writeln!(table, "{title:<22}{}", Printable(cells.as_bytes()));
    }
    (!rows.is_empty()).then_some(table)
}

/// Within what 99 % were, by the cumulative counts below each bound.
fn percentile(buckets: &[(&str, u128)]) -> String {
    let all = buckets.last().map_or(0, |&(_, count)| count);
    let bound = buckets.iter().find(|&&(_, count)| count >= all - all / 100);
    // Only the last bound, +Inf, is no number.
    match bound.and_then(|(bound, _)| decimal(bound)) {
        Some(bound) => format!("99 % within {}", seconds(bound)),
        None => "more than 1 % beyond all bounds".into(),
    }
}

/// A short time, given in nanoseconds, in the unit that suits it.
fn seconds(nanoseconds: u128) -> String {
    let microseconds = (nanoseconds + 500) / 1_000;
    match microseconds {
        0..1_000 => format!("{microseconds} us"),
        1_000..1_000_000 => format!("{} ms", (microseconds + 500) / 1_000),
        _ => format!("{} s", (microseconds + 500_000) / 1_000_000),
    }
}

/// A long time in its two largest units.
fn long(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# HELP p2p_relay_build_info What is running; always 1.
# TYPE p2p_relay_build_info gauge
p2p_relay_build_info{version=\"0.10.0\",backend=\"epoll\"} 1
p2p_relay_start_time_seconds 1000.250
p2p_relay_connections 12
p2p_relay_refusals_total{reason=\"nobody-waits\"} 0
p2p_relay_refusals_total{reason=\"not-a-hello\"} 3
p2p_relay_closes_total{reason=\"gone\"} 0
p2p_relay_passed_bytes_total{from=\"listener\"} 1500000
p2p_relay_passed_bytes_total{from=\"caller\"} 2
p2p_relay_loop_turn_seconds_bucket{le=\"0.00005\"} 98
p2p_relay_loop_turn_seconds_bucket{le=\"0.0002\"} 99
p2p_relay_loop_turn_seconds_bucket{le=\"+Inf\"} 100
p2p_relay_loop_turn_seconds_sum 0.004
p2p_relay_loop_turn_seconds_count 100
p2p_relay_evil\u{1b}[2J 1
python_info 1
";

    #[test]
    fn every_metric_has_its_row() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 + 90_061);
        let table = describe(PAGE, now).unwrap();
        let rows: Vec<_> = table
            .lines()
            .map(|line| line.split_at_checked(22).unwrap())
            .map(|(title, cells)| (title.trim_end(), cells))
            .collect();
        assert_eq!(
            rows,
            [
                ("version", "0.10.0, epoll"),
                ("up", "1 d 1 h"),
                ("connections", "12"),
                ("refusals", "not-a-hello 3"),
                ("closes", "0"),
                ("passed bytes", "listener 1.5 MB, caller 2 B"),
                (
                    "loop turn",
                    "40 us on average, 99 % within 200 us, 100 in all"
                ),
                ("evil\\x1b[2J", "1"),
            ]
        );
    }

    #[test]
    fn what_is_no_page_of_ours_describes_nothing() {
        let now = SystemTime::UNIX_EPOCH;
        for text in [
            "",
            "\n",
            "<html>",
            "python_info 1",
            "p2p_relay_pairs",
            "p2p_relay_x NaNa",
        ] {
            assert_eq!(describe(text, now), None, "{text:?}");
        }
        for number in [
            "",
            "-1",
            "+1",
            "1e9",
            "1.2.3",
            "99999999999999999999",
            "NaN",
            "1.0000000001",
        ] {
            assert_eq!(decimal(number), None, "{number:?}");
        }
        assert_eq!(decimal("12.05"), Some(12_050_000_000));
        assert_eq!(body(b"HTTP/1.1 200 OK\r\n\r\nx"), Some("x"));
        assert_eq!(
            body(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx"),
            Some("x")
        );
        assert_eq!(body(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nx"), None);
        assert_eq!(body(b"HTTP/1.1 404 Not Found\r\n\r\nx"), None);
        assert_eq!(body(b"SSH-2.0\r\n\r\n"), None);
        assert_eq!(body(b"\xff"), None);
    }
}
