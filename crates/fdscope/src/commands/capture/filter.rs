//! What packets must be to be shown or kept: part of it is the kernel's to say, the rest is said here.

use std::io::Write;
use std::net::IpAddr;
use std::ops::Range;

use anyhow::{Context, Result, anyhow};
use fdscope_packet::bpf::{Instruction, Program, cooked, listing};
use fdscope_packet::ends::Ends;
use fdscope_packet::link::LinkType;
use fdscope_packet::print::MOST_BYTES;
use fdscope_packet::{Packet, Time};
use fdscope_sys::packet_ring;
use fdscope_sys::pcap_library::{CompileError, PcapLibrary};

use super::expression::{Expression, Mistake, Process, SYNTAX, mistake_in};
use super::options::{Guise, Options};
use super::say;
use super::surveyor::Owner;

/// An expression, ready to be asked.
pub struct Filter {
    text: String,
    expression: Option<Expression>,
    node: Option<Node>,
    /// What the kernel runs.
    kernel: Program,
    kernel_text: Option<String>,
    snap_length: u32,
    link: LinkType,
    lifecycle: bool,
}

/// The same, asked only of packets that begin and end connections.
fn lifecycles(
    kernel: &Program,
    node: Option<Node>,
    link: LinkType,
) -> Result<(Program, Option<Node>)> {
    let of = |program: &Program| {
        program
            .of_lifecycles(link)
            .ok_or_else(|| anyhow!("--lifecycle is not known for packets that begin so"))
    };
    let own = Node::Packet(of(&Program::all(MOST_BYTES))?);
    let node = match node {
        None => own,
        Some(node) => Node::And(Box::new(own), Box::new(node)),
    };
    Ok((of(kernel)?, Some(node)))
}

/// An expression whose packet parts are programs.
enum Node {
    Packet(Program),
    Process(Process),
    And(Box<Node>, Box<Node>),
    Or(Box<Node>, Box<Node>),
    Not(Box<Node>),
}

/// Compiles packet parts, loading libpcap for the first.
struct Compiler<'a> {
    /// The whole expression.
    text: &'a str,
    /// Where a mistake is, is told.
    points: bool,
    library: Option<PcapLibrary>,
    dlt: u32,
    snap_length: u32,
    optimize: bool,
}

impl Filter {
    /// Compiles what was typed, or stands in the file of `-F`.
    pub fn new(options: &Options, guise: Guise, link: LinkType, snap_length: u32) -> Result<Self> {
        let snap_length = if snap_length == 0 { MOST_BYTES } else { snap_length };
        let text = text(options)?;
        let whole = if guise == Guise::Tcpdump {
            Ok((!text.trim().is_empty()).then_some(Expression::Packet(0..text.len())))
        } else {
            Expression::read(&text)
        };
        let expression = whole.map_err(|mistake| pointed(&text, &mistake))?;
        let (optimize, lifecycle) = (!options.unoptimized, options.lifecycle);
        let (dlt, points) = (link.dlt(), guise == Guise::Capture);
        let mut compiler =
            Compiler { text: &text, points, library: None, dlt, snap_length, optimize };
        let kernel_text =
            expression.as_ref().and_then(|expression| expression.for_the_kernel(&text));
        let kernel = match (&expression, &kernel_text) {
            (Some(Expression::Packet(range)), _) => compiler.part(range)?,
            // Its parts are compiled first: of them it is known where they stand.
            (Some(mixed), Some(part)) => {
                compiler.node(mixed)?;
                compiler.compile(part).map_err(|error| sentence(&error))?
            }
            _ => Program::all(snap_length),
        };
        let node = match &expression {
            None => None,
            Some(Expression::Packet(_)) => Some(Node::Packet(kernel.clone())),
            Some(mixed) => Some(compiler.node(mixed)?),
        };
        let (kernel, node) =
            if lifecycle { lifecycles(&kernel, node, link)? } else { (kernel, node) };
        Ok(Filter { text, expression, node, kernel, kernel_text, snap_length, link, lifecycle })
    }

    /// True if only the program or the plan was asked for, which is told then.
    pub fn told(&self, options: &Options) -> Result<bool> {
        if options.dump_program > 0 {
            let list = |program: &Program| listing::list(program, options.dump_program);
            let mut out = std::io::stdout().lock();
            out.write_all(list(&self.kernel).as_bytes())?;
            if self.asks_processes() {
                say(&format!("the kernel runs this; what it takes is then asked: {}", self.text));
                for (part, program) in self.parts() {
                    if let Some(program) = program {
                        writeln!(out, "; {part}")?;
                        out.write_all(list(program).as_bytes())?;
                    }
                }
            }
            return Ok(true);
        }
        if options.explain {
            self.explain(&mut std::io::stdout().lock())?;
        }
        Ok(options.explain)
    }

    /// Which part runs where.
    fn explain(&self, out: &mut dyn Write) -> Result<()> {
        let kernel = self.kernel_text.as_deref().unwrap_or("every packet");
        let (_, again) = self.for_the_kernel(self.link);
        let count = self.kernel.0.len();
        match again {
            false => writeln!(out, "in the kernel   {kernel} ({count} instructions)")?,
            true => writeln!(out, "in the kernel   every packet: it does not see what is asked")?,
        }
        let asks = self.asks_processes();
        match (asks, again) {
            (true, _) => writeln!(out, "in fdscope      {}", self.text.trim())?,
            (false, true) => writeln!(out, "in fdscope      {kernel} ({count} instructions)")?,
            (false, false) => writeln!(out, "in fdscope      nothing")?,
        }
        for (part, program) in self.parts().into_iter().filter(|_| asks) {
            match program {
                None => writeln!(out, "  of the owner  {part}")?,
                Some(program) => {
                    writeln!(out, "  of the packet {part} ({} instructions)", program.0.len())?;
                }
            }
        }
        let snap = self.snap_length;
        let kept = if snap >= MOST_BYTES { "all".to_owned() } else { format!("{snap}") };
        writeln!(out, "bytes kept      {kept}")?;
        Ok(())
    }

    /// The parts of a mixed expression in their order: what was typed, and the program of those about packets.
    fn parts(&self) -> Vec<(&str, Option<&Program>)> {
        let mut parts = Vec::new();
        let node = match &self.node {
            // What stands around it was not typed.
            Some(Node::And(_, node)) if self.lifecycle => Some(&**node),
            node => node.as_ref(),
        };
        if let (Some(expression), Some(node)) = (&self.expression, node) {
            gather(&self.text, expression, node, &mut parts);
        }
        parts
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether a packet's process must be known.
    pub fn asks_processes(&self) -> bool {
        self.expression.as_ref().is_some_and(Expression::asks_processes)
    }

    /// What the kernel is to run, and whether all must be asked again here because it cannot.
    pub fn for_the_kernel(&self, link: LinkType) -> (Vec<packet_ring::Instruction>, bool) {
        let reads_tags = self.text.contains("vlan");
        let program = match link {
            // Tags are taken off before the kernel's filter sees a packet.
            _ if reads_tags || self.kernel.loops() => None,
            LinkType::LINUX_SLL2 => cooked::without_header(&self.kernel),
            _ => Some(self.kernel.clone()),
        };
        let again = program.is_none();
        let program = program.unwrap_or_else(|| Program::all(self.snap_length));
        let instructions =
            program.0.iter().map(|Instruction { code, jump_true, jump_false, operand }| {
                packet_ring::Instruction {
                    code: *code,
                    jump_true: *jump_true,
                    jump_false: *jump_false,
                    operand: *operand,
                }
            });
        (instructions.collect(), again)
    }

    /// Whether a segment of TCP between these ends would be wanted, had there been one.
    pub fn accepts_ends(&self, ends: Ends, flags: u8, owner: Option<&Owner>) -> bool {
        let bytes = bare(self.link, ends, flags);
        let (time, length) = (Time::default(), bytes.len() as u32);
        let packet = Packet { time, length, bytes: &bytes, link: self.link };
        self.accepts(&packet, owner)
    }

    /// Whether a packet is wanted; who owns it is asked only if that matters.
    pub fn accepts(&self, packet: &Packet<'_>, owner: Option<&Owner>) -> bool {
        self.node.as_ref().is_none_or(|node| node.accepts(packet, owner))
    }
}

/// A packet with nothing in it but what says between whom it goes.
fn bare(link: LinkType, ends: Ends, flags: u8) -> Vec<u8> {
    let (version, protocol) = match ends.source.ip() {
        IpAddr::V4(_) => (4, [0x08, 0x00]),
        IpAddr::V6(_) => (6, [0x86, 0xdd]),
    };
    let mut packet = match link {
        LinkType::ETHERNET => [&[0; 12][..], &protocol].concat(),
        LinkType::LINUX_SLL2 => [&protocol[..], &[0; 18]].concat(),
        _ => Vec::new(),
    };
    if version == 4 {
        packet.extend_from_slice(&[0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0]);
    } else {
        packet.extend_from_slice(&[0x60, 0, 0, 0, 0, 20, 6, 64]);
    }
    for end in [ends.source, ends.destination] {
        match end.ip() {
            IpAddr::V4(ip) => packet.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => packet.extend_from_slice(&ip.octets()),
        }
    }
    for end in [ends.source, ends.destination] {
        packet.extend_from_slice(&end.port().to_be_bytes());
    }
    packet.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0]);
    packet
}

impl Node {
    fn accepts(&self, packet: &Packet<'_>, owner: Option<&Owner>) -> bool {
        match self {
            Node::Packet(program) => program.run(packet.bytes, packet.length) != 0,
            Node::Process(process) => owner.is_some_and(|owner| owner.is(process)),
            Node::And(a, b) => a.accepts(packet, owner) && b.accepts(packet, owner),
            Node::Or(a, b) => a.accepts(packet, owner) || b.accepts(packet, owner),
            Node::Not(inner) => !inner.accepts(packet, owner),
        }
    }
}

impl Compiler<'_> {
    fn compile(&mut self, text: &str) -> Result<Program, CompileError> {
        let library = match self.library.take() {
            Some(library) => library,
            None => PcapLibrary::load()?,
        };
        let compiled = library.compile(text.as_bytes(), self.dlt, self.snap_length, self.optimize);
        self.library = Some(library);
        let own = |instruction: packet_ring::Instruction| Instruction {
            code: instruction.code,
            jump_true: instruction.jump_true,
            jump_false: instruction.jump_false,
            operand: instruction.operand,
        };
        Ok(Program(compiled?.into_iter().map(own).collect()))
    }

    /// A part of the expression; if it is wrong, where.
    fn part(&mut self, range: &Range<usize>) -> Result<Program> {
        let text = self.text;
        let part = text.get(range.clone()).unwrap_or_default();
        let error = match self.compile(part) {
            Ok(program) => return Ok(program),
            Err(error) => error,
        };
        if !self.points || matches!(error, CompileError::Missing) {
            return Err(sentence(&error));
        }
        let why = error.to_string();
        // What can never be true is right, too.
        let at = mistake_in(part, &why, &mut |tried| {
            self.compile(tried).err().is_none_or(|error| !error.to_string().contains(SYNTAX))
        });
        Err(anyhow!("{why}{}", caret(text, range.start + at).trim_end_matches('\n')))
    }

    fn node(&mut self, expression: &Expression) -> Result<Node> {
        Ok(match expression {
            Expression::Packet(range) => Node::Packet(self.part(range)?),
            Expression::Process(process, _) => Node::Process(process.clone()),
            Expression::And(a, b) => Node::And(Box::new(self.node(a)?), Box::new(self.node(b)?)),
            Expression::Or(a, b) => Node::Or(Box::new(self.node(a)?), Box::new(self.node(b)?)),
            Expression::Not(inner) => Node::Not(Box::new(self.node(inner)?)),
        })
    }
}

/// Lays an expression and its programs side by side.
fn gather<'a>(
    text: &'a str,
    expression: &Expression,
    node: &'a Node,
    parts: &mut Vec<(&'a str, Option<&'a Program>)>,
) {
    match (expression, node) {
        (Expression::Packet(range), Node::Packet(program)) => {
            parts.push((text.get(range.clone()).unwrap_or_default(), Some(program)));
        }
        (Expression::Process(_, range), Node::Process(_)) => {
            parts.push((text.get(range.clone()).unwrap_or_default(), None));
        }
        (Expression::And(a, b), Node::And(c, d)) | (Expression::Or(a, b), Node::Or(c, d)) => {
            gather(text, a, c, parts);
            gather(text, b, d, parts);
        }
        (Expression::Not(a), Node::Not(b)) => gather(text, a, b, parts),
        _ => {}
    }
}

fn text(options: &Options) -> Result<String> {
    let bytes = match &options.filter_file {
        None => options.expression.clone(),
        Some(file) => {
            let bytes = std::fs::read(file)
                .with_context(|| format!("can't open {}", file.to_string_lossy()))?;
            // `#` begins a comment there.
            let lines = bytes.split(|&byte| byte == b'\n');
            let lines: Vec<&[u8]> =
                lines.map(|line| line.split(|&byte| byte == b'#').next().unwrap_or(line)).collect();
            lines.join(&b'\n')
        }
    };
    String::from_utf8(bytes).map_err(|_| anyhow!("the expression is not text"))
}

fn sentence(error: &CompileError) -> anyhow::Error {
    match error {
        CompileError::Missing => anyhow!(
            "expressions need libpcap, which is not installed: install the package libpcap0.8 (Debian, Ubuntu) or \
             libpcap (elsewhere); without an expression, and with -r, -w and all other options, nothing is missing"
        ),
        other => anyhow!("{other}"),
    }
}

fn caret(text: &str, at: usize) -> String {
    let before: String = text.get(..at).unwrap_or_default().chars().map(|_| ' ').collect();
    format!("\n  {text}\n  {before}^\n")
}

fn pointed(text: &str, mistake: &Mistake) -> anyhow::Error {
    anyhow!("{}{}", mistake.why, caret(text, mistake.at).trim_end_matches('\n'))
}
