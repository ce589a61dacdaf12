//! A filter that was understood: asked of rows, and written out again.

use std::cmp::Ordering;
use std::fmt;

use super::operand::Operand;
use crate::column::{Column, Needs};

/// How a column is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Op {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `~`
    Match,
    /// `!~`
    NotMatch,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `in (…)`
    In,
    /// `not in (…)`
    NotIn,
}

impl Op {
    /// As it is written.
    pub fn sign(self) -> &'static str {
        ["=", "!=", "~", "!~", "<", "<=", ">", ">=", "in", "not in"][self as usize]
    }

    /// True for those that ask for an order.
    pub fn is_order(self) -> bool {
        matches!(self, Op::Below | Op::AtMost | Op::Above | Op::AtLeast)
    }
}

/// A filter over rows of type `R`.
pub enum Expr<R: 'static> {
    /// Every one is true; two or more.
    All(Vec<Expr<R>>),
    /// One at least is true; two or more.
    Any(Vec<Expr<R>>),
    /// It is not true.
    Not(Box<Expr<R>>),
    /// The column has a value that is not "no".
    Has(&'static Column<R>),
    /// The column stands so to one of the operands; those without a list have one.
    Compare(&'static Column<R>, Op, Vec<Operand>),
}

impl<R> Expr<R> {
    /// True if `row` passes.
    pub fn matches(&self, row: &R) -> bool {
        match self {
            Expr::All(parts) => parts.iter().all(|part| part.matches(row)),
            Expr::Any(parts) => parts.iter().any(|part| part.matches(row)),
            Expr::Not(part) => !part.matches(row),
            Expr::Has(column) => (column.get)(row).is_there(),
            Expr::Compare(column, op, operands) => compare(*op, operands, &(column.get)(row)),
        }
    }

    /// What has to be read to ask it.
    pub fn needs(&self) -> Needs {
        match self {
            Expr::All(parts) | Expr::Any(parts) => {
                parts.iter().fold(Needs::NONE, |needs, part| needs.and(part.needs()))
            }
            Expr::Not(part) => part.needs(),
            Expr::Has(column) | Expr::Compare(column, ..) => column.needs,
        }
    }
}

fn compare(op: Op, operands: &[Operand], value: &crate::column::Value<'_>) -> bool {
    let is = || operands.iter().any(|operand| operand.is(value));
    let order = |wanted: fn(Ordering) -> bool| ordered(operands, value, wanted);
    match op {
        Op::Equal | Op::Match | Op::In => is(),
        Op::NotEqual | Op::NotMatch | Op::NotIn => !is(),
        Op::Below => order(Ordering::is_lt),
        Op::AtMost => order(Ordering::is_le),
        Op::Above => order(Ordering::is_gt),
        Op::AtLeast => order(Ordering::is_ge),
    }
}

fn ordered(
    operands: &[Operand],
    value: &crate::column::Value<'_>,
    wanted: fn(Ordering) -> bool,
) -> bool {
    match value {
        crate::column::Value::List(values) => {
            values.iter().any(|value| ordered(operands, value, wanted))
        }
        value => operands.iter().any(|operand| operand.compare(value).is_some_and(wanted)),
    }
}

/// As it can be typed: reading it again gives the same filter.
impl<R> fmt::Display for Expr<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::All(parts) => {
                join(f, parts, " and ", |part| matches!(part, Expr::All(_) | Expr::Any(_)))
            }
            Expr::Any(parts) => join(f, parts, " or ", |part| matches!(part, Expr::Any(_))),
            Expr::Not(part) => {
                write!(f, "not ")?;
                write_part(f, part, matches!(**part, Expr::All(_) | Expr::Any(_)))
            }
            Expr::Has(column) => write!(f, "{}", column.name),
            Expr::Compare(column, op @ (Op::In | Op::NotIn), operands) => {
                write!(f, "{} {} (", column.name, op.sign())?;
                for (index, operand) in operands.iter().enumerate() {
                    write!(f, "{}{operand}", if index == 0 { "" } else { ", " })?;
                }
                write!(f, ")")
            }
            Expr::Compare(column, op, operands) => {
                write!(f, "{} {}", column.name, op.sign())?;
                operands.iter().try_for_each(|operand| write!(f, " {operand}"))
            }
        }
    }
}

fn join<R>(
    f: &mut fmt::Formatter<'_>,
    parts: &[Expr<R>],
    word: &str,
    in_brackets: impl Fn(&Expr<R>) -> bool,
) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            write!(f, "{word}")?;
        }
        write_part(f, part, in_brackets(part))?;
    }
    Ok(())
}

fn write_part<R>(f: &mut fmt::Formatter<'_>, part: &Expr<R>, in_brackets: bool) -> fmt::Result {
    if in_brackets { write!(f, "({part})") } else { write!(f, "{part}") }
}

impl<R> fmt::Debug for Expr<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::All(parts) => f.debug_tuple("All").field(parts).finish(),
            Expr::Any(parts) => f.debug_tuple("Any").field(parts).finish(),
            Expr::Not(part) => f.debug_tuple("Not").field(part).finish(),
            Expr::Has(column) => f.debug_tuple("Has").field(column).finish(),
            Expr::Compare(column, op, operands) => {
                f.debug_tuple("Compare").field(column).field(op).field(operands).finish()
            }
        }
    }
}

impl<R> PartialEq for Expr<R> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Expr::All(a), Expr::All(b)) | (Expr::Any(a), Expr::Any(b)) => a == b,
            (Expr::Not(a), Expr::Not(b)) => a == b,
            (Expr::Has(a), Expr::Has(b)) => a == b,
            (Expr::Compare(a, x, u), Expr::Compare(b, y, v)) => a == b && x == y && u == v,
            _ => false,
        }
    }
}
