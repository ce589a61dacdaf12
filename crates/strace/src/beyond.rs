//! The options that strace does not have.

use fdscope_model::HandleKind;
use fdscope_syscall::errno;

use crate::options::{Beyond, Options, Shape, Source};
use crate::read::{Refusal, invalid, number, wrong};
use crate::set::NumberSet;
use crate::time;

/// Takes one of them.
pub(crate) fn given(
    options: &mut Options,
    name: &'static str,
    argument: &[u8],
) -> Result<(), Refusal> {
    let bad = || invalid(0, Some(name), argument);
    let beyond = &mut options.beyond;
    match name {
        "json" => beyond.shape = Shape::Json,
        "whole-lines" => beyond.shape = Shape::Whole,
        "children" => beyond.children = true,
        "source" => {
            beyond.source = match argument {
                b"auto" => Source::Auto,
                b"bpf" => Source::Bpf,
                b"ptrace" => Source::Ptrace,
                _ => return Err(bad()),
            };
        }
        "for" => beyond.most_ns = Some(time::parse(argument, 1_000_000_000).ok_or_else(bad)?),
        "min-duration" => beyond.least_ns = Some(time::parse(argument, 1_000).ok_or_else(bad)?),
        "summary-every" => {
            beyond.every_ns = Some(time::parse(argument, 1_000_000_000).ok_or_else(bad)?);
        }
        "max-size" => beyond.most_bytes = Some(size(argument).ok_or_else(bad)?),
        "rotate" => {
            let files = number(argument, 10_000).filter(|n| *n > 0).ok_or_else(bad)?;
            beyond.files = Some(files as u32);
        }
        "errno" => {
            let number = |token: &[u8]| errno_of(token);
            beyond.errors = Some(NumberSet::read(argument, "errno", number).map_err(wrong)?);
        }
        "kind" => kinds(beyond, argument)?,
        "summary-by-process" => beyond.by_process = true,
        "path-glob" => beyond.globs.push(argument.to_vec()),
        _ => {}
    }
    Ok(())
}

/// `file,socket`: the words of `fdscope ls`.
fn kinds(beyond: &mut Beyond, list: &[u8]) -> Result<(), Refusal> {
    for token in list.split(|byte| *byte == b',') {
        let found = std::str::from_utf8(token).ok().and_then(HandleKind::from_word);
        beyond.kinds.push(found.ok_or_else(|| {
            let words: Vec<&str> = HandleKind::all().map(HandleKind::word).collect();
            let known = format!("'; the kinds are {}", words.join(", "));
            wrong([b"invalid kind '", token, known.as_bytes()].concat())
        })?);
    }
    Ok(())
}

fn errno_of(token: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(token).ok()?;
    errno::number(text).map(u32::from).or_else(|| text.parse().ok())
}

/// `10M`, `512k`, `1G`, bytes.
fn size(text: &[u8]) -> Option<u64> {
    let (digits, shift) = match text.split_last()? {
        (b'k' | b'K', digits) => (digits, 10),
        (b'm' | b'M', digits) => (digits, 20),
        (b'g' | b'G', digits) => (digits, 30),
        _ => (text, 0),
    };
    number(digits, u64::MAX >> shift).map(|number| number << shift)
}
