//! Expressions in which libpcap's language and words about processes are mixed: `tcp and (name nginx or port 80)`.
//!
//! The text is cut at `and`, `or`, `not` and parentheses. What has no process word stays as it was typed, and is
//! libpcap's; `and` and `or` bind alike and to the left, as there.

use std::ops::Range;

/// A word about a packet's process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Process {
    /// `pid N`.
    Pid(u32),
    /// `name TEXT`: the process's name.
    Name(String),
    /// `fd N`.
    Fd(u32),
    /// `state WORD`: the socket's, or `unknown`.
    State(String),
    /// `cgroup TEXT`: part of its path.
    Cgroup(String),
    /// `age > SECONDS` or `age < SECONDS`: since the socket was first seen.
    Age { over: bool, ns: u64 },
}

/// An expression.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Expression {
    /// Of packets alone: where it stands in the text.
    Packet(Range<usize>),
    /// Of the process, and where it stands.
    Process(Process, Range<usize>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
}

/// What is wrong, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    pub at: usize,
    pub why: String,
}

/// Words about processes, and what follows each.
pub const WORDS: [&str; 6] = ["pid", "name", "fd", "state", "cgroup", "age"];

impl Expression {
    /// Reads a text; none if it is blank.
    pub fn read(text: &str) -> Result<Option<Self>, Mistake> {
        let tokens = tokens(text);
        if tokens.is_empty() {
            return Ok(None);
        }
        let has_words = tokens.iter().any(|token| WORDS.contains(&&text[token.clone()]));
        if !has_words {
            return Ok(Some(Expression::Packet(0..text.len())));
        }
        let mut reader = Reader { text, tokens, at: 0 };
        let (expression, _) = reader.alternatives()?;
        match reader.peek() {
            None => Ok(Some(expression)),
            Some(word) => Err(reader.mistake(format!("`{word}` is not expected here"))),
        }
    }

    /// What the kernel may be asked so that no wanted packet is lost; none if that is every packet.
    pub fn for_the_kernel(&self, text: &str) -> Option<String> {
        match self {
            Expression::Packet(range) => text.get(range.clone()).map(|part| format!("({part})")),
            Expression::Process(..) => None,
            Expression::And(a, b) => match (a.for_the_kernel(text), b.for_the_kernel(text)) {
                (Some(a), Some(b)) => Some(format!("({a} and {b})")),
                (one, other) => one.or(other),
            },
            Expression::Or(a, b) => {
                let (a, b) = (a.for_the_kernel(text)?, b.for_the_kernel(text)?);
                Some(format!("({a} or {b})"))
            }
            Expression::Not(inner) => match &**inner {
                Expression::Packet(range) => {
                    text.get(range.clone()).map(|part| format!("not ({part})"))
                }
                _ => None,
            },
        }
    }

    /// Whether words about processes are in it.
    pub fn asks_processes(&self) -> bool {
        match self {
            Expression::Packet(_) => false,
            Expression::Process(..) => true,
            Expression::And(a, b) | Expression::Or(a, b) => {
                a.asks_processes() || b.asks_processes()
            }
            Expression::Not(inner) => inner.asks_processes(),
        }
    }
}

/// What libpcap says of an expression that it cannot read.
pub const SYNTAX: &str = "syntax error";

/// What may follow a beginning that is right so far.
const CONTINUATIONS: [&str; 7] = ["", "1", "tcp", "1.1.1.1", "0:0:0:0:0:1", "= 1", "1.1.1.0/24"];

/// Where in an expression of libpcap's the mistake is, of which it says only what it is: at the word that it names, else
/// at the first with which no expression begins, as far as `is_right` finds none.
pub fn mistake_in(text: &str, why: &str, is_right: &mut dyn FnMut(&str) -> bool) -> usize {
    let tokens = tokens(text);
    let named = why.split(['\'', '"', ' ']).filter(|word| !word.is_empty());
    let at = |word: &str| tokens.iter().find(|token| text.get((*token).clone()) == Some(word));
    if !why.contains(SYNTAX) {
        let last = named.filter_map(at).next_back();
        return last.map_or(0, |token| token.start);
    }
    for token in &tokens {
        let beginning = text.get(..token.end).unwrap_or_default();
        let count = |letter| beginning.matches(letter).count();
        let closing = ")".repeat(count('(').saturating_sub(count(')')));
        let continues = |end: &&str| is_right(&format!("{beginning} {end}{closing}"));
        if !CONTINUATIONS.iter().any(continues) {
            return token.start;
        }
    }
    text.trim_end().len()
}

struct Reader<'a> {
    text: &'a str,
    tokens: Vec<Range<usize>>,
    at: usize,
}

/// An expression with where it stands, parentheses around it included.
type Placed = (Expression, Range<usize>);

impl Reader<'_> {
    fn peek(&self) -> Option<&str> {
        self.text.get(self.tokens.get(self.at)?.clone())
    }

    fn place(&self) -> Range<usize> {
        let end = self.text.len();
        self.tokens.get(self.at).cloned().unwrap_or(end..end)
    }

    fn mistake(&self, why: String) -> Mistake {
        Mistake { at: self.place().start, why }
    }

    fn alternatives(&mut self) -> Result<Placed, Mistake> {
        let mut left = self.term()?;
        while let Some(word) = self.peek() {
            let both = match word {
                "and" | "&&" => true,
                "or" | "||" => false,
                _ => break,
            };
            self.at += 1;
            let right = self.term()?;
            left = joined(both, left, right);
        }
        Ok(left)
    }

    fn term(&mut self) -> Result<Placed, Mistake> {
        let place = self.place();
        match self.peek() {
            None => Err(self.mistake("something is missing at the end".to_owned())),
            Some("not" | "!") => {
                self.at += 1;
                let (inner, range) = self.term()?;
                let range = place.start..range.end;
                Ok(match inner {
                    Expression::Packet(_) => (Expression::Packet(range.clone()), range),
                    other => (Expression::Not(Box::new(other)), range),
                })
            }
            Some("(") => {
                self.at += 1;
                let (inner, _) = self.alternatives()?;
                if self.peek() != Some(")") {
                    return Err(self.mistake("`)` is missing".to_owned()));
                }
                let range = place.start..self.place().end;
                self.at += 1;
                Ok(match inner {
                    Expression::Packet(_) => (Expression::Packet(range.clone()), range),
                    other => (other, range),
                })
            }
            Some(word) if WORDS.contains(&word) => self.process(),
            Some(_) => self.primitive(),
        }
    }

    /// Words up to the next operator: libpcap's.
    fn primitive(&mut self) -> Result<Placed, Mistake> {
        let start = self.place().start;
        let mut end = start;
        let mut depth = 0_u32;
        while let Some(word) = self.peek() {
            match word {
                // `tcp port (80 or 443)` and `tcp[(4+2):1]` are one primitive.
                "(" => depth += 1,
                ")" if depth == 0 => break,
                ")" => depth -= 1,
                "and" | "or" | "&&" | "||" if depth == 0 => break,
                word if WORDS.contains(&word) && depth == 0 => break,
                _ => {}
            }
            end = self.place().end;
            self.at += 1;
        }
        if start == end {
            let word = self.peek().unwrap_or("the end").to_owned();
            return Err(self.mistake(format!("`{word}` is not expected here")));
        }
        Ok((Expression::Packet(start..end), start..end))
    }

    fn process(&mut self) -> Result<Placed, Mistake> {
        let place = self.place();
        let word = self.peek().unwrap_or_default().to_owned();
        self.at += 1;
        let value_place = self.place();
        let Some(value) = self.peek().map(str::to_owned) else {
            return Err(self.mistake(format!("`{word}` needs a value")));
        };
        let wrong =
            |why: &str| Mistake { at: value_place.start, why: format!("`{value}` is {why}") };
        let process = match word.as_str() {
            "pid" => Process::Pid(value.parse().map_err(|_| wrong("no process's number"))?),
            "fd" => Process::Fd(value.parse().map_err(|_| wrong("no descriptor's number"))?),
            "name" => Process::Name(value),
            "cgroup" => Process::Cgroup(value),
            "state" => Process::State(value.to_ascii_lowercase()),
            _ => {
                let (over, rest) = match (value.strip_prefix('>'), value.strip_prefix('<')) {
                    (Some(rest), _) => (true, rest.to_owned()),
                    (_, Some(rest)) => (false, rest.to_owned()),
                    _ => return Err(wrong("not `>` or `<` and a time, as in `age > 10s`")),
                };
                let rest = if rest.is_empty() {
                    self.at += 1;
                    self.peek().unwrap_or_default().to_owned()
                } else {
                    rest
                };
                let ns = span_ns(&rest).ok_or_else(|| {
                    self.mistake(format!("`{rest}` is no time; write 500ms, 10s, 5m, 2h"))
                })?;
                Process::Age { over, ns }
            }
        };
        let range = place.start..self.place().end;
        self.at += 1;
        Ok((Expression::Process(process, range.clone()), range))
    }
}

fn joined(both: bool, left: Placed, right: Placed) -> Placed {
    let range = left.1.start..right.1.end;
    let expression = match (left.0, right.0) {
        (Expression::Packet(_), Expression::Packet(_)) => Expression::Packet(range.clone()),
        (left, right) if both => Expression::And(Box::new(left), Box::new(right)),
        (left, right) => Expression::Or(Box::new(left), Box::new(right)),
    };
    (expression, range)
}

/// Words and operators; brackets keep what is inside them together.
fn tokens(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut start = None;
    let mut depth = 0_u32;
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        let double = bytes.get(index + 1) == Some(&byte);
        let own = match byte {
            b'[' | b']' => {
                depth = if byte == b'[' { depth + 1 } else { depth.saturating_sub(1) };
                0
            }
            _ if depth > 0 => 0,
            b'(' | b')' => 1,
            b'!' if bytes.get(index + 1) != Some(&b'=') => 1,
            b'&' | b'|' if double => 2,
            _ => 0,
        };
        let blank = byte.is_ascii_whitespace() && depth == 0;
        if blank || own > 0 {
            tokens.extend(start.take().map(|start| start..index));
        }
        if own > 0 {
            tokens.push(index..index + own);
        } else if !blank {
            start.get_or_insert(index);
        }
        index += own.max(1);
    }
    tokens.extend(start.map(|start| start..text.len()));
    tokens
}

/// `500ms`, `10s`, `5m`, `2h`; a bare number is seconds.
fn span_ns(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let unit_ns: u64 = match unit {
        "ms" => 1_000_000,
        "" | "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ns)
}

#[cfg(test)]
mod tests {
    use super::{Expression, Mistake};

    fn kernel(text: &str) -> Option<String> {
        Expression::read(text).expect("good")?.for_the_kernel(text)
    }

    fn mistake(text: &str) -> Mistake {
        Expression::read(text).expect_err("wrong")
    }

    #[test]
    fn the_kernel_is_asked_for_no_less_than_is_wanted() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(kernel(text).as_deref(), expected, "{text}")
        };
        check("tcp port 80 or 443", Some("(tcp port 80 or 443)"));
        check("tcp and pid 7", Some("(tcp)"));
        check("tcp or pid 7", None);
        check("not pid 7 and udp", Some("(udp)"));
        check("tcp and (name nginx or port 80)", Some("(tcp)"));
        check("(tcp and port 80) and state established", Some("((tcp and port 80))"));
        check(
            "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and fd 9",
            Some("(tcp[tcpflags] & (tcp-syn|tcp-fin) != 0)"),
        );
        check("age > 10s and not tcp", Some("(not tcp)"));
        check("", None);
    }

    #[test]
    fn mistakes_are_pointed_at() {
        assert_eq!(mistake("tcp and pid x").at, 12);
        assert_eq!(mistake("tcp and pid").at, 11);
        assert_eq!(mistake("(pid 7 and tcp").at, 14);
        assert_eq!(mistake("pid 7 tcp").at, 6);
        assert_eq!(mistake("age 10s").at, 4);
    }
}
