//! `fdscope PID|NAME`: one process on one screen.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use clap::CommandFactory;
use fdscope_analyze::signs::signs;
use fdscope_model::card::{Card, CardGroup};
use fdscope_model::{Fault, Pid, Process, SocketState};
use fdscope_proc::ProcRoot;
use fdscope_render::card::{self as text, Beside};
use fdscope_render::json::card as json;
use fdscope_render::radar::Order;
use fdscope_sys::clock::wall_now_ns;

use crate::Done;
use crate::args::{Arguments, Color, Ps, Span};
use crate::commands::ps;
use crate::ending::{Ending, Failure};
use crate::past::Past;
use crate::{machine, target, terminal};

/// Runs the command: a card for each process that the target names.
pub fn run(target: &str, is_json: bool, color: Color) -> Done {
    let root = ProcRoot::open()?;
    let processes = find(&root, target)?;
    let users = root.users();
    let mut paper = Paper::new(color);
    target::each_living(&processes, |process| {
        let pid = process.id.pid;
        let card = read(&root, pid)?;
        let mut beside = Beside {
            user: users.get(&card.process.uid).cloned(),
            now_ns: wall_now_ns(),
            signs: signs(&card),
            next: None,
        };
        beside.next = Some(next(&card, &beside));
        match is_json {
            true => print(&json::card(&card, &beside, &machine::describe()))?,
            false => paper.put(&card, &beside)?,
        }
        Ok(Ending::Done)
    })
}

/// Cards as text, one below the other.
struct Paper {
    color: Color,
    gap: &'static str,
}

impl Paper {
    fn new(color: Color) -> Self {
        Paper { color, gap: "" }
    }

    fn put(&mut self, card: &Card, beside: &Beside) -> Result<()> {
        let page = text::page(card, beside, terminal::form(self.color));
        print(&format!("{}{page}", self.gap))?;
        self.gap = "\n";
        Ok(())
    }
}

fn print(text: &str) -> Result<()> {
    Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
}

/// A recording with more processes than this is shown as a table of them.
const MOST_CARDS: usize = 8;

/// A card for each process of a recording; of many, their table.
pub fn of_recording(file: &str, span: &Span, is_json: bool, color: Color) -> Done {
    let past = Past::open(file, span)?;
    let pids = past.pids();
    if pids.len() > MOST_CARDS {
        let ps = Ps {
            pattern: None,
            sort: Order::Danger,
            top: None,
            watch: None,
            interval: None,
            limits: false,
            json: is_json,
            color,
            span: span.clone(),
        };
        return ps::of_recording(&ps, file);
    }
    past.say(&[]);
    let mut paper = Paper::new(color);
    for pid in pids {
        let card = past.card(pid);
        let uid = card.process.uid;
        let mut beside = Beside {
            user: past.users().name(uid).cloned(),
            now_ns: past.wall_ns(),
            signs: signs(&card),
            next: None,
        };
        if is_json {
            print(&json::card(&card, &beside, past.machine()))?;
            continue;
        }
        let why = "which of this leaks, and from which line".to_owned();
        let next = || (format!("fdscope leak {file}"), why);
        beside.next = std::io::stdout().is_terminal().then(next);
        paper.put(&card, &beside)?;
    }
    Ok(Ending::Done)
}

/// The processes of that name, or why there is none: the word may have been meant as a command.
fn find(root: &ProcRoot, typed: &str) -> Result<Vec<Process>> {
    target::resolve(root, &[typed.to_owned()]).map_err(|error| {
        let nearest = nearest_command(typed);
        match (error.downcast::<Failure>(), nearest) {
            (Ok(failure), Some(word)) if failure.ending == Ending::TargetGone => failure
                .cure(format!("if a command was meant: the nearest is `fdscope {word}`"))
                .into(),
            (Ok(failure), _) => failure.into(),
            (Err(error), _) => error,
        }
    })
}

fn read(root: &ProcRoot, pid: Pid) -> Result<Card> {
    root.card(pid).map_err(|error| {
        if error.is_gone() {
            Failure::new(Ending::TargetGone, error.to_string()).into()
        } else {
            error.into()
        }
    })
}

/// The command that is spelt most like a word, if one is but two letters away.
fn nearest_command(word: &str) -> Option<String> {
    let commands = Arguments::command();
    let names = commands.get_subcommands().filter(|command| !command.is_hide_set());
    names
        .map(|command| (distance(word, command.get_name()), command.get_name().to_owned()))
        .min()
        .filter(|(distance, _)| *distance <= 2)
        .map(|(_, name)| name)
}

/// Letters to change, add or leave out (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let changed = corner + usize::from(x != *y);
            corner = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(corner + 1);
        }
    }
    row[b.len()]
}

/// The one next command worth running: about the gravest of what was seen.
fn next(card: &Card, beside: &Beside) -> (String, String) {
    let pid = card.process.id.pid;
    let root = rustix::process::geteuid().is_root();
    let is_refused = |fault: &Fault| fault.cause == "permission denied";
    let closing = |group: &&CardGroup| group.state == Some(SocketState::CloseWait);
    let all: u64 = card.groups.iter().map(|group| group.count).sum();
    let closing: u64 = card.groups.iter().filter(closing).map(|group| group.count).sum();
    let held: u64 = card.groups.iter().map(|group| group.held_bytes).sum();
    let (command, why) = if card.state == b'Z' && card.threads < 2 {
        (format!("fdscope {}", card.process.parent), "its parent, who has to wait for it")
    } else if !root && card.faults.iter().any(is_refused) {
        (format!("sudo fdscope {pid}"), "shows what it holds")
    } else if closing * 2 > all {
        let command = format!("fdscope ls {pid} --state close-wait --group-by peer");
        (command, "who closed, and how often")
    } else if beside.signs.is_empty() {
        (format!("fdscope proc {pid}"), "all that /proc says of it, with names and units")
    } else if beside.signs.len() == 1 && held > 0 {
        (format!("fdscope ls {pid} --deleted -o +size"), "which files keep how much")
    } else {
        (format!("fdscope leak {pid}"), "watches it and names the code that leaks")
    };
    (command, why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_misspelt_is_told() {
        let check = |word: &str, expected: Option<&str>| {
            assert_eq!(nearest_command(word).as_deref(), expected, "{word}");
        };
        check("lek", Some("leak"));
        check("docter", Some("doctor"));
        check("nginx", None);
    }
}
