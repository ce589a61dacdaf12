//! What looks wrong with a process at a glance, without watching it: rules over its card, each a sentence with numbers.
//!
//! A sign is no verdict: a pool looks like a leak from here. The verdict needs time, and `fdscope leak`.

use fdscope_model::card::{Card, CardGroup};
use fdscope_model::{HandleKind, Limit, LimitName, SocketState};

/// A group is large if it has this many members and this share of all.
const LARGE: (u64, u64) = (100, 2);
/// Sockets whose peer has closed: from this many on they are no coincidence.
const CLOSE_WAIT: u64 = 5;
/// A limit is near from this per cent on.
const NEAR: u64 = 80;
/// Children and threads that nobody waits for: one or two may just have ended.
const UNREAPED: u64 = 3;
/// Descriptors without close-on-exec: a few may be meant for children.
const INHERITED: u64 = 10;

/// The sentences, the gravest first.
pub fn signs(card: &Card) -> Vec<String> {
    let mut signs: Vec<String> = zombie(card).into_iter().collect();
    signs.extend(card.limits.iter().filter_map(near_limit));
    signs.extend(card.groups.iter().filter_map(close_wait));
    signs.extend(card.groups.iter().filter_map(|group| large(card, group)));
    signs.extend(deleted(card));
    signs.extend(inherited(card));
    signs.extend(unreaped(
        card,
        HandleKind::Zombie,
        "zombies: children that ended and that it never waits for",
    ));
    signs.extend(unreaped(
        card,
        HandleKind::UnjoinedThread,
        "exited threads that nobody joined: each keeps its stack mapped",
    ));
    signs
}

fn zombie(card: &Card) -> Option<String> {
    let (parent, comm) = (card.process.parent, &card.parent_comm);
    (card.state == b'Z' && card.threads < 2).then(|| {
        format!(
            "It has ended and holds nothing: its parent, {parent} ({comm}), has not waited for it."
        )
    })
}

fn inherited(card: &Card) -> Option<String> {
    let seen = card.inherited?;
    let many = seen.inherited >= INHERITED && seen.inherited * 2 >= seen.looked_at;
    many.then(|| {
        format!(
            "{} of {} descriptors above 2 that were looked at lack close-on-exec: every program that it \
             starts inherits them.",
            seen.inherited, seen.looked_at
        )
    })
}

fn near_limit(limit: &Limit) -> Option<String> {
    // What counts everything on the machine is not this process's doing; 0 and 1 are sandboxes.
    let own = matches!(
        limit.name,
        LimitName::Nofile
            | LimitName::Nproc
            | LimitName::CgroupPids
            | LimitName::MaxMapCount
            | LimitName::Sigpending
            | LimitName::InotifyWatches
            | LimitName::InotifyInstances
            | LimitName::FileMax
            | LimitName::ThreadsMax
            | LimitName::PidMax
    );
    let binds = own && (2..u64::MAX).contains(&limit.value);
    let per_cent = u128::from(limit.used) * 100 / u128::from(limit.value.max(1));
    (binds && per_cent >= u128::from(NEAR)).then(|| {
        let (used, value, name) = (limit.used, limit.value, limit.name.word());
        format!("{name} is used to {per_cent} %: {used} of {value}.")
    })
}

fn close_wait(group: &CardGroup) -> Option<String> {
    let many = group.state == Some(SocketState::CloseWait) && group.count >= CLOSE_WAIT;
    many.then(|| {
        format!(
            "{} sockets in close-wait ({}): the other side closed them, and this one does not.",
            group.count, group.pattern
        )
    })
}

fn large(card: &Card, group: &CardGroup) -> Option<String> {
    let all: u64 = card.groups.iter().map(|group| group.count).sum();
    // What could not be read is alike in that alone.
    let is_known = group.kind != HandleKind::UnknownDescriptor;
    let large = is_known && group.count >= LARGE.0 && group.count * LARGE.1 >= all;
    (large && group.state != Some(SocketState::CloseWait)).then(|| {
        let per_cent = group.count * 100 / all.max(1);
        format!(
            "{} {} are alike ({}): {per_cent} % of all descriptors.",
            group.count,
            group.kind.plural(),
            group.pattern
        )
    })
}

fn deleted(card: &Card) -> Option<String> {
    let deleted = || card.groups.iter().filter(|group| group.deleted);
    let count: u64 = deleted().map(|group| group.count).sum();
    let bytes: u64 = deleted().map(|group| group.held_bytes).sum();
    (count > 0).then(|| {
        let (noun, verb) = if count == 1 { ("file is", "keeps") } else { ("files are", "keep") };
        format!("{count} deleted {noun} open and {verb} {bytes} bytes on disk.")
    })
}

fn unreaped(card: &Card, kind: HandleKind, what: &str) -> Option<String> {
    let groups = card.others.iter().filter(|group| group.kind == kind);
    let count: u64 = groups.map(|group| group.count).sum();
    (count >= UNREAPED).then(|| format!("{count} {what}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fdscope_model::FdNumber;
    use fdscope_model::card::Inherited;
    use fdscope_model::process::GroupCount;

    fn group(kind: HandleKind, pattern: &str, count: u64) -> CardGroup {
        let (lowest, highest) = (FdNumber(3), FdNumber(3 + count as u32));
        let pattern = pattern.into();
        CardGroup {
            kind,
            state: None,
            pattern,
            count,
            lowest,
            highest,
            deleted: false,
            held_bytes: 0,
        }
    }

    fn check(card: &Card, expected: &[&str]) {
        assert_eq!(signs(card), expected);
    }

    #[test]
    fn a_healthy_process_has_no_sign() {
        let nofile = Limit { name: LimitName::Nofile, value: 1024, used: 30 };
        let sandbox = Limit { name: LimitName::Nproc, value: 0, used: 3 };
        let groups = vec![group(HandleKind::File, "/a", 20), group(HandleKind::Socket, "tcp", 9)];
        check(&Card { groups, limits: vec![nofile, sandbox], ..Card::default() }, &[]);
    }

    #[test]
    fn each_sign_has_its_numbers() {
        let nofile = Limit { name: LimitName::Nofile, value: 1024, used: 1000 };
        let closing = CardGroup {
            state: Some(SocketState::CloseWait),
            ..group(HandleKind::Socket, "tcp *->10.0.0.2:443", 600)
        };
        let deleted = CardGroup {
            deleted: true,
            held_bytes: 4096,
            ..group(HandleKind::File, "/data-*.log (deleted)", 1)
        };
        let inherited = Some(Inherited { looked_at: 256, inherited: 250 });
        let zombies =
            GroupCount { kind: HandleKind::Zombie, group: "sh".into(), count: 7, fresh: None };
        check(
            &Card {
                groups: vec![closing, deleted],
                limits: vec![nofile],
                others: vec![zombies],
                inherited,
                ..Card::default()
            },
            &[
                "RLIMIT_NOFILE is used to 97 %: 1000 of 1024.",
                "600 sockets in close-wait (tcp *->10.0.0.2:443): the other side closed them, and this \
                 one does not.",
                "1 deleted file is open and keeps 4096 bytes on disk.",
                "250 of 256 descriptors above 2 that were looked at lack close-on-exec: every program that it \
                 starts inherits them.",
                "7 zombies: children that ended and that it never waits for.",
            ],
        );
        check(
            &Card { groups: vec![group(HandleKind::File, "/etc/passwd", 150)], ..Card::default() },
            &["150 files are alike (/etc/passwd): 100 % of all descriptors."],
        );
        let few = Some(Inherited { looked_at: 40, inherited: 9 });
        check(&Card { inherited: few, ..Card::default() }, &[]);
        check(
            &Card { state: b'Z', parent_comm: "sh".into(), threads: 1, ..Card::default() },
            &["It has ended and holds nothing: its parent, 0 (sh), has not waited for it."],
        );
    }
}
