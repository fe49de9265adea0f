use std::fmt;

use super::{TemplateError, Token, Values};

/// What stands between two slashes of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Component(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Token(Token),
    /// `-1`, `-2` …; nothing at first.
    Retry,
}

impl Component {
    /// Reads one that has at most `max` bytes when it is filled.
    pub(super) fn parse(name: &str, max: usize) -> Result<Self, TemplateError> {
        if name.contains(char::is_control) {
            return Err(TemplateError::ControlCharacter(name.into()));
        }
        let mut pieces = Vec::new();
        let mut rest = name;
        while let Some((literal, from_token)) = rest.split_once('{') {
            let (token, behind) = from_token
                .split_once('}')
                .ok_or_else(|| TemplateError::Unclosed(name.into()))?;
            pieces.push(Piece::Literal(literal.into()));
            pieces.push(Piece::Token(Token::parse(token)?));
            rest = behind;
        }
        pieces.push(Piece::Literal(rest.into()));

        let component = Self(pieces);
        if component.literal_bytes() + component.tokens().count() * MIN_VALUE > max {
            return Err(TemplateError::TooLong(name.into()));
        }
        Ok(component)
    }

    /// Ends it with the number of the retry, if it is one.
    pub(super) fn with_retry(mut self) -> Self {
        self.0.push(Piece::Retry);
        self
    }

    /// Whether it is the name that stands for an empty one.
    pub(super) fn is_default(&self) -> bool {
        self.0.contains(&Piece::Retry)
    }

    /// Its text, if it has no token.
    pub(super) fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Puts the values in. Where they do not fit into `max` bytes, the longest are shortened.
    pub(super) fn fill(&self, values: &Values<'_>, max: usize) -> String {
        let value = |token: &Token| sanitised(&values.value(*token));
        let lengths: Vec<usize> = self.tokens().map(|token| value(token).len()).collect();
        let longest = fair_share(&lengths, max - self.literal_bytes());
        self.0
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => text.clone(),
                Piece::Token(token) => shortened(value(token), longest),
                Piece::Retry if values.retry == 0 => String::new(),
                Piece::Retry => format!("-{}", values.retry),
            })
            .collect()
    }

    fn tokens(&self) -> impl Iterator<Item = &Token> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Token(token) => Some(token),
            Piece::Literal(_) | Piece::Retry => None,
        })
    }

    fn literal_bytes(&self) -> usize {
        let bytes = |piece: &Piece| match piece {
            Piece::Literal(text) => text.len(),
            Piece::Token(_) => 0,
            Piece::Retry => "-4294967295".len(),
        };
        self.0.iter().map(bytes).sum()
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Literal(text) => f.write_str(text),
            Piece::Token(token) => write!(f, "{{{}}}", token.name()),
            Piece::Retry => Ok(()),
        })
    }
}

/// Makes a value safe inside a component: no separator, no control character, no `..`, not empty
/// and no dot in front. So a component that holds a value is never `.` or `..`.
fn sanitised(value: &str) -> String {
    let is_unsafe = |c: char| c == '/' || c == '\\' || c.is_control();
    let safe = value.replace(is_unsafe, "_").replace("..", "__");
    match safe.strip_prefix('.') {
        Some(rest) => format!("_{rest}"),
        None if safe.is_empty() => "_".into(),
        None => safe,
    }
}

/// The most bytes each value may have so that all fit into `budget`.
fn fair_share(lengths: &[usize], budget: usize) -> usize {
    let needed = |share: usize| {
        lengths
            .iter()
            .map(|length| *length.min(&share))
            .sum::<usize>()
    };
    let fits = |share: &usize| needed(*share) <= budget;
    (0..=budget).rev().find(fits).unwrap_or_default()
}

fn shortened(mut text: String, max: usize) -> String {
    text.truncate(text.floor_char_boundary(max));
    text
}

/// A value keeps at least so many bytes; SIDs and times are shorter.
const MIN_VALUE: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_longest_values_are_shortened() {
        assert_eq!(fair_share(&[10, 300, 40], 100), 50);
        assert_eq!(fair_share(&[10, 20], 100), 100);
        assert_eq!(fair_share(&[], 5), 5);
    }

    #[test]
    fn a_value_is_cut_between_characters() {
        assert_eq!(shortened("aéé".into(), 4), "aé");
    }

    #[test]
    fn a_value_is_made_safe_and_stays_readable() {
        for (value, expected) in [
            ("alice", "alice"),
            ("", "_"),
            ("..", "__"),
            (".", "_"),
            (".bashrc", "_bashrc"),
            ("../../etc/passwd", "______etc_passwd"),
            ("a\\b\0c\u{85}", "a_b_c_"),
            ("Zoë {time} 1.5", "Zoë {time} 1.5"),
        ] {
            assert_eq!(sanitised(value), expected, "{value:?}");
        }
    }
}
