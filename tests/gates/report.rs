//! Figures and their limits, a line each as they come.

/// What one gate found.
pub(crate) struct Report {
    gate: &'static str,
    failed: bool,
}

impl Report {
    pub(crate) fn new(gate: &'static str) -> Self {
        Self {
            gate,
            failed: false,
        }
    }

    pub(crate) fn passed(&self) -> bool {
        !self.failed
    }

    pub(crate) fn at_most(&mut self, what: &str, figure: f64, limit: f64, unit: &str) {
        let limits = format!("at most {} {unit}", short(limit));
        self.line(
            what,
            &format!("{} {unit}", short(figure)),
            &limits,
            figure <= limit,
        );
    }

    pub(crate) fn at_least(&mut self, what: &str, figure: f64, limit: f64, unit: &str) {
        let limits = format!("at least {} {unit}", short(limit));
        self.line(
            what,
            &format!("{} {unit}", short(figure)),
            &limits,
            figure >= limit,
        );
    }

    pub(crate) fn exactly(&mut self, what: &str, figure: usize, wanted: usize) {
        self.line(
            what,
            &figure.to_string(),
            &format!("exactly {wanted}"),
            figure == wanted,
        );
    }

    pub(crate) fn fail(&mut self, what: &str, figure: &str) {
        self.line(what, figure, "always", false);
    }

    pub(crate) fn skip(&self, why: &str) {
        println!("SKIP gates/{}: {why}", self.gate);
    }

    fn line(&mut self, what: &str, figure: &str, limit: &str, reached: bool) {
        let verdict = if reached { "PASS" } else { "FAIL" };
        println!(
            "{verdict}  {:<12} {what:<50} {figure:>14}  ({limit})",
            self.gate
        );
        self.failed |= !reached;
    }
}

/// Three digits that mean something.
fn short(number: f64) -> String {
    let size = number.abs();
    if size >= 100.0 || number == number.trunc() {
        format!("{number:.0}")
    } else if size >= 10.0 {
        format!("{number:.1}")
    } else {
        format!("{number:.2}")
    }
}

/// The value below which this share of the values is; the values are sorted.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() as f64 * share) as usize;
    values[place.min(values.len() - 1)]
}
