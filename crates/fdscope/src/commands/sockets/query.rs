//! What was typed after `fdscope sockets`, understood.

use anyhow::Result;
use fdscope_proc::net::{Detail, Owners, Survey, Surveyed};
use fdscope_render::column::{Column, Needs, Order, choose, sort_order};
use fdscope_render::filter::{self, Expr};
use fdscope_render::mistake::Mistake;
use fdscope_render::sockets::{DETAIL, NAMES, OWNERS, PEERS, SOCKETS, SocketRow, initial};

use super::lore::Lore;
use crate::args::Sockets;
use crate::ending::{Ending, Failure};

/// What was typed, understood.
pub struct Query {
    filter: Option<Expr<SocketRow>>,
    /// Those to show.
    pub columns: Vec<&'static Column<SocketRow>>,
    /// What rows are sorted by.
    pub sort: Option<(&'static Column<SocketRow>, Order)>,
    /// What rows are counted by.
    pub groups: Option<Vec<&'static Column<SocketRow>>>,
}

fn wrong(option: &str, mistake: &Mistake) -> anyhow::Error {
    Failure::new(Ending::Usage, format!("{option}: {mistake}")).into()
}

impl Query {
    /// Of the command line: `first` is the filter's first word, where that was taken for something else.
    pub fn of(sockets: &Sockets, first_word: Option<&str>, filter: &[String]) -> Result<Query> {
        let words = first_word.into_iter().chain(filter.iter().map(String::as_str));
        let typed = words.collect::<Vec<_>>().join(" ");
        let parse = |text: &str| filter::parse(SOCKETS, text).map_err(|m| wrong("filter", &m));
        let filter = (!typed.trim().is_empty()).then(|| parse(&typed)).transpose()?;
        let list = |option, text: &Option<String>, first: &[&'static Column<SocketRow>]| {
            let chosen = text.as_ref().map(|text| choose(SOCKETS, first, text));
            chosen.transpose().map_err(|mistake| wrong(option, &mistake))
        };
        // Nobody waits for a name server who did not ask for names.
        let is_quick = |column: &&Column<SocketRow>| sockets.resolve || !column.needs.has(NAMES);
        let every = || SOCKETS.all.iter().filter(is_quick).collect();
        let mut first = if sockets.json { every() } else { initial() };
        if sockets.resolve && !sockets.json {
            for column in &mut first {
                let name = format!("{}-name", column.name);
                *column = SOCKETS.get(&name).unwrap_or(column);
            }
        }
        let columns = list("--columns", &sockets.columns, &first)?.unwrap_or(first);
        let groups = list("--group-by", &sockets.group_by, &[])?;
        let sort = sockets.sort.as_ref().map(|text| sort_order(SOCKETS, text));
        let sort = sort.transpose().map_err(|mistake| wrong("--sort", &mistake))?;
        Ok(Query { filter, columns, sort, groups })
    }

    /// What its columns and its filter need.
    pub fn needs(&self) -> Needs {
        let shown = self.groups.as_ref().unwrap_or(&self.columns).iter();
        let shown = shown.fold(Needs::NONE, |needs, column| needs.and(column.needs));
        let sorted = self.sort.map_or(Needs::NONE, |(column, _)| column.needs);
        shown.and(sorted).and(self.needs_to_filter())
    }

    /// What its filter needs.
    pub fn needs_to_filter(&self) -> Needs {
        self.filter.as_ref().map_or(Needs::NONE, Expr::needs)
    }

    /// The rows that match.
    pub fn rows<'a>(
        &'a self,
        survey: &'a Survey,
        lore: &'a Lore,
    ) -> impl Iterator<Item = SocketRow> + 'a {
        all(survey, lore).filter(|row| self.matches(row))
    }

    /// True if a row is one of those asked for.
    pub fn matches(&self, row: &SocketRow) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(row))
    }
}

/// Every row, whether it matches or not.
pub fn all<'a>(survey: &'a Survey, lore: &'a Lore) -> impl Iterator<Item = SocketRow> + 'a {
    survey.sockets().map(|Surveyed { socket, owners, unheld, keepers }| {
        let cgroup = socket.detail.as_ref().and_then(|detail| detail.cgroup);
        let seen_ns = lore.seen_ns(&socket);
        SocketRow {
            cgroup: cgroup.and_then(|id| lore.cgroups.get(&id).cloned()),
            names: lore.names.clone(),
            owners: owners.to_vec(),
            unheld,
            keepers,
            seen_ns,
            ..SocketRow::of(socket)
        }
    })
}

/// What has to be asked of sockets for that.
pub fn asked(needs: Needs) -> (Detail, Owners) {
    let detail = if needs.has(DETAIL) { Detail::Everything } else { Detail::Ends };
    let owners = match (needs.has(PEERS), needs.has(OWNERS)) {
        (true, _) => Owners::Both,
        (false, true) => Owners::All,
        (false, false) => Owners::Unasked,
    };
    (detail, owners)
}
