//! Rust source as words and signs, without comments and literals.

/// A word, `::`, or a sign of one character; and its line, from 1.
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// The tokens of a source.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < source.len() {
        let rest = &source[at..];
        let skipped = skipped(rest);
        let length = if skipped > 0 {
            skipped
        } else {
            let length = token(rest);
            let text = &rest[..length];
            tokens.push(Token { text, line });
            length
        };
        line += rest[..length].matches('\n').count();
        at += length;
    }
    tokens
}

/// Length of the white space, comment or literal that stands here; 0 for none.
fn skipped(rest: &str) -> usize {
    let blank = rest.len() - rest.trim_start().len();
    if blank > 0 {
        blank
    } else if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment(rest)
    } else {
        literal(rest)
    }
}

/// Length of a block comment; they nest.
fn block_comment(rest: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        let step = match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => {
                depth += 1;
                2
            }
            [b'*', b'/', ..] => {
                depth -= 1;
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

/// Length of a string, byte string, raw string, character or lifetime; 0 for none of them.
fn literal(rest: &str) -> usize {
    let prefix = ["br", "cr", "b", "c", "r"]
        .into_iter()
        .find(|prefix| {
            rest.strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with(['"', '#', '\'']))
        })
        .unwrap_or("");
    let body = &rest[prefix.len()..];
    let hashes = body.len() - body.trim_start_matches('#').len();
    if prefix.ends_with('r') && body[hashes..].starts_with('"') {
        let end = format!("\"{}", "#".repeat(hashes));
        let inner = &body[hashes + 1..];
        let length = inner.find(&end).map_or(inner.len(), |at| at + end.len());
        return prefix.len() + hashes + 1 + length;
    }
    match body.chars().next() {
        Some('"') => prefix.len() + quoted(body, '"'),
        Some('\'') => prefix.len() + character(body),
        _ => 0,
    }
}

/// Length of a character literal, or of the quote and name of a lifetime.
fn character(body: &str) -> usize {
    let mut chars = body[1..].chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => quoted(body, '\''),
        _ => 1 + word(&body[1..]),
    }
}

/// Length of what stands between two quotes, with them; a backslash hides the next character.
fn quoted(body: &str, quote: char) -> usize {
    let mut chars = body.char_indices().skip(1);
    while let Some((at, char)) = chars.next() {
        if char == '\\' {
            chars.next();
        } else if char == quote {
            return at + 1;
        }
    }
    body.len()
}

fn token(rest: &str) -> usize {
    let word = word(rest);
    if word > 0 {
        word
    } else if rest.starts_with("::") {
        2
    } else {
        rest.chars().next().map_or(1, char::len_utf8)
    }
}

/// Length of the name or number that stands here.
fn word(rest: &str) -> usize {
    rest.find(|char: char| !char.is_alphanumeric() && char != '_')
        .unwrap_or(rest.len())
}
