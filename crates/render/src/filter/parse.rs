//! From tokens to a filter, checked against the columns on the way.

use super::expr::{Expr, Op};
use super::lexer::{Kind, Token, tokens};
use super::literal;
use super::operand::{AddressPattern, Operand, Pattern};
use crate::column::{Class, Column, Columns, Vocabulary, find};
use crate::mistake::Mistake;

/// Brackets and `not`s within each other; more is no filter that a person wrote.
const DEEPEST: usize = 60;

/// Reads tokens one by one.
pub(super) struct Parser<'a, R: 'static> {
    columns: Columns<R>,
    text: &'a str,
    tokens: Vec<Token>,
    next: usize,
    depth: usize,
}

impl<'a, R> Parser<'a, R> {
    pub fn new(columns: Columns<R>, text: &'a str) -> Result<Self, Mistake> {
        Ok(Parser { columns, text, tokens: tokens(text)?, next: 0, depth: 0 })
    }

    /// The whole filter.
    pub fn filter(mut self) -> Result<Expr<R>, Mistake> {
        let expr = self.any()?;
        match self.peek().kind {
            Kind::End => Ok(expr),
            Kind::Close => Err(self.wrong("this bracket was not opened")),
            _ => Err(self.wrong("and, or, or the end is missing before this")),
        }
    }

    fn any(&mut self) -> Result<Expr<R>, Mistake> {
        let mut parts = vec![self.all()?];
        while self.take(&Kind::Or) {
            parts.push(self.all()?);
        }
        Ok(single(parts, Expr::Any))
    }

    fn all(&mut self) -> Result<Expr<R>, Mistake> {
        let mut parts = vec![self.one()?];
        while self.take(&Kind::And) {
            parts.push(self.one()?);
        }
        Ok(single(parts, Expr::All))
    }

    fn one(&mut self) -> Result<Expr<R>, Mistake> {
        if self.depth == DEEPEST {
            return Err(self.wrong(format!("more than {DEEPEST} brackets or nots in each other")));
        }
        self.depth += 1;
        let expr = match self.peek().kind {
            Kind::Not => {
                self.next += 1;
                Expr::Not(Box::new(self.one()?))
            }
            Kind::Open => {
                self.next += 1;
                let inside = self.any()?;
                if !self.take(&Kind::Close) {
                    return Err(self.wrong("a closing bracket is missing here"));
                }
                inside
            }
            _ => self.comparison()?,
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn comparison(&mut self) -> Result<Expr<R>, Mistake> {
        let token = self.peek().clone();
        match token.kind {
            Kind::Word => self.next += 1,
            Kind::End if token.at.start == 0 => return Err(self.wrong("the filter is empty")),
            Kind::End => return Err(self.wrong("a comparison is missing here")),
            Kind::Quoted => {
                let wrong = self.wrong("a value needs a column before it");
                let value = fdscope_model::name::escape(self.text[token.at].as_bytes());
                return Err(wrong.help(format!("for example: name = {value}")));
            }
            _ => return Err(self.wrong("a column's name is missing before this")),
        }
        let Some(column) = self.columns.get(&token.text) else {
            return self.word_alone(&token);
        };
        match self.peek().kind.clone() {
            Kind::Op(op) => {
                self.check_op(column, op)?;
                self.next += 1;
                Ok(Expr::Compare(column, op, vec![self.operand(column, op)?]))
            }
            Kind::In => self.list(column, Op::In),
            Kind::Not if self.tokens[self.next + 1].kind == Kind::In => {
                self.next += 1;
                self.list(column, Op::NotIn)
            }
            // `deleted socket` lacks an `and`; `deleted yes` is a comparison.
            Kind::Word | Kind::Quoted
                if !matches!(column.class, Class::Flag) || flag(&self.peek().text).is_some() =>
            {
                Ok(Expr::Compare(column, Op::Equal, vec![self.operand(column, Op::Equal)?]))
            }
            _ => Ok(Expr::Has(column)),
        }
    }

    fn list(&mut self, column: &'static Column<R>, op: Op) -> Result<Expr<R>, Mistake> {
        self.next += 1;
        if !self.take(&Kind::Open) {
            return Err(self.wrong("in needs a list in brackets").help("for example: in (1, 2)"));
        }
        let mut operands = vec![self.operand(column, op)?];
        while self.take(&Kind::Comma) {
            operands.push(self.operand(column, op)?);
        }
        if !self.take(&Kind::Close) {
            return Err(self.wrong("a comma or a closing bracket is missing here"));
        }
        Ok(Expr::Compare(column, op, operands))
    }

    /// A word that is no column: a word of one column's vocabulary stands for a comparison with it.
    fn word_alone(&mut self, token: &Token) -> Result<Expr<R>, Mistake> {
        let wrong = find(self.columns, self.text, &token.text, token.at.clone());
        let compares = matches!(
            self.peek().kind,
            Kind::Op(_) | Kind::In | Kind::Word | Kind::Quoted | Kind::Open
        );
        let known = |column: &'static Column<R>| {
            let vocabulary = vocabulary(column.class)?;
            (vocabulary.find)(&token.text).map(|word| (column, word))
        };
        let found: Vec<_> = self.columns.all.iter().filter_map(known).collect();
        match (found.as_slice(), wrong) {
            ([(column, word)], _) if !compares => {
                Ok(Expr::Compare(column, Op::Equal, vec![Operand::Word(word)]))
            }
            ([(column, word), ..], _) if compares => {
                let what = format!("{word} is a word of the column {}", column.name);
                let place = Mistake::new(self.text, token.at.clone(), what);
                Err(place.help(format!("write {} = {word}, then and or or", column.name)))
            }
            ([(a, word), (b, _), ..], _) => {
                let what = format!("{word} is a word of the columns {} and {}", a.name, b.name);
                let place = Mistake::new(self.text, token.at.clone(), what);
                Err(place.help(format!("write {} = {word}, or {} = {word}", a.name, b.name)))
            }
            (_, Ok(column)) => Ok(Expr::Has(column)),
            (_, Err(mistake)) if compares => Err(mistake),
            (_, Err(mistake)) => Err(self.or_a_word(mistake, &token.text)),
        }
    }

    /// A wrong word alone may have been meant as one of a vocabulary.
    fn or_a_word(&self, mistake: Mistake, word: &str) -> Mistake {
        if self.columns.absent(word).is_some() {
            return mistake;
        }
        let words = self.columns.all.iter().filter_map(|column| vocabulary(column.class));
        let words: Vec<&str> = words.flat_map(|vocabulary| (vocabulary.all)()).collect();
        let names = self.columns.all.iter().flat_map(Column::names);
        mistake.did_you_mean(word, names.chain(words))
    }

    fn check_op(&self, column: &Column<R>, op: Op) -> Result<(), Mistake> {
        let fits = match column.class {
            Class::Flag => matches!(op, Op::Equal | Op::NotEqual),
            class if op.is_order() => class.is_measured(),
            class => !class.is_measured() || !matches!(op, Op::Match | Op::NotMatch),
        };
        if fits {
            return Ok(());
        }
        let (name, noun) = (column.name, column.class.noun());
        let what = format!("{name} is {noun}: {} does not apply", op.sign());
        let help = match column.class {
            Class::Flag => format!("write {name}, or not {name}"),
            class if class.is_measured() => "use = != < <= > >= or in".to_owned(),
            _ => "use = != ~ !~ or in".to_owned(),
        };
        Err(self.wrong(what).help(help))
    }

    fn operand(&mut self, column: &Column<R>, op: Op) -> Result<Operand, Mistake> {
        let token = self.peek().clone();
        match token.kind {
            Kind::Word | Kind::Quoted => self.next += 1,
            Kind::End => return Err(self.wrong("a value is missing here")),
            _ => return Err(self.wrong("this is no value").help("text with signs needs quotes")),
        }
        let wrong = |what: String| Mistake::new(self.text, token.at.clone(), what);
        if matches!(op, Op::Match | Op::NotMatch) {
            let pattern = Pattern::new(&token.text);
            return pattern.map(Operand::Pattern).map_err(|why| {
                wrong(format!("this is no regular expression: {why}"))
                    .help("a backslash before a sign takes its meaning away: \\( \\.")
            });
        }
        read(column, &token.text, &wrong)
    }

    fn peek(&self) -> &Token {
        &self.tokens[self.next]
    }

    fn take(&mut self, kind: &Kind) -> bool {
        let is = self.peek().kind == *kind;
        self.next += usize::from(is);
        is
    }

    fn wrong(&self, what: impl Into<String>) -> Mistake {
        Mistake::new(self.text, self.peek().at.clone(), what)
    }
}

fn single<R>(mut parts: Vec<Expr<R>>, join: fn(Vec<Expr<R>>) -> Expr<R>) -> Expr<R> {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            join(parts)
        }
    }
}

fn vocabulary(class: Class) -> Option<&'static Vocabulary> {
    match class {
        Class::Word(vocabulary) => Some(vocabulary),
        _ => None,
    }
}

/// A value as its column understands it.
fn read<R>(
    column: &Column<R>,
    text: &str,
    wrong: &dyn Fn(String) -> Mistake,
) -> Result<Operand, Mistake> {
    let name = column.name;
    match column.class {
        Class::Text => Ok(Operand::Text(unescape(text))),
        Class::Address => Ok(Operand::Address(AddressPattern::read(text, unescape))),
        Class::Word(vocabulary) => (vocabulary.find)(text).map(Operand::Word).ok_or_else(|| {
            let text = fdscope_model::name::escape(text.as_bytes());
            let words = (vocabulary.all)();
            let mistake = wrong(format!("there is no {name} {text}"));
            match mistake.did_you_mean(&text, words.iter().copied()) {
                mistake if mistake.help.is_some() => mistake,
                mistake => mistake.help(format!("one of {}", words.join(", "))),
            }
        }),
        Class::Flag => flag(text).map(Operand::Flag).ok_or_else(|| {
            wrong(format!("{name} is yes or no")).help(format!("write {name}, or not {name}"))
        }),
        Class::Number => literal::number(text).map(Operand::Number).ok_or_else(|| {
            let unit = if literal::has_unit(text) { " without unit" } else { "" };
            wrong(format!("{name} is a number{unit}")).help("for example: 812")
        }),
        Class::Size => literal::size(text).map(Operand::Size).ok_or_else(|| {
            wrong(format!("{name} is a size in bytes")).help("for example: 4096, 10K, 1.5M, 2G")
        }),
        Class::Duration => literal::time_ns(text).map(Operand::Duration).ok_or_else(|| {
            wrong(format!("{name} is a time")).help("for example: 500ms, 10s, 5m, 2h, 1d")
        }),
    }
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "yes" | "true" | "1" => Some(true),
        "no" | "false" | "0" => Some(false),
        _ => None,
    }
}

/// Takes back what printing did to a name: `\xHH`, `\n`, `\t`, `\\`. Any other backslash is itself.
fn unescape(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let (byte, taken) = match (first, tail) {
            (b'\\', [b'\\', ..]) => (b'\\', 2),
            (b'\\', [b'n', ..]) => (b'\n', 2),
            (b'\\', [b't', ..]) => (b'\t', 2),
            (b'\\', [b'x', high, low, ..]) => match (digit(*high), digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, 4),
                _ => (b'\\', 1),
            },
            _ => (*first, 1),
        };
        out.push(byte);
        rest = &rest[taken..];
    }
    out
}

fn digit(hex: u8) -> Option<u8> {
    char::from(hex).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
