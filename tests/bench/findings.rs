//! What the bench found: a table of figures and ratios for people, JSON for programs.

use std::fmt::Write;

use crate::contest::{Growth, Rest};

/// What has to be reached by our relay, by its first row that is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    /// Who is compared with; nobody when the figure itself counts.
    against: Option<&'static str>,
    bound: f64,
    /// The bound is the least that will do, not the most.
    least: bool,
}

impl Goal {
    /// At least so many times what another reaches.
    pub(crate) fn least(against: &'static str, bound: f64) -> Self {
        Self {
            against: Some(against),
            bound,
            least: true,
        }
    }

    /// At most so many times what another needs.
    pub(crate) fn most(against: &'static str, bound: f64) -> Self {
        Self {
            against: Some(against),
            bound,
            least: false,
        }
    }

    /// At most this figure.
    pub(crate) fn at_most(bound: f64) -> Self {
        Self {
            against: None,
            bound,
            least: false,
        }
    }
}

/// One measurement: every program's figures, round by round, ours first.
#[derive(Debug)]
pub(crate) struct Measure {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) rows: Vec<(String, Vec<f64>)>,
    goals: Vec<Goal>,
}

impl Measure {
    pub(crate) fn new(name: &str, unit: &'static str) -> Self {
        Self {
            name: name.into(),
            unit,
            rows: Vec::new(),
            goals: Vec::new(),
        }
    }

    pub(crate) fn goals(mut self, goals: &[Goal]) -> Self {
        self.goals = goals.to_vec();
        self
    }

    pub(crate) fn note(&mut self, name: &str, figure: f64) {
        match self.rows.iter_mut().find(|(known, _)| *known == name) {
            Some((_, figures)) => figures.push(figure),
            None => self.rows.push((name.into(), vec![figure])),
        }
    }

    pub(crate) fn median_of(&self, name: &str) -> Option<f64> {
        median(self.row(name)?.iter().copied())
    }

    fn row(&self, name: &str) -> Option<&[f64]> {
        let (_, figures) = self.rows.iter().find(|(known, _)| *known == name)?;
        Some(figures)
    }

    /// The median, over the rounds, of our figure by another's.
    fn ratio(&self, to: &str) -> Option<f64> {
        let (_, ours) = self.rows.first()?;
        let theirs = self.row(to)?;
        median(ours.iter().zip(theirs).map(|(our, their)| our / their))
    }

    /// Each goal in words, and whether it is reached; those whose rival is missing are left out.
    fn verdicts(&self) -> Vec<(bool, String)> {
        let verdict = |goal: &Goal| {
            let (name, ours) = self.rows.first()?;
            let (figure, of) = match goal.against {
                Some(rival) => (self.ratio(rival)?, format!("x {rival}")),
                None => (median(ours.iter().copied())?, self.unit.into()),
            };
            let (sign, reached) = if goal.least {
                (">=", figure >= goal.bound)
            } else {
                ("<=", figure <= goal.bound)
            };
            let bound = goal.bound;
            let text = format!(
                "{}: {name} {} {of}, goal {sign} {bound} {of}",
                self.name,
                short(figure)
            );
            Some((reached, text))
        };
        self.goals.iter().filter_map(verdict).collect()
    }
}

/// Everything that was measured.
pub(crate) struct Findings {
    bytes: u64,
    rounds: usize,
    /// The machine's load when it began, as /proc/loadavg has it.
    pub(crate) load: String,
    pub(crate) measures: Vec<Measure>,
    pub(crate) growths: Vec<(Rest, String, Vec<Growth>)>,
}

impl Findings {
    pub(crate) fn new(bytes: u64, rounds: usize, load: &str) -> Self {
        Self {
            bytes,
            rounds,
            load: load.into(),
            measures: Vec::new(),
            growths: Vec::new(),
        }
    }

    /// Takes in what was measured; what nobody took part in is left out.
    pub(crate) fn extend(&mut self, measures: impl IntoIterator<Item = Measure>) {
        let real = |measure: &Measure| !measure.rows.is_empty();
        self.measures.extend(measures.into_iter().filter(real));
    }

    pub(crate) fn grown(&mut self, rest: Rest, name: &str, growth: Vec<Growth>) {
        self.growths.push((rest, name.into(), growth));
    }

    /// The programs in the order in which they took turns.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in self.measures.iter().flat_map(|measure| &measure.rows) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    pub(crate) fn pass(&self) -> bool {
        let verdicts = self.measures.iter().flat_map(Measure::verdicts);
        verdicts.into_iter().all(|(reached, _)| reached)
    }

    /// Medians, then ratios of our first row to each other, then the goals.
    pub(crate) fn table(&self) -> String {
        let names = self.names();
        let mut text = format!(
            "{} MB a round, median of {} rounds; GB = 10^9 bytes; / NAME: {} by NAME\n\n{:<34}",
            self.bytes / 1_000_000,
            self.rounds,
            names.first().unwrap_or(&""),
            ""
        );
        // Writing to a String cannot fail.
        for name in &names {
            let _ = write!(text, "{name:>9}");
        }
        for name in names.iter().skip(1) {
            let _ = write!(text, "{:>11}", format!("/ {name}"));
        }
        text.push('\n');
        let cell = |figure: Option<f64>| figure.map_or("-".into(), short);
        for measure in &self.measures {
            let label = format!("{}, {}", measure.name, measure.unit);
            let _ = write!(text, "{label:<34}");
            for name in &names {
                let _ = write!(text, "{:>9}", cell(measure.median_of(name)));
            }
            for name in names.iter().skip(1) {
                let _ = write!(text, "{:>11}", cell(measure.ratio(name)));
            }
            text.push('\n');
        }
        text.push('\n');
        for (rest, name, growth) in &self.growths {
            let _ = write!(
                text,
                "{:<34}",
                format!("{rest:?} of {name}, KB user").to_lowercase()
            );
            for step in growth {
                let _ = write!(
                    text,
                    "{:>16}",
                    format!("{}: {:.0}", step.count, step.user / 1e3)
                );
            }
            text.push('\n');
        }
        text.push('\n');
        for (reached, verdict) in self.measures.iter().flat_map(Measure::verdicts) {
            let _ = writeln!(text, "{}  {verdict}", if reached { "PASS" } else { "MISS" });
        }
        text
    }

    pub(crate) fn json(&self) -> String {
        let mut rows = Vec::new();
        for measure in &self.measures {
            for (name, figures) in &measure.rows {
                let list: Vec<_> = figures
                    .iter()
                    .map(|figure| format!("{figure:.6}"))
                    .collect();
                rows.push(format!(
                    "    {{\"measure\": \"{}\", \"unit\": \"{}\", \"name\": \"{name}\", \
                     \"median\": {:.6}, \"ratio\": {}, \"rounds\": [{}]}}",
                    measure.name,
                    measure.unit,
                    median(figures.iter().copied()).unwrap_or_default(),
                    number(measure.ratio(name)),
                    list.join(", ")
                ));
            }
        }
        let mut steps = Vec::new();
        for (rest, name, growth) in &self.growths {
            for step in growth {
                steps.push(format!(
                    "    {{\"rest\": \"{}\", \"name\": \"{name}\", \"count\": {}, \
                     \"user_bytes\": {:.0}, \"kernel_bytes\": {:.0}}}",
                    format!("{rest:?}").to_lowercase(),
                    step.count,
                    step.user,
                    step.kernel
                ));
            }
        }
        format!(
            "{{\n  \"bytes\": {},\n  \"rounds\": {},\n  \"load\": \"{}\",\n  \"rows\": [\n{}\n  ],\n  \
             \"growth\": [\n{}\n  ]\n}}\n",
            self.bytes,
            self.rounds,
            self.load.trim_end(),
            rows.join(",\n"),
            steps.join(",\n")
        )
    }
}

/// JSON has no word for what a division by zero gives.
fn number(figure: Option<f64>) -> String {
    let finite = figure.filter(|figure| figure.is_finite());
    finite.map_or("null".into(), |figure| format!("{figure:.4}"))
}

/// As many digits as tell something.
fn short(figure: f64) -> String {
    if figure.abs() >= 100.0 {
        format!("{figure:.0}")
    } else if figure.abs() >= 10.0 {
        format!("{figure:.1}")
    } else {
        format!("{figure:.2}")
    }
}

/// The middle of an odd number of figures; the upper middle of an even one.
fn median(figures: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}
