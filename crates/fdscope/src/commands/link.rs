//! `fdscope link`: the interfaces of this network namespace, and changing one.

use std::io::Write;

use anyhow::Result;
use fdscope_analyze::{link_notes, offload_notes, path_notes};
use fdscope_model::Blind;
use fdscope_model::link::{Link as Interface, LinkReport};
use fdscope_proc::ProcRoot;
use fdscope_proc::net::link_message::LinkChange;
use fdscope_proc::net::links::{change_link, read_links, read_offloads, read_path_mtus};
use fdscope_render::json::links as json;
use fdscope_render::mistake::nearest;
use fdscope_render::text::links as text;
use fdscope_render::units::count_of;
use fdscope_sys::clock::wall_now_ns;
use rustix::io::Errno;

use crate::Done;
use crate::args::{Link, LinkCommand};
use crate::ending::{Ending, Failure};
use crate::{machine, terminal};

/// Runs the command.
pub fn run(arguments: &Link) -> Done {
    match &arguments.command {
        Some(LinkCommand::Set { name, changes }) => set(name, changes),
        None => show(arguments),
    }
}

fn show(arguments: &Link) -> Done {
    let proc = ProcRoot::open()?;
    let mut links = read()?;
    let chosen: Vec<u32> = arguments
        .names
        .iter()
        .map(|name| find(&links, name).map(|link| link.index))
        .collect::<Result<_, Failure>>()?;
    proc.read_drivers(&mut links);
    read_offloads(&mut links);
    let hidden = proc.read_tun_owners(&mut links)?;
    let mut notes = link_notes(&links);
    let mut blind = Vec::new();
    match read_path_mtus() {
        Ok(paths) => notes.extend(path_notes(&links, &paths)),
        Err(error) => blind.push(Blind {
            what: "paths that take less than their interface".to_owned(),
            why: error.to_string(),
            cure: None,
        }),
    }
    let mut report = LinkReport { notes, links, blind };
    if hidden > 0 {
        report.blind.push(Blind {
            what: format!(
                "tun and tap descriptors of {}",
                count_of(hidden, "process", "processes")
            ),
            why: "not permitted".to_owned(),
            cure: Some("run it with sudo".to_owned()),
        });
    }
    if !chosen.is_empty() {
        let names: Vec<String> = arguments.names.iter().map(|name| format!("{name} ")).collect();
        report
            .notes
            .retain(|note| names.iter().any(|name| format!("{note} ").contains(name.as_str())));
        report.links.retain(|link| chosen.contains(&link.index));
        // Of all at once they would say the same of each.
        for (link, offloads) in report.links.iter().filter_map(|l| Some((l, l.offloads?))) {
            let notes = offload_notes(offloads).into_iter();
            report.notes.extend(notes.map(|note| format!("{}: {note}", link.name)));
        }
    }
    let mut out = std::io::stdout().lock();
    let page = if arguments.json {
        json::links(&report, &machine::typed_command(), &machine::describe(), wall_now_ns())
    } else {
        text::links(&report, terminal::form(arguments.color))
    };
    out.write_all(page.as_bytes())?;
    out.flush()?;
    Ok(Ending::Done)
}

fn read() -> Result<Vec<Interface>, Failure> {
    read_links().map_err(|error| {
        Failure::new(Ending::Failed, format!("failed to list interfaces by rtnetlink: {error}"))
    })
}

/// The interface with this name, or the nearest word.
fn find<'a>(links: &'a [Interface], name: &str) -> Result<&'a Interface, Failure> {
    if let Some(link) = links.iter().find(|link| link.name.bytes() == name.as_bytes()) {
        return Ok(link);
    }
    let names: Vec<String> = links.iter().map(|link| link.name.to_string()).collect();
    let shown = fdscope_model::Name::from(name);
    let failure = Failure::new(Ending::Usage, format!("there is no interface {shown}"));
    Err(match nearest(name, names.iter().map(String::as_str)) {
        Some(word) => failure.cure(format!("did you mean {word}?")),
        None => failure.cure(format!("there are {}", names.join(", "))),
    })
}

fn set(name: &str, changes: &[String]) -> Done {
    let change = parse_changes(changes)?;
    let links = read()?;
    let link = find(&links, name)?;
    if let Some(mtu) = change.mtu {
        check_mtu(link, mtu)?;
    }
    change_link(link.index, change).map_err(|error| refused(link, changes, error))?;
    Ok(Ending::Done)
}

fn parse_changes(words: &[String]) -> Result<LinkChange, Failure> {
    let wrong = |what: String| {
        Failure::new(Ending::Usage, what).cure("fdscope link set LINK mtu N, up or down")
    };
    let mut change = LinkChange::default();
    let mut words = words.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "up" => change.up = Some(true),
            "down" => change.up = Some(false),
            "mtu" => {
                let value = words.next().ok_or_else(|| wrong("mtu needs a number".to_owned()))?;
                let mtu = value.parse().map_err(|_| wrong(format!("{value:?} is no MTU")))?;
                change.mtu = Some(mtu);
            }
            other => return Err(wrong(format!("{other:?} is none of mtu, up, down"))),
        }
    }
    Ok(change)
}

/// Refuses before the kernel does, which says only "invalid argument".
fn check_mtu(link: &Interface, mtu: u32) -> Result<(), Failure> {
    let least = link.min_mtu.unwrap_or(0);
    let most = link.max_mtu.unwrap_or(i32::MAX as u32);
    if (least..=most).contains(&mtu) {
        return Ok(());
    }
    let driver = link.kind.as_ref().or(link.driver.as_ref());
    let driver = driver.map_or_else(String::new, |driver| format!(" ({driver})"));
    Err(Failure::new(
        Ending::Usage,
        format!("{} takes an MTU from {least} to {most}, not {mtu}", link.name),
    )
    .cure(format!("that is the range of its driver{driver}; it has {} now", link.mtu)))
}

fn refused(link: &Interface, changes: &[String], error: Errno) -> Failure {
    let name = &link.name;
    match error {
        Errno::PERM | Errno::ACCESS => Failure::new(
            Ending::NotPermitted,
            format!(
                "not permitted to change {name}: it needs CAP_NET_ADMIN in this network namespace"
            ),
        )
        .cure(format!("sudo fdscope link set {name} {}", changes.join(" "))),
        error => {
            Failure::new(Ending::Failed, format!("the kernel refused to change {name}: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_words() {
        let check = |words: &str, expected: Option<(Option<u32>, Option<bool>)>| {
            let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
            let found = parse_changes(&words).ok().map(|change| (change.mtu, change.up));
            assert_eq!(found, expected, "{words:?}");
        };
        check("mtu 1400", Some((Some(1400), None)));
        check("up", Some((None, Some(true))));
        check("mtu 9000 down", Some((Some(9000), Some(false))));
        check("mtu", None);
        check("mtu -1", None);
        check("sideways", None);
    }
}
