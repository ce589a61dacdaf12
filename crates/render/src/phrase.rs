//! How people speak of each kind of handle: what a program does to get one, and what it fails to do.

use fdscope_model::HandleKind;

/// The words of a kind, for sentences like "`f` opens 3.0 files/s that are never closed: 140 open".
pub struct Phrase {
    /// One of them: "file".
    pub one: &'static str,
    /// Several: "files".
    pub many: &'static str,
    /// What a site does: "opens".
    pub verb: &'static str,
    /// What it did: "opened".
    pub past: &'static str,
    /// What should become of them: "closed".
    pub gone: &'static str,
    /// What they are until then: "open".
    pub alive: &'static str,
}

impl Phrase {
    /// What a leak's handles do: "are never closed".
    pub fn never(&self) -> String {
        match self.gone {
            "ended" => "never end".to_string(),
            gone => format!("are never {gone}"),
        }
    }

    /// What a leak's handles do that the process's end releases: "are closed only at its end".
    pub fn only_at_the_end(&self) -> String {
        match self.gone {
            "ended" => "end only when it does".to_string(),
            gone => format!("are {gone} only at its end"),
        }
    }

    /// What a suspect's handles do: "were not seen closed".
    pub fn not_seen(&self) -> String {
        match self.gone {
            "ended" => "were not seen to end".to_string(),
            gone => format!("were not seen {gone}"),
        }
    }

    /// Of all of them: "not one was closed".
    pub fn not_one(&self) -> String {
        match self.gone {
            "ended" => "not one ended".to_string(),
            gone => format!("not one was {gone}"),
        }
    }
}

const DESCRIPTOR: Phrase = Phrase {
    one: "descriptor",
    many: "descriptors",
    verb: "opens",
    past: "opened",
    gone: "closed",
    alive: "open",
};

const CREATED: Phrase = Phrase { verb: "creates", past: "created", ..DESCRIPTOR };

/// The phrase of `kind`: a row for what is not a descriptor, else the kind's own nouns with "opens … closed".
pub fn phrase(kind: HandleKind) -> Phrase {
    use HandleKind as Kind;
    let row = |one, many, verb, past, gone, alive| Phrase { one, many, verb, past, gone, alive };
    match kind {
        Kind::Thread => row("thread", "threads", "starts", "started", "ended", "alive"),
        Kind::UnjoinedThread => {
            row("exited thread", "exited threads", "leaves", "left", "joined", "unjoined")
        }
        Kind::Child => {
            row("child process", "child processes", "starts", "started", "waited for", "unreaped")
        }
        Kind::Zombie => row("zombie", "zombies", "leaves", "left", "waited for", "unreaped"),
        Kind::Mapping => row("mapping", "mappings", "maps", "mapped", "unmapped", "mapped"),
        Kind::Timer => row("timer", "timers", "creates", "created", "deleted", "alive"),
        Kind::Watch => row("watch", "watches", "adds", "added", "removed", "in place"),
        Kind::Registration => {
            row("epoll registration", "epoll registrations", "adds", "added", "removed", "in place")
        }
        Kind::UnknownDescriptor | Kind::OtherDescriptor => DESCRIPTOR,
        Kind::EventFd
        | Kind::TimerFd
        | Kind::SignalFd
        | Kind::Epoll
        | Kind::Inotify
        | Kind::Fanotify
        | Kind::Memfd
        | Kind::UserFaultFd
        | Kind::IoUring
        | Kind::Pipe => Phrase { one: one(kind), many: kind.plural(), ..CREATED },
        _ => Phrase { one: one(kind), many: kind.plural(), ..DESCRIPTOR },
    }
}

/// The singular: the kind's plural without its "s", which holds for every kind without a row of its own.
fn one(kind: HandleKind) -> &'static str {
    match kind {
        HandleKind::Directory => "directory",
        HandleKind::DmaBuf => "dma-buf",
        _ => kind.plural().strip_suffix('s').unwrap_or(kind.word()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_singular_and_a_plural() {
        for kind in HandleKind::all() {
            let Phrase { one, many, .. } = phrase(kind);
            let regular = format!("{one}s") == many
                || format!("{one}es") == many
                || one.strip_suffix('y').is_some_and(|stem| format!("{stem}ies") == many);
            assert!(regular, "{one} / {many}");
        }
    }
}
