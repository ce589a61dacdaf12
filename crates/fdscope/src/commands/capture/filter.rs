//! What packets must be to be shown or kept: part of it is the kernel's to say, the rest is said here.

use std::io::Write;
use std::net::IpAddr;

use anyhow::{Context, Result, anyhow};
use fdscope_packet::bpf::{Instruction, Program, cooked, listing};
use fdscope_packet::ends::Ends;
use fdscope_packet::link::LinkType;
use fdscope_packet::print::MOST_BYTES;
use fdscope_packet::{Packet, Time};
use fdscope_sys::packet_ring;
use fdscope_sys::pcap_library::{CompileError, PcapLibrary};

use super::expression::{Expression, Mistake, Process};
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
struct Compiler {
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
        let optimize = !options.unoptimized;
        let mut compiler = Compiler { library: None, dlt: link.dlt(), snap_length, optimize };
        let kernel_text =
            expression.as_ref().and_then(|expression| expression.for_the_kernel(&text));
        let kernel = match (&expression, &kernel_text) {
            (Some(Expression::Packet(_)), _) => compiler.compile(&text)?,
            (_, Some(part)) => compiler.compile(part)?,
            _ => Program::all(snap_length),
        };
        let node = match &expression {
            None => None,
            Some(Expression::Packet(_)) => Some(Node::Packet(kernel.clone())),
            Some(mixed) => Some(compiler.node(mixed, &text)?),
        };
        let (kernel, node) =
            if options.lifecycle { lifecycles(&kernel, node, link)? } else { (kernel, node) };
        Ok(Filter { text, expression, node, kernel, kernel_text, snap_length, link })
    }

    /// True if only the program or the plan was asked for, which is told then.
    pub fn told(&self, options: &Options) -> Result<bool> {
        if options.dump_program > 0 {
            let listing = listing::list(&self.kernel, options.dump_program);
            std::io::stdout().write_all(listing.as_bytes())?;
            self.tell_rest();
            return Ok(true);
        }
        if options.explain {
            let mut out = std::io::stdout().lock();
            let kernel = self.kernel_text.as_deref().unwrap_or("every packet");
            writeln!(out, "in the kernel   {kernel} ({} instructions)", self.kernel.0.len())?;
            match &self.expression {
                Some(expression) if expression.asks_processes() => {
                    writeln!(
                        out,
                        "in fdscope      {} (the whole again, with the packet's process)",
                        self.text
                    )?;
                }
                _ => writeln!(out, "in fdscope      nothing")?,
            }
            let snap = self.snap_length;
            let kept = if snap >= MOST_BYTES { "all".to_owned() } else { format!("{snap}") };
            writeln!(out, "bytes kept      {kept}")?;
            return Ok(true);
        }
        Ok(false)
    }

    fn tell_rest(&self) {
        if self.asks_processes() {
            say(&format!("the kernel runs this; what it takes is then asked: {}", self.text));
        }
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
            _ if reads_tags => None,
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
    pub fn accepts_ends(&self, ends: Ends, flags: u8, owner: &Owner) -> bool {
        let bytes = bare(self.link, ends, flags);
        let (time, length) = (Time::default(), bytes.len() as u32);
        let packet = Packet { time, length, bytes: &bytes, link: self.link };
        self.accepts(&packet, Some(owner))
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

impl Compiler {
    fn compile(&mut self, text: &str) -> Result<Program> {
        let library = match self.library.take() {
            Some(library) => library,
            None => PcapLibrary::load().map_err(|error| sentence(&error))?,
        };
        let compiled = library.compile(text.as_bytes(), self.dlt, self.snap_length, self.optimize);
        self.library = Some(library);
        let instructions = compiled.map_err(|error| sentence(&error))?;
        let own = |instruction: packet_ring::Instruction| Instruction {
            code: instruction.code,
            jump_true: instruction.jump_true,
            jump_false: instruction.jump_false,
            operand: instruction.operand,
        };
        Ok(Program(instructions.into_iter().map(own).collect()))
    }

    fn node(&mut self, expression: &Expression, text: &str) -> Result<Node> {
        Ok(match expression {
            Expression::Packet(range) => {
                let part = text.get(range.clone()).unwrap_or_default();
                let compiled = self.compile(part);
                Node::Packet(compiled.with_context(|| caret(text, range.start))?)
            }
            Expression::Process(process) => Node::Process(process.clone()),
            Expression::And(a, b) => {
                Node::And(Box::new(self.node(a, text)?), Box::new(self.node(b, text)?))
            }
            Expression::Or(a, b) => {
                Node::Or(Box::new(self.node(a, text)?), Box::new(self.node(b, text)?))
            }
            Expression::Not(inner) => Node::Not(Box::new(self.node(inner, text)?)),
        })
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
