//! `fdscope demo`: the newcomer's first command. It runs a small leaking program and finds its leak.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::Done;
use crate::args::{Color, Demo, Keep, Leak, Span, StackMode};
use crate::commands::leak;

/// Runs the command.
pub fn run(demo: &Demo) -> Done {
    let program = std::env::current_exe().context("failed to find the fdscope program")?;
    if !demo.json {
        eprintln!(
            "fdscope: running a small server that forgets to close a file on one error path; watching it for {} s",
            demo.duration.as_secs()
        );
    }
    leak::run(arguments(demo, program.to_string_lossy().into_owned())?)
}

fn arguments(demo: &Demo, program: String) -> Result<Leak> {
    let lifetime = demo.duration + Duration::from_secs(60);
    let launch =
        vec![program, "demo-target".to_owned(), format!("--lifetime={}ms", lifetime.as_millis())];
    Ok(Leak {
        targets: Vec::new(),
        launch,
        duration: Some(demo.duration),
        interval: Duration::from_secs(1),
        source: demo.source,
        stacks: StackMode::Dwarf,
        kinds: Vec::new(),
        follow: true,
        children: false,
        all_threads: false,
        json: demo.json,
        folded: None,
        fail_on: None,
        color: Color::Auto,
        ring: 8 << 20,
        quiet: false,
        output: None,
        keep: Keep::default(),
        span: Span::default(),
        only_record: false,
        everyone: false,
    })
}
