//! What the radar can be sorted by: one table for `--sort`, its help and its completions.

use std::cmp::Reverse;
use std::collections::HashMap;

use fdscope_model::Name;
use fdscope_model::survey::Vitals;

/// What the processes are sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// Share of the nearest limit, then time to it, then count.
    #[default]
    Danger,
    /// Process number.
    Pid,
    /// Name.
    Command,
    /// User.
    User,
    /// Open descriptors.
    Open,
    /// Soft limit.
    Limit,
    /// Share of the nearest limit.
    Used,
    /// Threads.
    Threads,
    /// Growth of descriptors.
    Growth,
    /// Time to a limit.
    Left,
}

const WORDS: &[(&str, Order)] = &[
    ("danger", Order::Danger),
    ("pid", Order::Pid),
    ("command", Order::Command),
    ("user", Order::User),
    ("open", Order::Open),
    ("limit", Order::Limit),
    ("used", Order::Used),
    ("threads", Order::Threads),
    ("growth", Order::Growth),
    ("left", Order::Left),
];

impl Order {
    /// The words, in the order of the columns.
    pub fn words() -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|row| row.0)
    }

    /// The order that a word names.
    pub fn from_word(word: &str) -> Option<Order> {
        WORDS.iter().find(|row| row.0 == word).map(|row| row.1)
    }

    /// Its word.
    pub fn word(self) -> &'static str {
        WORDS[self as usize].0
    }

    /// Sorts processes: numbers from the greatest down, names and process numbers upwards; equals by danger.
    pub fn sort(self, processes: &mut [Vitals], users: &HashMap<u32, Name>) {
        processes.sort_by_key(|vitals| (Reverse(vitals.danger()), vitals.id));
        match self {
            Order::Danger => {}
            Order::Pid => processes.sort_by_key(|vitals| vitals.id),
            Order::Command => processes.sort_by(|a, b| a.comm.cmp(&b.comm)),
            Order::User => processes.sort_by_key(|vitals| {
                let name = users.get(&vitals.uid);
                (name.is_none(), name, vitals.uid)
            }),
            Order::Open => processes.sort_by_key(|vitals| Reverse(vitals.descriptors)),
            Order::Limit => processes.sort_by_key(|vitals| Reverse(vitals.nofile)),
            Order::Used => processes.sort_by_key(|vitals| Reverse(vitals.danger().0)),
            Order::Threads => processes.sort_by_key(|vitals| Reverse(vitals.threads)),
            Order::Growth => {
                let per_min = |vitals: &Vitals| vitals.growth.map_or(0, |g| g.descriptors);
                processes.sort_by_key(|vitals| Reverse(per_min(vitals)));
            }
            Order::Left => processes.sort_by(|a, b| {
                let time = |vitals: &Vitals| vitals.reached_in_s().unwrap_or(f64::INFINITY);
                time(a).total_cmp(&time(b))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_has_the_word_at_its_place() {
        for (index, (word, order)) in WORDS.iter().enumerate() {
            assert_eq!((*order as usize, order.word()), (index, *word));
        }
    }
}
