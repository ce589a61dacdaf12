//! How a site and its frames are called, in every output for people.

use fdscope_model::stack::Frame;
use fdscope_model::verdict::{Site, Verdict};
use fdscope_model::{HandleKind, Name, Pid};

use crate::charset::Charset;
use crate::piece::shorten;

/// The frame to read first: the one marked, or the outermost of a stack that is all plumbing.
pub fn frame_at(frames: &[Frame], at: Option<usize>) -> Option<&Frame> {
    at.and_then(|index| frames.get(index)).or(frames.last())
}

/// The name of a site: its function, what its names share, or the process if nothing is known.
pub fn name(verdict: &Verdict, charset: Charset) -> String {
    let Site { frames, at, pattern, .. } = &verdict.site;
    match (frame_at(frames, *at), pattern) {
        (Some(frame), _) => function(frame, charset),
        (None, Some(pattern)) => charset.name(pattern),
        (None, None) => charset.name(&verdict.comm),
    }
}

/// True if the site's name is a network endpoint, in which no digit may be missing.
pub fn is_endpoint(verdict: &Verdict) -> bool {
    let network = |pattern: &Name| !pattern.bytes().contains(&b'/');
    verdict.site.frames.is_empty()
        && verdict.kind == HandleKind::Socket
        && verdict.site.pattern.as_ref().is_some_and(network)
}

/// True if the site's pattern is no name but a remark in parentheses: why there is none.
pub fn is_unnamed(verdict: &Verdict) -> bool {
    let remark = |pattern: &Name| pattern.bytes().starts_with(b"(");
    verdict.site.frames.is_empty() && verdict.site.pattern.as_ref().is_some_and(remark)
}

/// The name of a site in at most `columns`, if it can be shortened without loss of an address.
pub fn short_name(verdict: &Verdict, columns: usize, charset: Charset) -> String {
    let name = name(verdict, charset);
    if is_endpoint(verdict) { name } else { shorten(&name, columns, charset) }
}

/// The function of a frame; its module and offset where nothing names it.
pub fn function(frame: &Frame, charset: Charset) -> String {
    match frame.symbol.function.as_deref() {
        Some(function) if !function.is_empty() => charset.symbol(function),
        _ => offset(frame, charset),
    }
}

/// `file:line` of a frame, as the debug information gives it.
pub fn line(frame: &Frame, charset: Charset) -> Option<String> {
    let file = charset.symbol(frame.symbol.file.as_deref()?);
    Some(match frame.symbol.line {
        Some(line) => format!("{file}:{line}"),
        None => file,
    })
}

/// A frame's function with its line, where known.
pub fn function_and_line(frame: &Frame, charset: Charset) -> String {
    match line(frame, charset) {
        Some(line) => format!("{} {line}", function(frame, charset)),
        None => function(frame, charset),
    }
}

/// `module+0xoffset`, or the address for code outside any file.
pub fn offset(frame: &Frame, charset: Charset) -> String {
    if frame.module.is_empty() {
        return format!("{:#x}", frame.offset);
    }
    format!("{}+{:#x}", module(frame, charset), frame.offset)
}

/// The last part of the module's path.
pub fn module(frame: &Frame, charset: Charset) -> String {
    let path = charset.name(&frame.module);
    path.rsplit('/').next().unwrap_or_default().to_string()
}

/// `file:line` where known, else module and offset.
pub fn place(frame: &Frame, charset: Charset) -> String {
    line(frame, charset).unwrap_or_else(|| offset(frame, charset))
}

/// `comm (pid 812)`.
pub fn process(comm: &Name, pid: Pid, charset: Charset) -> String {
    match comm.is_empty() {
        true => format!("pid {pid}"),
        false => format!("{} (pid {pid})", charset.name(comm)),
    }
}
