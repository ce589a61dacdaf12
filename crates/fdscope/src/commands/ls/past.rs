//! `fdscope ls FILE`: the handles of a recording, through the same columns, filters and outputs.

use fdscope_model::Inventories;
use fdscope_render::column::Needs;
use fdscope_render::handles::needs;

use super::faults::Faults;
use super::output::Output;
use super::query::Query;
use super::select::Selection;
use super::{Listing, Origin};
use crate::Done;
use crate::args::Ls;
use crate::past::{Past, PastInventories};
use crate::users::Users;

/// Runs the command on a recording.
pub fn run(ls: &Ls, file: &str, targets: &[String]) -> Done {
    let query = Query::of(ls, Origin::Recorded)?;
    let mut past = Past::open(file, &ls.span)?;
    let selection = Selection::in_past(&past, targets, &ls.below)?;
    let needs = query.needs.and(selection.needs());
    let source = (past.machine().to_owned(), past.how(), past.wall_ns());
    let births = if needs.has(needs::BIRTH) { past.births() } else { Default::default() };
    let mut listing = Listing {
        output: Output::of(ls, &query, super::output::recorded(source))?,
        query: &query,
        selection: &selection,
        users: if needs.has(needs::USER) { past.users() } else { Users::default() },
        needs,
        faults: Faults::default(),
        failed: None,
        births,
        origin: Origin::Recorded,
        root: None,
    };
    PastInventories(&past).read_each(&selection.pids, &mut |pid, read| listing.take(pid, read));
    past.say(&missing(ls, &query));
    listing.finish(ls)
}

/// What was asked for that recordings do not have. What is shown without being asked for may be empty in silence.
fn missing(ls: &Ls, query: &Query) -> Vec<&'static str> {
    let had = |name: &str| ["fd", "deleted"].contains(&name);
    let lacks = |needs: Needs| LACKED.iter().any(|lacked| needs.has(*lacked));
    let chosen = ls.columns.is_some() || ls.group_by.is_some();
    let columns = query.columns.iter().filter(|column| chosen && lacks(column.needs));
    let mut missing: Vec<&str> = columns.map(|column| column.name).filter(|n| !had(n)).collect();
    if ls.all {
        missing.push("working directories, mappings and other holders than descriptors");
    }
    if !ls.filters.is_empty() && lacks(query.filter_needs()) {
        missing.push("all that the filter asks for");
    }
    missing
}

const LACKED: [Needs; 5] = [needs::ACCESS, needs::STATUS, needs::FDINFO, needs::LOCKS, needs::ENDS];
