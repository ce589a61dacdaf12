//! From inventories to bytes: the one that the program feeds and reads.

use fdscope_model::inventory::End;
use fdscope_model::{
    Access, Association, Entry, Facts, Fault, FdNumber, HandleKind, Inventory, Name, Pid, Process,
    Tid,
};

use crate::fields;
use crate::file::{Locked, OpenFile, open_file, sentence};
use crate::json;
use crate::options::{Endpoints, Options, Output, SizeColumn};
use crate::safe::Charset;
use crate::select::{Marks, Selection};
use crate::show::Show;
use crate::spec::descriptor::FdKind;
use crate::table::Table;
use crate::world::World;

/// Whose files are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who<'a> {
    pub process: &'a Process,
    pub group: Pid,
    pub task: Option<(Tid, &'a Name)>,
}

/// What must be read for the options to be answered, and no more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "a set, whose members are named where they are asked for"
)]
pub struct Needs {
    /// Descriptors.
    pub descriptors: bool,
    /// Working directory, root directory, program.
    pub places: bool,
    /// Mapped files.
    pub mappings: bool,
    /// What the file system says: type, size, links, inode.
    pub status: bool,
    /// Offsets and flags.
    pub fdinfo: bool,
    /// Access letters.
    pub access: bool,
    /// What kinds tell in fdinfo: numbers of eventfds, targets of epoll.
    pub facts: bool,
    /// Locks.
    pub locks: bool,
    /// Addresses and states of sockets.
    pub sockets: bool,
    /// The kernel's text tables of sockets: [`World::listed`].
    pub tables: bool,
    /// Who holds other ends.
    pub ends: bool,
}

/// What selects sockets and nothing else.
const SOCKETS: Marks = Marks::ADDRESS.with(Marks::NETWORK).with(Marks::UNIX);

impl Options {
    /// True if nothing but sockets can be selected: by themselves, or with all else that is asked for.
    pub(crate) fn sockets_only(&self) -> bool {
        let wanted = self.wanted();
        wanted.meets(SOCKETS) && (self.and || SOCKETS.has(wanted))
    }

    /// What must be read.
    pub fn needs(&self) -> Needs {
        let wanted = self.wanted();
        let sockets_only = self.sockets_only();
        let list = self.descriptors.as_ref().filter(|_| self.and || wanted == Marks::DESCRIPTOR);
        let may = |sort: fn(FdKind) -> bool| list.is_none_or(|list| list.may_select(sort));
        let mappings =
            !sockets_only && may(|kind| matches!(kind, FdKind::Memory | FdKind::Deleted));
        let is_place = |kind| matches!(kind, FdKind::Cwd | FdKind::Root | FdKind::Text);
        let terse = self.output == Output::Terse;
        let shows = |id: u8| match self.output {
            Output::Table => true,
            Output::Terse => false,
            _ => self.fields.has(id),
        };
        let by_file =
            [Marks::NAME, Marks::LINKS, Marks::NFS].into_iter().any(|mark| wanted.has(mark));
        let status = by_file || [b't', b'D', b'r', b's', b'i', b'k'].into_iter().any(shows);
        Needs {
            descriptors: may(|kind| matches!(kind, FdKind::Number(_) | FdKind::NoFd)),
            // Of the mapped files, the program is left out.
            places: !sockets_only && (mappings || may(is_place)),
            mappings,
            status: status && !sockets_only,
            fdinfo: shows(b'o') && self.size_column != SizeColumn::Size
                || shows(b'G') && self.shows_flags(),
            access: shows(b'a'),
            facts: shows(b'n') && !sockets_only,
            locks: shows(b'l'),
            sockets: !terse || wanted.meets(SOCKETS) || wanted.has(Marks::NAME),
            tables: !terse
                && (wanted.is_empty() || !Marks::ADDRESS.with(Marks::NETWORK).has(wanted)),
            ends: self.endpoints != Endpoints::No,
        }
    }
}

/// The run: it takes inventories and gives bytes.
#[derive(Debug)]
pub struct Listing<'a> {
    show: Show<'a>,
    selection: Selection<'a>,
    table: Table,
    out: Vec<u8>,
    /// Processes listed in this round.
    listed: u64,
    last_terse: Option<Pid>,
    /// With `+E`: who holds the other ends of what is listed.
    ends: std::collections::HashSet<(Pid, FdNumber)>,
}

impl<'a> Listing<'a> {
    /// A run of these options.
    pub fn new(options: &'a Options, world: &'a dyn World, charset: Charset) -> Self {
        let mut listing = Listing {
            show: Show { options, world, charset },
            selection: Selection::new(options, world.mounts()),
            table: Table::default(),
            out: Vec::new(),
            listed: 0,
            last_terse: None,
            ends: std::collections::HashSet::new(),
        };
        listing.begin_round();
        listing
    }

    /// True if something of the process may have to be listed: only then need it be read.
    pub fn wants(&mut self, process: &Process, group: Pid) -> bool {
        let task = self.show.options.tasks.then_some(Tid(process.id.pid.0));
        let wanted = self.selection.process(process, group, task).is_some();
        wanted || self.show.options.endpoints == Endpoints::Listed
    }

    /// Adds what a process holds, or, for `-K`, what a thread of it holds. For its main thread `thread` is `None`, but
    /// where threads are asked for with `-a` and it has others: then it is one of them, unnamed.
    pub fn add(&mut self, inventory: &Inventory, thread: Option<(Tid, Option<&Name>)>) {
        let Inventory { process, group, .. } = inventory;
        let marks = self.selection.process(process, *group, thread.map(|thread| thread.0));
        let Some(marks) = marks else { return };
        let task = thread.and_then(|(tid, name)| Some((tid, name?)));
        let who = Who { process, group: *group, task };
        let first = self.listed == 0;
        let mut writer = ProcessWriter { who, first, begun: false, line: None };
        let locked = Locked::of(inventory);
        for (mut file, entry) in files(inventory, &locked, self.show) {
            if !self.selects(marks, process.id.pid, &mut file, entry) {
                continue;
            }
            if let Some(entry) = entry.filter(|_| self.show.options.endpoints != Endpoints::No) {
                self.add_ends(process.id.pid, entry, &mut file);
            }
            if self.show.options.output == Output::Terse {
                self.write_terse(process.id.pid);
                break;
            }
            writer.file(self.show, &file, (&mut self.table, &mut self.out));
        }
        writer.end(self.show, &mut self.out, &mut self.listed);
    }

    /// With `+E`, before the round: notes who holds the other ends of what is selected.
    pub fn note_ends(&mut self, inventory: &Inventory) {
        let Some(marks) = self.selection.process(&inventory.process, inventory.group, None) else {
            return;
        };
        let locked = Locked::of(inventory);
        for (mut file, entry) in files(inventory, &locked, self.show) {
            if let Some(entry) = entry
                && self.selection.file(marks, &mut file)
            {
                self.ends.extend(entry.ends().iter().map(|end| (end.pid, end.fd)));
            }
        }
    }

    fn selects(
        &mut self,
        marks: Marks,
        pid: Pid,
        file: &mut OpenFile,
        entry: Option<&Entry>,
    ) -> bool {
        let is_end = match entry.map(|entry| entry.handle.via) {
            Some(Association::Fd(fd)) => self.ends.contains(&(pid, fd)),
            _ => false,
        };
        self.selection.file(marks, file) || is_end
    }

    fn write_terse(&mut self, pid: Pid) {
        if self.last_terse.replace(pid) != Some(pid) {
            self.out.extend_from_slice(format!("{pid}\n").as_bytes());
            self.listed += 1;
        }
    }

    /// `1234,name,5u` for everyone at the other end.
    fn add_ends(&self, pid: Pid, entry: &Entry, file: &mut OpenFile) {
        let ends = entry.ends();
        let own = |end: &End| end.pid == pid && Association::Fd(end.fd) == entry.handle.via;
        let mut others = ends.iter().filter(|end| !own(end)).peekable();
        if others.peek().is_none() {
            return;
        }
        match &entry.facts {
            Facts::Socket(socket) => {
                if let Some(inode) = socket.peer_inode {
                    file.add(&format!("->INO={inode}"));
                }
            }
            Facts::Terminal { index: Some(index), .. } => file.add(&format!("->/dev/pts/{index}")),
            _ => {}
        }
        let width = self.show.options.command_width;
        for end in others {
            let comm = end.comm.bytes();
            let comm = String::from_utf8_lossy(&comm[..comm.len().min(width)]);
            let access = match end.access {
                Some(Access::Read) => 'r',
                Some(Access::Write) => 'w',
                Some(_) => 'u',
                None => ' ',
            };
            let fd = crate::show::fd_column(FdKind::Number(end.fd.0));
            file.add(&format!("{},{comm},{fd}{access}", end.pid));
        }
    }

    /// What was written so far, for the output. Tables come at the end of a round only.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// How many bytes [`Listing::take`] would give.
    pub fn pending(&self) -> usize {
        self.out.len()
    }

    fn begin_round(&mut self) {
        self.listed = 0;
        self.last_terse = None;
        if self.show.options.output == Output::Json {
            json::write_head(&mut self.out);
        }
    }

    /// Ends a round. True if anything was listed in it.
    pub fn end_round(&mut self) -> bool {
        self.table.write(self.show.options, &mut self.out);
        match self.show.options.output {
            Output::Json => json::write_foot(&mut self.out),
            Output::JsonLines if self.show.options.repeat.is_some() => self.out.push(b'\n'),
            _ => {}
        }
        self.listed > 0
    }

    /// Writes the line between rounds, and begins the next.
    pub fn mark(&mut self) {
        let options = self.show.options;
        let format = options.repeat.as_ref().and_then(|repeat| repeat.format.as_ref());
        let text = format.and_then(|format| self.show.world.time(format));
        match options.output {
            Output::Json | Output::JsonLines => {}
            Output::Fields => fields::write_mark(options, &text.unwrap_or_default(), &mut self.out),
            Output::Table | Output::Terse => {
                self.out.extend_from_slice(text.as_deref().unwrap_or(b"======="));
                self.out.push(b'\n');
            }
        }
    }

    /// Begins another round.
    pub fn next_round(&mut self) {
        self.ends.clear();
        self.begin_round();
    }

    /// The exit code, after the last round; what was not found is written if `-V` asks for it.
    pub fn finish(&mut self) -> i32 {
        let mut report = Vec::new();
        let all_found = self.selection.report(&mut report);
        if self.show.options.verbose {
            self.out.extend_from_slice(&report);
        }
        let is_failure = !all_found && !self.show.options.quiet;
        i32::from(is_failure || self.show.options.named.failed)
    }
}

/// A file, and the row it was made of if there is one.
type Row<'i> = (OpenFile, Option<&'i Entry>);

/// The rows of an inventory in lsof's order, with what lsof says of places that cannot be read.
fn files<'i>(
    inventory: &'i Inventory,
    locked: &'i Locked,
    show: Show<'i>,
) -> impl Iterator<Item = Row<'i>> {
    let sockets_only = show.options.sockets_only();
    let warn = show.options.warn;
    let rows = move |sort: fn(Association) -> bool| {
        let entries = inventory.entries.iter().filter(move |entry| sort(entry.handle.via));
        let told = entries.filter(move |entry| warn || !entry.handle.name.is_empty());
        let told = told.filter(move |e| !sockets_only || e.handle.kind == HandleKind::Socket);
        told.filter_map(move |entry| {
            Some((open_file(inventory, entry, locked, show)?, Some(entry)))
        })
    };
    let places = rows(|via| matches!(via, Association::Cwd | Association::Root | Association::Exe));
    // The program itself is mapped too, and not listed twice.
    let program = inventory.entries.iter().find(|entry| entry.handle.via == Association::Exe);
    let program = program.and_then(|entry| entry.status).map(|status| status.inode);
    let mapped = rows(|via| matches!(via, Association::Mapping(_)));
    let mapped = mapped.filter(move |(_, entry)| {
        program.is_none() || entry.and_then(|entry| entry.handle.inode) != program
    });
    let descriptors = rows(|via| matches!(via, Association::Fd(_)));
    let missing = no_program(inventory).filter(|_| warn).map(|file| (file, None));
    let table = no_table(inventory).filter(|_| warn).map(|file| (file, None));
    places.chain(missing).chain(mapped).chain(descriptors).chain(table)
}

/// Threads of the kernel run no program, which lsof shows as one that it cannot read.
fn no_program(inventory: &Inventory) -> Option<OpenFile> {
    let has = |via| inventory.entries.iter().any(|entry| entry.handle.via == via);
    if !has(Association::Cwd) || has(Association::Exe) {
        return None;
    }
    let mut file = OpenFile::blank(FdKind::Text);
    file.kind = "unknown";
    file.name = format!("/proc/{}/exe", inventory.process.id.pid).into_bytes();
    if inventory.process.uid != 0 {
        file.add("(readlink: No such file or directory)");
    }
    Some(file)
}

/// A table of descriptors that could not be opened.
fn no_table(inventory: &Inventory) -> Option<OpenFile> {
    let refused = |fault: &&Fault| fault.fd.is_none() && fault.operation.contains("descriptors");
    let fault = inventory.faults.iter().find(refused)?;
    let mut file = OpenFile::blank(FdKind::NoFd);
    let pid = inventory.process.id.pid;
    file.add(&format!("/proc/{pid}/fd (opendir: {})", sentence(&fault.cause)));
    Some(file)
}

/// The files of one process on their way out.
struct ProcessWriter<'a> {
    who: Who<'a>,
    /// The first process of the round.
    first: bool,
    begun: bool,
    line: Option<json::Object>,
}

impl ProcessWriter<'_> {
    fn file(&mut self, show: Show<'_>, file: &OpenFile, (table, out): (&mut Table, &mut Vec<u8>)) {
        let first = !std::mem::replace(&mut self.begun, true);
        match show.options.output {
            Output::Terse => {}
            Output::Table => {
                if first {
                    table.begin(&self.who);
                }
                table.push(show, &self.who, file);
            }
            Output::Fields => {
                if first {
                    fields::write_process(show, &self.who, out);
                }
                fields::write_file(show, file, out);
            }
            Output::Json => {
                if first {
                    json::write_process(&json::process(show, &self.who), self.first, out);
                }
                json::write_nested(show, file, first, out);
            }
            Output::JsonLines => {
                let line = self.line.get_or_insert_with(|| json::process(show, &self.who));
                json::write_line(show, line, file, out);
            }
        }
    }

    fn end(self, show: Show<'_>, out: &mut Vec<u8>, listed: &mut u64) {
        if self.begun {
            *listed += 1;
            if show.options.output == Output::Json {
                out.extend_from_slice(b"]}");
            }
        }
    }
}
