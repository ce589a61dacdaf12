//! From the text of a filter to its tokens, each with its place.

use std::ops::Range;

use super::expr::Op;
use crate::mistake::Mistake;

/// What a token is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A word without quotes.
    Word,
    /// Text in quotes.
    Quoted,
    Open,
    Close,
    Comma,
    Op(Op),
    And,
    Or,
    Not,
    In,
    /// The end of the filter.
    End,
}

/// A token. Of quoted text the quotes are gone and so are backslashes before quotes; other backslashes stay, because
/// what they mean depends on the column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub text: String,
    pub at: Range<usize>,
}

/// What is written with signs, the longer ones first.
const SIGNS: &[(&str, Kind)] = &[
    ("==", Kind::Op(Op::Equal)),
    ("=~", Kind::Op(Op::Match)),
    ("!=", Kind::Op(Op::NotEqual)),
    ("<>", Kind::Op(Op::NotEqual)),
    ("!~", Kind::Op(Op::NotMatch)),
    ("<=", Kind::Op(Op::AtMost)),
    (">=", Kind::Op(Op::AtLeast)),
    ("&&", Kind::And),
    ("||", Kind::Or),
    ("=", Kind::Op(Op::Equal)),
    ("~", Kind::Op(Op::Match)),
    ("<", Kind::Op(Op::Below)),
    (">", Kind::Op(Op::Above)),
    ("!", Kind::Not),
    ("(", Kind::Open),
    (")", Kind::Close),
    (",", Kind::Comma),
];

const KEYWORDS: &[(&str, Kind)] =
    &[("and", Kind::And), ("or", Kind::Or), ("not", Kind::Not), ("in", Kind::In)];

/// The tokens of `text`; the last one is [`Kind::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Mistake> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let token = match c {
            '"' | '\'' => quoted(text, at, c)?,
            _ => sign(text, at).map_or_else(|| word(text, at), Ok)?,
        };
        at = token.at.end;
        found.push(token);
    }
    found.push(Token { kind: Kind::End, text: String::new(), at: at..at });
    Ok(found)
}

fn sign(text: &str, at: usize) -> Option<Token> {
    let (sign, kind) = SIGNS.iter().find(|(sign, _)| text[at..].starts_with(sign))?;
    Some(Token { kind: kind.clone(), text: (*sign).to_owned(), at: at..at + sign.len() })
}

fn quoted(text: &str, at: usize, quote: char) -> Result<Token, Mistake> {
    let mut content = String::new();
    let mut chars = text[at + 1..].char_indices();
    while let Some((index, c)) = chars.next() {
        match c {
            c if c == quote => {
                let end = at + 1 + index + 1;
                return Ok(Token { kind: Kind::Quoted, text: content, at: at..end });
            }
            '\\' => match chars.next() {
                Some((_, c @ ('"' | '\''))) => content.push(c),
                Some((_, c)) => content.extend(['\\', c]),
                None => break,
            },
            c => content.push(c),
        }
    }
    Err(Mistake::new(text, at..text.len(), format!("the quote {quote} is not closed")))
}

fn word(text: &str, at: usize) -> Result<Token, Mistake> {
    let ends = |c: char| c.is_whitespace() || "()=!~<>,\"'&|".contains(c);
    let end = text[at..].find(ends).map_or(text.len(), |length| at + length);
    if end == at {
        let sign = &text[at..=at];
        return Err(Mistake::new(text, at..at + 1, format!("{sign} means nothing alone"))
            .help(format!("write {sign}{sign}, or the word; in a value, use quotes")));
    }
    let word = &text[at..end];
    let keyword = KEYWORDS.iter().find(|(keyword, _)| keyword.eq_ignore_ascii_case(word));
    let kind = keyword.map_or(Kind::Word, |(_, kind)| kind.clone());
    Ok(Token { kind, text: word.to_owned(), at: at..end })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let tokens = tokens(text).expect("tokens");
        let texts: Vec<&str> = tokens.iter().map(|token| token.text.as_str()).collect();
        assert_eq!(texts[..texts.len() - 1], *expected, "{text}");
    }

    #[test]
    fn words_end_at_signs_and_quotes_keep_all() {
        check("a=b", &["a", "=", "b"]);
        check("peer!=10.0.0.7:443", &["peer", "!=", "10.0.0.7:443"]);
        check("size>=10M&&fd<3", &["size", ">=", "10M", "&&", "fd", "<", "3"]);
        check(r#"name ~ "a (b)""#, &["name", "~", "a (b)"]);
        check(r#"name = 'it\'s \x41 \\'"#, &["name", "=", r"it's \x41 \\"]);
        check("x in (a, b)", &["x", "in", "(", "a", ",", "b", ")"]);
        check("", &[]);
    }

    #[test]
    fn what_is_not_closed_or_means_nothing_is_an_error() {
        let check = |text, expected: &str| {
            assert_eq!(tokens(text).expect_err("a mistake").what, expected);
        };
        check("name = \"abc", "the quote \" is not closed");
        check("name = 'abc\\", "the quote ' is not closed");
        check("a | b", "| means nothing alone");
    }
}
