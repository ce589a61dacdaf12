//! `fdscope capture`, and fdscope called by the name `tcpdump`: packets of interfaces and files, in tcpdump's words.
//!
//! [`options`] is what can be typed, [`filter`] what is wanted, [`offline`] reads files, [`live`] interfaces, [`owners`]
//! knows whose packets they are by what the [`surveyor`] found ([`late`]: packets that wait for that), [`threads`] who sent them,
//! [`watch`] which sockets leak, [`lifecycle`] which connections nobody closes, [`note`] puts that into words, [`sink`] writes files, [`screen`] lines. Layers and lines are `fdscope-packet`'s.

mod block;
mod devices;
mod expression;
mod filter;
mod late;
mod lifecycle;
mod live;
mod note;
mod offline;
mod opening;
mod options;
mod owners;
mod screen;
mod sink;
mod surveyor;
mod threads;
mod watch;
mod whose;

use std::ffi::OsString;
use std::io::Write;

use fdscope_packet::link::LinkType;
use fdscope_packet::print::{self, Names, Printer};

use crate::Done;
use crate::ending::Ending;
pub use options::Guise;
use options::{Instead, Options, Refused};

/// Runs the arguments.
pub fn run(arguments: Vec<OsString>, guise: Guise) -> Done {
    let options = match Options::read(arguments, guise) {
        Ok(options) => options,
        Err(Refused::Usage(why)) => {
            say(&why);
            say(&usage(guise));
            return Ok(Ending::AsCommand(1));
        }
        Err(Refused::Error(why)) => return Ok(failed(guise, &why)),
    };
    let done = match options.instead {
        Some(instead) => self::instead(instead, &options, guise),
        None if options.read.is_some() || options.read_list.is_some() => {
            offline::run(&options, guise)
        }
        None => live::run(&options, guise),
    };
    match done {
        Ok(ending) => Ok(ending),
        Err(error) if is_closed_pipe(&error) => Ok(Ending::Done),
        Err(error) => Ok(failed(guise, &format!("{error:#}"))),
    }
}

/// What tcpdump does not have.
const HELP: &str = "
All of these but the following are tcpdump's; docs/capture.md tells more.
  --leaked-by PID|NAME   only packets of sockets that were opened where descriptors leak, from their first packet on
  --watch PID|NAME       with each packet, where the process opened its socket
  --lifecycle            only SYN, FIN, RST and changes of states; tells which connections one side has not closed, and since when
  --owners, --no-owners  whose packets they are, or not
  --explain              which part of the expression runs where
  --pcapng               writes pcapng, with owners as comments (so does -w FILE.pcapng)
  --promiscuous          packets for others too; not unless asked for
The expression may have words about processes: pid N, name TEXT, fd N, state WORD, cgroup TEXT, age >10s, age <5m.
  fdscope capture -i any tcp and name nginx and not port 22
  fdscope capture -i any --leaked-by nginx -w leaked.pcapng
  fdscope capture -i any --lifecycle --watch 4123
";

/// What is printed instead of packets.
fn instead(instead: Instead, options: &Options, guise: Guise) -> Done {
    let mut out = std::io::stdout().lock();
    match instead {
        Instead::Help if guise == Guise::Capture => write!(out, "{}\n{HELP}", usage(guise))?,
        Instead::Help => writeln!(out, "{}", usage(guise))?,
        Instead::Version => writeln!(out, "{}", version(guise))?,
        // These two go to the standard error there, too.
        Instead::TimeStampTypes => {
            let device = devices::Device::find(options.interface.as_deref())?;
            let name = device.name;
            say(&format!("Time stamp types for {name} (use option -j to set):\n  host (Host)"));
        }
        Instead::Interfaces => {
            drop(out);
            devices::list()?;
        }
        Instead::LinkTypes => {
            let device = devices::Device::find(options.interface.as_deref())?;
            let cooked = (device.index == 0).then_some(LinkType::LINUX_SLL);
            let links = cooked.into_iter().chain([device.link]);
            let links: String = links.map(|link| format!("\n  {}", link_words(link))).collect();
            say(&format!("Data link types for {} (use option -y to set):{links}", device.name));
        }
    }
    Ok(Ending::Done)
}

fn version(guise: Guise) -> String {
    format!("{} version 4.99 (fdscope {})", guise.program(), env!("CARGO_PKG_VERSION"))
}

fn usage(guise: Guise) -> String {
    let program = guise.program();
    let head = if guise == Guise::Tcpdump { version(guise) + "\n" } else { String::new() };
    let pad = " ".repeat(program.len() + 7);
    format!(
        "{head}Usage: {program} [-AbdDefhHIJKlLnNOpqStuUvxX#] [ -B size ] [ -c count ] [--count]\n\
         {pad}[ -C file_size ] [ -F file ] [ -G seconds ] [ -i interface ]\n\
         {pad}[ --immediate-mode ] [ --number ] [ --print ] [ --promiscuous ]\n\
         {pad}[ -Q in|out|inout ] [ -r file ] [ -s snaplen ] [ --micro ] [ --nano ]\n\
         {pad}[ -V file ] [ -w file ] [ --pcapng ] [ -W filecount ] [ -y datalinktype ]\n\
         {pad}[ -z postrotate-command ] [ -Z user ] [ --owners | --no-owners ]\n\
         {pad}[ --explain ] [ --lifecycle ] [ --leaked-by process ]\n\
         {pad}[ --watch process ] [ expression ]"
    )
}

fn failed(guise: Guise, why: &str) -> Ending {
    let why = without_number(why);
    let end = if why.ends_with('\n') { "" } else { "\n" };
    // Nothing is left to be done if even this cannot be printed.
    let _unprintable = write!(std::io::stderr(), "{}: {why}{end}", guise.program());
    Ending::AsCommand(1)
}

/// A failure as the C library words it: Rust adds the number of the error.
fn without_number(why: &str) -> String {
    let mut words = String::new();
    let mut rest = why;
    while let Some((before, after)) = rest.split_once(" (os error ") {
        words.push_str(before);
        rest = after.split_once(')').map_or("", |(_, behind)| behind);
    }
    words + rest
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
}

/// A line for the person; nothing is left to be done if it cannot be printed.
fn say(line: &str) {
    let _unprintable = writeln!(std::io::stderr(), "{line}");
}

/// A link type as tcpdump tells it.
fn link_words(link: LinkType) -> String {
    match link.name() {
        Some((name, description)) => format!("{name} ({description})"),
        None => link.dlt().to_string(),
    }
}

/// What prints packets, as the options ask.
fn printer(options: &Options) -> Printer {
    let (dump, dump_link) = options.dump();
    let file = |path| std::fs::read(path).unwrap_or_default();
    let names = (options.numeric == 0)
        .then(|| Names::parse(&file("/etc/services"), &file("/etc/protocols")));
    let options = print::Options {
        verbose: options.verbose,
        quiet: options.quiet,
        link_header: options.link_header,
        absolute: options.absolute,
        unchecked: options.unchecked,
        dump,
        dump_link,
        time: options.time,
        nanos: options.nanos,
        numbered: options.numbered,
        no_default_dump: options.quiet > 0 || options.hex > 0 || options.hex_text > 0,
        names,
        interfaces: Vec::new(),
    };
    Printer::new(options, fdscope_sys::zone::offset_s)
}
