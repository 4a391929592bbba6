//! The text that cases are read from; `standards.txt` begins with what it looks like.

use std::collections::BTreeMap;

/// One case: what it is of, its name, and its fields.
pub(crate) struct Case {
    pub(crate) kind: String,
    pub(crate) name: String,
    fields: BTreeMap<String, String>,
}

impl Case {
    /// A field as it is written.
    pub(crate) fn text(&self, field: &str) -> &str {
        self.fields
            .get(field)
            .unwrap_or_else(|| panic!("{}: no field {field}", self.name))
    }

    /// A field of hexadecimal digits.
    pub(crate) fn bytes(&self, field: &str) -> Vec<u8> {
        let digit = |char: char| char.to_digit(16).expect("a hexadecimal digit") as u8;
        let digits: Vec<u8> = self.text(field).chars().map(digit).collect();
        assert_eq!(digits.len() % 2, 0, "{}: {field}", self.name);
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()
    }

    /// A field of `N` bytes; `None` when it has another length.
    pub(crate) fn array<const N: usize>(&self, field: &str) -> Option<[u8; N]> {
        self.bytes(field).try_into().ok()
    }

    /// A decimal field.
    pub(crate) fn number(&self, field: &str) -> usize {
        self.text(field).parse().expect("a decimal number")
    }

    /// Whether what is claimed here must hold, or must be refused.
    pub(crate) fn valid(&self) -> bool {
        match self.text("result") {
            "valid" => true,
            "invalid" => false,
            other => panic!("{}: result {other}", self.name),
        }
    }
}

/// The cases of a text.
pub(crate) fn read(text: &str) -> Vec<Case> {
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let paragraphs = lines.split(|line| line.is_empty());
    paragraphs
        .filter(|lines| !lines.is_empty())
        .map(case)
        .collect()
}

fn case(lines: &[&str]) -> Case {
    let (kind, name) = lines[0].split_once(' ').expect("a kind and a name");
    let mut fields = BTreeMap::new();
    let mut last = String::new();
    for line in &lines[1..] {
        if let Some(more) = line.strip_prefix("  ") {
            let value: &mut String = fields.get_mut(&last).expect("a field to go on with");
            value.push_str(more);
        } else {
            let (field, value) = line.split_once(' ').unwrap_or((line, ""));
            last = field.to_owned();
            let twice = fields.insert(last.clone(), value.to_owned());
            assert!(twice.is_none(), "{name}: {field} twice");
        }
    }
    Case {
        kind: kind.to_owned(),
        name: name.to_owned(),
        fields,
    }
}
