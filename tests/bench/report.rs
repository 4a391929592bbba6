//! What the bench found: a table for people, JSON for programs.

use std::fmt::{self, Write};

/// The programs of one measurement, the 2013 design last: the others are compared with it.
pub(crate) struct Section {
    pub(crate) title: String,
    /// For programs: `relay` or `files`.
    pub(crate) kind: &'static str,
    pub(crate) pairs: usize,
    pub(crate) rows: Vec<Row>,
}

/// One program's figures: medians over the rounds.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// 10^9 bytes per second.
    pub(crate) rate: f64,
    /// Processor seconds of the relay per 10^9 bytes.
    pub(crate) relay_cpu: f64,
    /// Processor seconds of the sender and the receiver per 10^9 bytes, where they are programs.
    pub(crate) clients_cpu: Option<f64>,
    pub(crate) goal: Option<Goal>,
}

/// What a row has to reach.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// So many times the rate of the 2013 design in the same run.
    Ratio(f64),
    /// So many times a rate in GB/s that was given beforehand.
    Times(f64, f64),
}

impl Goal {
    fn is_met(self, rate: f64, ratio: f64) -> bool {
        match self {
            Self::Ratio(least) => ratio >= least,
            Self::Times(times, of) => rate >= times * of,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio(least) => write!(f, "{least:.1} x 2013"),
            Self::Times(times, of) => write!(f, "{times:.1} x {of:.2} GB/s"),
        }
    }
}

impl Section {
    /// How many times the rate of the 2013 design a row reaches.
    fn ratio(&self, row: &Row) -> f64 {
        row.rate / self.rows.last().map_or(row.rate, |seed| seed.rate)
    }

    /// Whether every goal is reached.
    pub(crate) fn passes(&self) -> bool {
        self.rows.iter().all(|row| {
            row.goal
                .is_none_or(|goal| goal.is_met(row.rate, self.ratio(row)))
        })
    }

    /// The table, one line a row.
    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{}\n  {:<16}{:>8}{:>17}{:>19}{:>9}\n",
            self.title, "", "GB/s", "relay CPU s/GB", "clients CPU s/GB", "x 2013"
        );
        for row in &self.rows {
            let clients = row
                .clients_cpu
                .map_or("-".into(), |cpu| format!("{cpu:.2}"));
            let ratio = self.ratio(row);
            let verdict = match row.goal {
                Some(goal) if goal.is_met(row.rate, ratio) => format!("  PASS (goal {goal})"),
                Some(goal) => format!("  FAIL (goal {goal})"),
                None => String::new(),
            };
            let (name, rate, relay) = (row.name, row.rate, row.relay_cpu);
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "  {name:<16}{rate:>8.2}{relay:>17.2}{clients:>19}{ratio:>9.2}{verdict}"
            );
        }
        text
    }
}

/// The middle of an odd number of figures; the upper middle of an even one.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// All sections as one JSON object.
pub(crate) fn json(sections: &[Section], bytes: u64, rounds: usize) -> String {
    let mut rows = Vec::new();
    for section in sections {
        for row in &section.rows {
            let number = |value: Option<f64>| value.map_or("null".into(), |v| format!("{v:.4}"));
            rows.push(format!(
                "    {{\"kind\": \"{}\", \"title\": \"{}\", \"pairs\": {}, \"name\": \"{}\", \
                 \"gb_per_s\": {:.4}, \"relay_cpu_s_per_gb\": {:.4}, \
                 \"clients_cpu_s_per_gb\": {}, \"ratio_to_2013\": {:.4}, \
                 \"goal\": {}}}",
                section.kind,
                escaped(&section.title),
                section.pairs,
                row.name,
                row.rate,
                row.relay_cpu,
                number(row.clients_cpu),
                section.ratio(row),
                row.goal.map_or("null".into(), |goal| format!("\"{goal}\"")),
            ));
        }
    }
    format!(
        "{{\n  \"bytes\": {bytes},\n  \"rounds\": {rounds},\n  \"rows\": [\n{}\n  ]\n}}\n",
        rows.join(",\n")
    )
}

/// A title may hold a path, which may hold anything.
fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}
