//! From options to columns, a filter, and what has to be read for them.

use anyhow::Result;
use fdscope_proc::inventory::Wanted;
use fdscope_render::column::{Class, Column, Needs, Order, choose, sort_order};
use fdscope_render::filter::{Expr, Op, Operand, parse};
use fdscope_render::handles::{HANDLES, HandleRow, in_json, initial, needs};
use fdscope_render::mistake::Mistake;

use super::{Origin, wrong};
use crate::args::Ls;
use crate::ending::{Ending, Failure};

/// What is shown, of which rows.
pub struct Query {
    /// The columns to show, or to group by.
    pub columns: Vec<&'static Column<HandleRow>>,
    /// What rows are sorted by.
    pub sort: Option<(&'static Column<HandleRow>, Order)>,
    /// What has to be read for all of it.
    pub needs: Needs,
    filter: Vec<Expr<HandleRow>>,
}

impl Query {
    /// Understands the options.
    ///
    /// # Errors
    /// With the place and the nearest right word.
    pub fn of(ls: &Ls, origin: Origin) -> Result<Self> {
        let initial = if ls.json || ls.jsonl { in_json() } else { initial() };
        let columns = match (&ls.group_by, &ls.columns) {
            (Some(list), _) => {
                choose(HANDLES, &[], list).map_err(|why| wrong("--group-by", &why))?
            }
            (None, Some(list)) => {
                choose(HANDLES, &initial, list).map_err(|why| wrong("-o", &why))?
            }
            (None, None) => initial,
        };
        let sort = ls.sort.as_deref().map(|text| sort_order(HANDLES, text)).transpose();
        let sort = sort.map_err(|why| wrong("--sort", &why))?;
        let filter = filter(ls)?;
        let mut needs = Needs::NONE;
        if ls.tree {
            needs = needs::KINDS
                .and(needs::ACCESS)
                .and(needs::FACTS)
                .and(needs::SOCKETS)
                .and(needs::USER);
        } else if !ls.count {
            needs = columns.iter().fold(needs, |needs, column| needs.and(column.needs));
        }
        needs = sort.iter().fold(needs, |needs, (column, _)| needs.and(column.needs));
        needs = filter.iter().fold(needs, |needs, expr| needs.and(expr.needs()));
        let of_births = |needs: Needs| needs.has(needs::BIRTH);
        let sorted = sort.is_some_and(|(column, _)| of_births(column.needs));
        if origin == Origin::Now && (sorted || filter.iter().any(|expr| of_births(expr.needs()))) {
            return Err(no_births().into());
        }
        let told = ls.columns.as_deref() != Some("all");
        if origin == Origin::Now && told && columns.iter().any(|column| of_births(column.needs)) {
            eprintln!("fdscope: age and site are of recordings: the kernel does not keep births");
        }
        Ok(Query { columns, sort, needs, filter })
    }

    /// What the filters need.
    pub fn filter_needs(&self) -> Needs {
        self.filter.iter().fold(Needs::NONE, |needs, expr| needs.and(expr.needs()))
    }

    /// True if a row is to be shown.
    pub fn matches(&self, row: &HandleRow) -> bool {
        self.filter.iter().all(|expr| expr.matches(row))
    }
}

fn no_births() -> Failure {
    let what = "age and site: the kernel does not keep when and by whom a descriptor was opened";
    Failure::new(Ending::Usage, what)
        .cure("fdscope leak PID sees births; fdscope record PID -o FILE keeps them for fdscope ls FILE")
        .cure("of sockets, idle is the time without traffic")
}

/// The options that are filters, and the filters themselves.
fn filter(ls: &Ls) -> Result<Vec<Expr<HandleRow>>, Failure> {
    let mut all = Vec::new();
    all.extend(one_of("kind", "--kind", &ls.kinds)?);
    all.extend(one_of("state", "--state", &ls.states)?);
    all.extend(users(&ls.users));
    if ls.deleted {
        all.extend(HANDLES.get("deleted").map(Expr::Has));
    }
    for text in &ls.filters {
        all.push(parse(HANDLES, text).map_err(|why| wrong("--filter", &why))?);
    }
    Ok(all)
}

/// A filter for any of some words of a column; none for no word.
fn one_of(name: &str, option: &str, words: &[String]) -> Result<Option<Expr<HandleRow>>, Failure> {
    let Some(column) = HANDLES.get(name).filter(|_| !words.is_empty()) else { return Ok(None) };
    let Class::Word(vocabulary) = column.class else { return Ok(None) };
    let mut operands = Vec::new();
    for word in words {
        let found = (vocabulary.find)(word).ok_or_else(|| {
            let shown = fdscope_model::name::escape(word.as_bytes());
            let mistake = Mistake::new(word, 0..word.len(), format!("there is no {name} {shown}"));
            let all = (vocabulary.all)();
            let near = mistake.did_you_mean(word, all.iter().copied());
            let help = near.help.clone().unwrap_or_else(|| format!("one of {}", all.join(", ")));
            wrong(option, &near.help(help))
        })?;
        operands.push(Operand::Word(found));
    }
    Ok(Some(Expr::Compare(column, Op::In, operands)))
}

/// A filter for any of some users, by number or name.
fn users(users: &[String]) -> Option<Expr<HandleRow>> {
    let one = |text: &String| {
        let (name, operand) = match text.parse() {
            Ok(uid) => ("uid", Operand::Number(uid)),
            Err(_) => ("user", Operand::Text(text.clone().into_bytes())),
        };
        Some(Expr::Compare(HANDLES.get(name)?, Op::Equal, vec![operand]))
    };
    let mut all: Vec<_> = users.iter().filter_map(one).collect();
    if all.len() > 1 { Some(Expr::Any(all)) } else { all.pop() }
}

/// What is to be read for these needs; with `everywhere`, of every association and not of descriptors alone.
pub fn wanted(needs: Needs, everywhere: bool) -> Wanted {
    Wanted {
        descriptors: true,
        places: everywhere,
        mappings: everywhere,
        namespaces: everywhere,
        ring_slots: everywhere,
        in_flight: everywhere,
        command: needs.has(needs::COMMAND),
        kinds: needs.has(needs::KINDS),
        access: needs.has(needs::ACCESS),
        status: needs.has(needs::STATUS),
        fdinfo: needs.has(needs::FDINFO),
        facts: needs.has(needs::FACTS),
        locks: needs.has(needs::LOCKS),
        sockets: needs.has(needs::SOCKETS),
        ends: needs.has(needs::ENDS),
    }
}
