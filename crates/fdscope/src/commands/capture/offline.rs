//! Packets of files: `-r` and `-V`.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufReader, Read};

use anyhow::{Result, anyhow};
use fdscope_packet::file::{FileError, Reader};
use fdscope_packet::link::LinkType;

use super::filter::Filter;
use super::opening::drop_privileges;
use super::options::{Guise, Options};
use super::screen::Screen;
use super::sink::{Sink, Written};
use super::{printer, say};
use crate::ending::Ending;

type Source = Reader<BufReader<Box<dyn Read>>>;

/// Reads the files that were named.
pub fn run(options: &Options, guise: Guise) -> Result<Ending> {
    let mut names = names(options)?.into_iter();
    let first = names.next().ok_or_else(|| {
        anyhow!("Nothing in {}\n", options.read_list.clone().unwrap_or_default().to_string_lossy())
    })?;
    let mut source = open(&first)?;
    let mut head = source.head();
    announce(&first, &source);
    if head.link == LinkType::LINUX_SLL2 {
        say("Warning: interface names might be incorrect");
    }
    let mut filter = Filter::new(options, guise, head.link, head.snap_length)?;
    if filter.told(options)? {
        return Ok(Ending::Done);
    }
    if let Some(user) = options.user.as_ref().filter(|_| rustix::process::geteuid().is_root()) {
        drop_privileges(user)?;
    }
    let mut screen = Screen::new(printer(options), options);
    let mut sink = match &options.write {
        Some(path) => Some(Sink::open(
            options,
            path,
            head.link,
            head.snap_length,
            b"",
            fdscope_sys::clock::wall_now_ns() as i64 / 1_000_000_000,
        )?),
        None => None,
    };
    let mut run = Run { options, shown: 0, matched: 0 };
    let mut failure = None;
    loop {
        match run.file(&mut source, &filter, &mut screen, sink.as_mut()) {
            Ok(()) => {}
            Err(error) if error.is::<FileError>() => failure = Some(error),
            Err(error) => return Err(error),
        }
        screen.flush()?;
        if let Some(error) = &failure {
            say(&format!("{}: pcap_loop: {error:#}", guise.program()));
        }
        let Some(name) = names.next() else { break };
        source = open(&name)?;
        if source.head().link != head.link {
            anyhow::ensure!(
                sink.is_none(),
                "{}: new dlt does not match original",
                name.to_string_lossy()
            );
            head = source.head();
            filter = Filter::new(options, guise, head.link, head.snap_length)?;
        }
        announce(&name, &source);
    }
    if let Some(sink) = &mut sink {
        sink.finish(None)?;
    }
    if options.only_count {
        let plural = if run.matched == 1 { "" } else { "s" };
        screen.line(format!("{} packet{plural}\n", run.matched).as_bytes())?;
        screen.flush()?;
    }
    Ok(if failure.is_some() { Ending::Failed } else { Ending::Done })
}

struct Run<'a> {
    options: &'a Options,
    shown: u64,
    matched: u64,
}

impl Run<'_> {
    fn file(
        &mut self,
        source: &mut Source,
        filter: &Filter,
        screen: &mut Screen,
        mut sink: Option<&mut Sink>,
    ) -> Result<()> {
        let mut of_file = 0;
        while let Some(record) = source.record()? {
            if !filter.accepts(&record.packet, None) {
                continue;
            }
            self.matched += 1;
            of_file += 1;
            if let Some(sink) = &mut sink
                && sink.packet(&record.packet, record.comment, record.packet.time)?
                    == Written::Enough
            {
                break;
            }
            if (sink.is_none() || self.options.print) && !self.options.only_count {
                self.shown += 1;
                screen.packet(&record.packet, self.shown, record.comment)?;
            }
            if self.options.count.is_some_and(|most| of_file >= most) {
                break;
            }
        }
        Ok(())
    }
}

/// The files to read, in turn.
fn names(options: &Options) -> Result<Vec<OsString>> {
    if let Some(name) = &options.read {
        return Ok(vec![name.clone()]);
    }
    let Some(list) = &options.read_list else { return Ok(Vec::new()) };
    let mut bytes = Vec::new();
    if list == "-" {
        io::stdin().read_to_end(&mut bytes)?;
    } else {
        let mut file =
            File::open(list).map_err(|e| anyhow!("Unable to open file: {}\n", sentence(&e)))?;
        file.read_to_end(&mut bytes)?;
    }
    use std::os::unix::ffi::OsStringExt;
    let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    Ok(lines.map(|line| OsString::from_vec(line.to_vec())).collect())
}

fn open(name: &OsStr) -> Result<Source> {
    let shown = name.to_string_lossy().into_owned();
    let source: Box<dyn Read> = if name == "-" {
        Box::new(io::stdin())
    } else {
        Box::new(File::open(name).map_err(|e| anyhow!("{shown}: {}", sentence(&e)))?)
    };
    Reader::new(BufReader::with_capacity(256 * 1024, source)).map_err(|error| match error {
        FileError::Io(error) => anyhow!("error reading dump file: {}", sentence(&error)),
        other => anyhow!("{other}"),
    })
}

/// A failure of a system call as the C library words it.
fn sentence(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn announce(name: &OsStr, source: &Source) {
    let head = source.head();
    let link = super::link_words(head.link);
    let name = fdscope_model::Name::from(name.as_encoded_bytes().to_vec());
    say(&format!(
        "reading from file {name}, link-type {link}, snapshot length {}",
        head.snap_length
    ));
}
