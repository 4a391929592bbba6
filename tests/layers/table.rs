//! The import table: a Markdown table with the head `| module | may import |`.

/// Its rows: a module or a file, and what may be imported there.
pub(crate) struct Table(Vec<(Vec<String>, Allowed)>);

/// What a row allows.
pub(crate) enum Allowed {
    /// These.
    Only(Vec<String>),
    /// All but these.
    AllBut(Vec<String>),
}

impl Table {
    /// Reads the table of a page.
    pub(crate) fn read(page: &str) -> Self {
        let rows = page
            .lines()
            .skip_while(|line| *line != "| module | may import |")
            .skip(2)
            .take_while(|line| line.starts_with('|'));
        let mut table = Vec::new();
        for row in rows {
            let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [modules, allowed] = cells[..] else {
                panic!("a row has two cells: {row}");
            };
            for module in names(modules) {
                let path = module.split("::").map(str::to_owned).collect();
                table.push((path, Allowed::read(allowed, row)));
            }
        }
        assert!(!table.is_empty(), "the page has no import table");
        Self(table)
    }

    /// What the row with the longest path that this module is in allows.
    pub(crate) fn of(&self, module: &[&str]) -> Option<&Allowed> {
        let rows = self.0.iter().filter(|(path, _)| {
            path.len() <= module.len() && path.iter().zip(module).all(|(a, b)| a == b)
        });
        rows.max_by_key(|(path, _)| path.len())
            .map(|(_, allowed)| allowed)
    }
}

impl Allowed {
    fn read(cell: &str, row: &str) -> Self {
        let all_but = cell.strip_prefix("all but ");
        let names = names(all_but.unwrap_or(cell));
        match all_but {
            Some(_) => Self::AllBut(names),
            None => {
                let said = !names.is_empty() || cell == "nothing of ours";
                assert!(said, "a row says 'nothing of ours' or names modules: {row}");
                Self::Only(names)
            }
        }
    }

    /// Whether the module may be imported.
    pub(crate) fn has(&self, module: &str) -> bool {
        let is = |name: &String| name == module;
        match self {
            Self::Only(names) => names.iter().any(is),
            Self::AllBut(names) => !names.iter().any(is),
        }
    }
}

/// What stands between backticks.
fn names(cell: &str) -> Vec<String> {
    let odd = cell.split('`').skip(1).step_by(2);
    odd.map(str::to_owned).collect()
}
