//! The limits that all processes share, or that a user's processes share, with what is used of them.
//!
//! The kernel tells most uses for the asking. Mappings, inotify and epoll it does not: these are counted process by
//! process, which takes its time and a share of the privileges; see [`Counting`].

use std::collections::HashMap;

use fdscope_model::survey::{Bound, Counted, Survey, Vitals, Whose};
use fdscope_model::{LimitName, Monotonic};
use fdscope_sys::clock::monotonic_now;

use super::Radar;
use crate::parse::{parse_file_nr, parse_loadavg_tasks};
use crate::users::UserUse;

/// How much is counted for the limits whose use the kernel does not tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counting {
    /// Nothing: only the limits.
    Nothing,
    /// What this many nanoseconds suffice for, the processes with most threads and descriptors first.
    Within(u64),
    /// Everything that may be read.
    Everything,
}

impl Radar {
    /// The limits worth knowing around these processes.
    pub fn bounds(&self, survey: &Survey, counting: Counting) -> Vec<Bound> {
        let mut bounds = self.of_machine();
        bounds.extend(own_nproc(survey));
        let end = match counting {
            Counting::Nothing => Some(Monotonic(0)),
            Counting::Within(ns) => Some(Monotonic(monotonic_now().0.saturating_add(ns))),
            Counting::Everything => None,
        };
        let mut tally = Tally::default();
        let mut processes: Vec<&Vitals> = survey.processes.iter().collect();
        processes.sort_by_key(|vitals| std::cmp::Reverse((vitals.threads, vitals.descriptors)));
        for vitals in processes {
            if end.is_some_and(|end| monotonic_now() >= end) {
                tally.counted = Counted::AtLeast;
                break;
            }
            tally.add_mappings(self, vitals);
        }
        let mut ascending: Vec<&Vitals> = survey.processes.iter().collect();
        ascending.sort_by_key(|vitals| vitals.id);
        let known =
            (counting != Counting::Nothing).then(|| self.looker.root.use_by_user(&ascending, end));
        bounds.extend(self.of_mappings(tally, counting));
        bounds.extend(self.of_users(known));
        bounds
    }

    fn of_machine(&self) -> Vec<Bound> {
        let root = &self.looker.root;
        let files = root.read("sys/fs/file-nr").ok().and_then(|bytes| parse_file_nr(&bytes).ok());
        let tasks = root.read("loadavg").ok().and_then(|bytes| parse_loadavg_tasks(&bytes).ok());
        let of_tasks = |name, path| Some((name, root.number(path)?, tasks));
        let rows = [
            files.map(|files| (LimitName::FileMax, files.limit, Some(files.allocated))),
            of_tasks(LimitName::ThreadsMax, "sys/kernel/threads-max"),
            of_tasks(LimitName::PidMax, "sys/kernel/pid_max"),
        ];
        let bound = |(name, value, used)| Bound {
            name,
            value,
            used,
            whose: Whose::Machine,
            counted: Counted::Whole,
        };
        rows.into_iter().flatten().map(bound).collect()
    }

    fn of_mappings(&self, tally: Tally, counting: Counting) -> Option<Bound> {
        let value = self.looker.root.number("sys/vm/max_map_count")?;
        let most = tally.most.filter(|_| counting != Counting::Nothing);
        let (used, whose) = match most {
            None => (None, Whose::Machine),
            Some((used, vitals)) => {
                (Some(used), Whose::Process(vitals.id.pid, vitals.comm.clone()))
            }
        };
        Some(Bound { name: LimitName::MaxMapCount, value, used, whose, counted: tally.counted })
    }

    /// The limits per user, each with the user who is nearest to it.
    fn of_users(&self, known: Option<(HashMap<u32, UserUse>, Counted)>) -> Vec<Bound> {
        type Part = fn(&UserUse) -> u64;
        let rows: [(LimitName, &str, Part); 3] = [
            (LimitName::InotifyInstances, "inotify/max_user_instances", |u| u.inotify_instances),
            (LimitName::InotifyWatches, "inotify/max_user_watches", |u| u.inotify_watches),
            (LimitName::EpollWatches, "epoll/max_user_watches", |u| u.registrations),
        ];
        let bound = |(name, path, part): (LimitName, &str, Part)| {
            let value = self.looker.root.number(&format!("sys/fs/{path}"))?;
            let (users, counted) = known
                .as_ref()
                .map_or((None, Counted::Whole), |(users, whole)| (Some(users), *whole));
            let most = users.map(|users| {
                let each = users.iter().map(|(&uid, held)| (part(held), uid));
                each.max_by_key(|&(held, uid)| (held, std::cmp::Reverse(uid))).unwrap_or((0, 0))
            });
            let whose = most.filter(|most| most.0 > 0);
            Some(Bound {
                name,
                value,
                used: most.map(|most| most.0),
                whose: whose.map_or(Whose::Machine, |most| Whose::User(most.1)),
                counted,
            })
        };
        rows.into_iter().filter_map(bound).collect()
    }
}

/// RLIMIT_NPROC of whoever asks, where it binds.
fn own_nproc(survey: &Survey) -> Option<Bound> {
    let own = std::process::id();
    let own = survey.processes.iter().find(|vitals| vitals.id.pid.0 == own)?;
    let limit = own.tasks.filter(|limit| limit.name == LimitName::Nproc)?;
    Some(Bound {
        name: limit.name,
        value: limit.value,
        used: Some(limit.used),
        whose: Whose::User(own.uid),
        counted: Counted::Whole,
    })
}

/// Who has most mappings.
struct Tally<'a> {
    most: Option<(u64, &'a Vitals)>,
    counted: Counted,
}

impl Default for Tally<'_> {
    fn default() -> Self {
        Tally { most: None, counted: Counted::Whole }
    }
}

impl<'a> Tally<'a> {
    fn add_mappings(&mut self, radar: &Radar, vitals: &'a Vitals) {
        match radar.looker.root.count_mappings(vitals.id.pid) {
            Ok(count) if self.most.is_none_or(|(most, _)| count > most) => {
                self.most = Some((count, vitals));
            }
            Err(error) if error.is_not_permitted() => self.counted = Counted::AtLeast,
            _ => {}
        }
    }
}
