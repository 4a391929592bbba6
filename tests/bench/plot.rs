//! The findings as a picture, drawn by gnuplot.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::contest::Rest;
use crate::findings::Findings;

/// Bars of these measures stand in one chart: its title, its unit, what their names begin with.
const CHARTS: [(&str, &str, &str); 4] = [
    ("Bulk rate", "GB/s", "bulk"),
    ("Processor time", "s/GB", "CPU"),
    ("Round trip of 64 bytes", "us", "round trip"),
    ("Made, used and closed", "pairs/s", "turnover"),
];

/// Draws `speed.png` in `folder`, from a script that stays beside it.
///
/// # Errors
/// Why there is no picture.
pub(crate) fn draw(findings: &Findings, folder: &Path) -> Result<PathBuf, String> {
    let picture = folder.join("speed.png");
    let script = folder.join("speed.gnuplot");
    fs::write(&script, text(findings, &picture)).map_err(|error| error.to_string())?;
    let status = Command::new("gnuplot").arg(&script).status();
    match status {
        Ok(status) if status.success() => Ok(picture),
        Ok(status) => Err(format!("gnuplot: {status}")),
        Err(_) => Err("gnuplot not installed".into()),
    }
}

fn text(findings: &Findings, picture: &Path) -> String {
    let names = findings.names();
    let mut text = format!(
        "set terminal pngcairo size 1200,1100\nset output '{}'\n\
         set multiplot layout 3,2\nset style data histogram\n\
         set style histogram clustered gap 1\nset style fill solid 0.8 border -1\n\
         set grid ytics\nset key outside bottom center horizontal\n",
        picture.display()
    );
    // Writing to a String cannot fail.
    for (chart, (title, unit, prefix)) in CHARTS.iter().enumerate() {
        let mut rows = String::new();
        for measure in &findings.measures {
            if measure.unit != *unit || !measure.name.starts_with(prefix) {
                continue;
            }
            let _ = write!(rows, "\"{}\"", measure.name);
            for name in &names {
                let cell = measure.median_of(name);
                let _ = write!(
                    rows,
                    " {}",
                    cell.map_or("NaN".into(), |cell| cell.to_string())
                );
            }
            rows.push('\n');
        }
        if rows.is_empty() {
            continue;
        }
        let bars: Vec<_> = names
            .iter()
            .enumerate()
            .map(|(at, name)| format!("$chart{chart} using {}:xtic(1) title '{name}'", at + 2))
            .collect();
        let _ = write!(
            text,
            "$chart{chart} << EOD\n{rows}EOD\nset title '{title}'\nset ylabel '{unit}'\n\
             set yrange [0:*]\nplot {}\n",
            bars.join(", ")
        );
    }
    text.push_str("set logscale xy\nset yrange [*:*]\n");
    for (rest, title) in [
        (Rest::Listeners, "Waiting listeners"),
        (Rest::Pairs, "Resting pairs"),
    ] {
        let mut lines = Vec::new();
        for (_, name, growth) in findings.growths.iter().filter(|(of, ..)| *of == rest) {
            let block = format!("${rest:?}{}", lines.len());
            let _ = writeln!(text, "{block} << EOD");
            // A step that cost nothing has no place on a logarithmic scale.
            for step in growth.iter().filter(|step| step.user > 0.0) {
                let _ = writeln!(text, "{} {}", step.count, step.user / 1e3);
            }
            text.push_str("EOD\n");
            lines.push(format!("{block} with linespoints title '{name}'"));
        }
        if !lines.is_empty() {
            let _ = write!(
                text,
                "set title '{title}: growth since none'\nset ylabel 'KB of user memory'\nplot {}\n",
                lines.join(", ")
            );
        }
    }
    text.push_str("unset multiplot\n");
    text
}
