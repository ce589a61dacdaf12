//! `fdscope report`: what a recording shows, as a page or for other tools.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use fdscope_model::Symbolizer;
use fdscope_render::Charset;
use fdscope_render::export::html::{HandleRow, data_of, page};
use fdscope_render::export::{Export, export};

use crate::Done;
use crate::args::{Format, Report};
use crate::ending::{Ending, Failure};
use crate::live::replay::{Replay, is_recording, replay};
use crate::machine;
use crate::private;

/// Runs the command.
pub fn run(report: &Report) -> Done {
    if report.output != Path::new("-") && is_recording(&report.output.to_string_lossy()) {
        let what = format!("{} is a recording, and is not written over", report.output.display());
        return Err(Failure::new(Ending::Usage, what).into());
    }
    if report.format == Format::Json && !is_recording(&report.recording.to_string_lossy()) {
        write(&report.output, data_of_page(&report.recording)?.as_bytes())?;
        return Ok(Ending::Done);
    }
    let mut replay = replay(&report.recording, &report.span)?;
    let told = replay.report(machine::typed_command(), &[]);
    let form = match report.format {
        Format::Html | Format::Json => None,
        Format::Markdown => Some(Export::Markdown),
        Format::Folded => Some(Export::Folded),
        Format::Speedscope => Some(Export::Speedscope),
        Format::Pprof => Some(Export::Pprof),
        Format::Sarif => Some(Export::Sarif),
        Format::Junit => Some(Export::Junit),
    };
    let bytes = match form {
        Some(form) => export(&told, form),
        None if report.format == Format::Json => fdscope_render::json::report(&told).into_bytes(),
        None => page(&told, &handles(&mut replay)).into_bytes(),
    };
    write(&report.output, &bytes)?;
    Ok(Ending::Done)
}

/// The report that a page holds, as JSON.
fn data_of_page(path: &Path) -> Result<String> {
    let shown = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("failed to read {shown}"))?;
    let found = String::from_utf8(bytes).ok().and_then(|page| data_of(&page));
    let (report, _) = found.ok_or_else(|| {
        let what = format!("{shown} is neither a recording nor a page of fdscope report");
        Failure::new(Ending::Usage, what)
    })?;
    Ok(report + "\n")
}

/// Every descriptor that is open at the end.
fn handles(replay: &mut Replay) -> Vec<HandleRow> {
    let mut rows = Vec::new();
    for pid in replay.ledger.pids() {
        let comm = replay.comm(pid);
        for handle in replay.ledger.live(pid) {
            let named = handle.stack.map(|stack| replay.stacks.symbolize(stack));
            let frame = named.as_ref().and_then(|n| n.at.and_then(|at| n.frames.get(at)));
            let function = frame.and_then(|frame| frame.symbol.function.as_deref());
            let name = replay.names.descriptor(pid, handle.fd);
            rows.push(HandleRow {
                pid: pid.0,
                comm: comm.clone(),
                fd: handle.fd.0,
                kind: handle.kind.word(),
                name: name.map_or_else(String::new, |name| Charset::Utf8.name(&name)),
                site: function.map_or_else(String::new, |f| Charset::Utf8.symbol(f)),
                age_ns: handle.birth_seen.then(|| replay.now.since_ns(handle.born)),
            });
        }
    }
    rows
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if path == Path::new("-") {
        let mut stdout = std::io::stdout().lock();
        return Ok(stdout.write_all(bytes).and_then(|()| stdout.flush())?);
    }
    let written = private::create(path).and_then(|mut file| file.write_all(bytes));
    written.with_context(|| format!("failed to write {}", path.display()))
}
