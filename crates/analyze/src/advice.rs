//! What to do, in one sentence: by the kind, how its handles are released, and what the names betray.

use fdscope_model::{HandleKind, Level};

use crate::case::Case;
use crate::prose::{about, count, duration_ns};

/// How handles of a kind are given back, for the sentence of advice.
struct Cure {
    kind: HandleKind,
    release: &'static str,
}

macro_rules! cures {
    ($($kind:ident $release:literal;)*) => {
        const CURES: &[Cure] = &[$(Cure { kind: HandleKind::$kind, release: $release }),*];
    };
}

cures! {
    Thread "join or detach it, and tell its loop to quit (a HandlerThread or looper: quitSafely)";
    UnjoinedThread "call pthread_join, or create it detached (pthread_detach)";
    Child "wait for it (waitpid), or ignore SIGCHLD";
    Zombie "wait for it (waitpid), or ignore SIGCHLD so that the kernel reaps it";
    Mapping "munmap it, or free what maps it";
    Timer "call timer_delete";
    Watch "call inotify_rm_watch, or close the inotify descriptor";
    Registration "remove it with epoll_ctl(EPOLL_CTL_DEL), or close the descriptor registered";
    Directory "call closedir, or close it";
    Pipe "close both ends in every process that has them";
    Memfd "close it; mappings keep its memory as well";
}

fn release(kind: HandleKind) -> &'static str {
    CURES.iter().find(|cure| cure.kind == kind).map_or("close it", |cure| cure.release)
}

/// The advice for a case that the rules gave `level`. `closer` names who closes siblings, `name` an example.
pub(crate) fn advice(case: &Case<'_>, level: Level, closer: Option<&str>, name: &[u8]) -> String {
    match level {
        Level::Steady | Level::Bounded => "Nothing to do.".to_owned(),
        Level::TooSoon if case.ended() => {
            "Run it longer, or attach to it while it works.".to_owned()
        }
        Level::TooSoon => format!("Watch for about {} more.", about(case.known_in_s())),
        Level::Suspect | Level::Leak => cure(case, closer, name),
    }
}

fn cure(case: &Case<'_>, closer: Option<&str>, name: &[u8]) -> String {
    let facts = case.facts;
    if facts.kind == HandleKind::Socket && says_close_wait(name) {
        return "The peer has closed (CLOSE_WAIT): close the socket when read returns 0 or an error."
            .to_owned();
    }
    if let (true, Some(median)) = (case.siblings_die(), facts.ages.quantile_ns(0.5)) {
        let by = closer.map_or(String::new(), |closer| format!(" by {closer}"));
        return format!(
            "A path misses its release: of {} made here {} were released within {}{by}, these {} were not; \
             look at early returns and errors after this line.",
            count(facts.acquired),
            count(facts.released),
            duration_ns(facts.ages.quantile_ns(0.999).unwrap_or(median)),
            count(case.overdue() as u64),
        );
    }
    if facts.released == 0 && case.turnover.closed == 0 {
        return format!("Nobody releases these: when its use ends, {}.", release(facts.kind));
    }
    format!("Some are never released: when its use ends, {}.", release(facts.kind))
}

/// `ss` and the kernel write CLOSE-WAIT and CLOSE_WAIT.
fn says_close_wait(name: &[u8]) -> bool {
    name.windows(10).any(|part| part == b"CLOSE_WAIT" || part == b"CLOSE-WAIT")
}
