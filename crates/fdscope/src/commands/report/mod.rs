//! `fdscope report`: what a recording shows, as a page or for other tools. `course` counts for the timeline.

mod course;

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use fdscope_model::Symbolizer;
use fdscope_render::Charset;
use fdscope_render::export::html::{self, Contents, HandleRow};
use fdscope_render::export::{Export, export};

use crate::Done;
use crate::args::{Format, Report};
use crate::ending::{Ending, Failure};
use crate::live::replay::{Replay, is_recording, replay_seen};
use crate::machine;
use crate::private;
use course::Gathering;

/// Runs the command.
pub fn run(report: &Report) -> Done {
    if report.output != Path::new("-") && is_recording(&report.output.to_string_lossy()) {
        let what = format!("{} is a recording, and is not written over", report.output.display());
        return Err(Failure::new(Ending::Usage, what).into());
    }
    let of_page = matches!(report.format, Format::Json | Format::Data);
    if of_page && !is_recording(&report.recording.to_string_lossy()) {
        write(&report.output, data_of_page(report)?.as_bytes())?;
        return Ok(Ending::Done);
    }
    let mut gathering = Gathering::new(&report.span);
    let mut replay = replay_seen(&report.recording, &report.span, &mut |replay, record| {
        if matches!(report.format, Format::Html | Format::Data) {
            gathering.see(replay, record);
        }
    })?;
    let told = replay.report(machine::typed_command(), &[]);
    let bytes = match report.format {
        Format::Html | Format::Data => {
            let (handles, course) = (handles(&mut replay), gathering.course(&replay, told.begun));
            let contents = Contents { report: &told, handles: &handles, course: &course };
            match report.format {
                Format::Data => html::data(contents),
                _ => html::page(contents),
            }
            .into_bytes()
        }
        Format::Json => fdscope_render::json::report(&told).into_bytes(),
        Format::Markdown => export(&told, Export::Markdown),
        Format::Folded => export(&told, Export::Folded),
        Format::Speedscope => export(&told, Export::Speedscope),
        Format::Pprof => export(&told, Export::Pprof),
        Format::Sarif => export(&told, Export::Sarif),
        Format::Junit => export(&told, Export::Junit),
    };
    write(&report.output, &bytes)?;
    Ok(Ending::Done)
}

/// What a page holds, as JSON: its report, or all of it.
fn data_of_page(report: &Report) -> Result<String> {
    let path = &report.recording;
    let shown = path.display();
    let bytes = std::fs::read(path).with_context(|| format!("failed to read {shown}"))?;
    let page = String::from_utf8(bytes).unwrap_or_default();
    let found = html::data_of(&page).ok_or_else(|| {
        let what = format!("{shown} is neither a recording nor a page of fdscope report");
        Failure::new(Ending::Usage, what)
    })?;
    Ok(match report.format {
        Format::Data => html::object(&found),
        _ => format!("{}\n", found.report),
    })
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
