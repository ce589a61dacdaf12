//! Real servers under load: the throughput that is left while fdscope watches.

use super::tool::{BPF_DWARF, STRACE, Tool};
use super::{Bench, Row, median};
use crate::tree;
use anyhow::{Context, Result};
use fdscope_fixtures::in_path;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// A server that runs, with a folder of its own; both are gone when it is dropped.
struct Server {
    child: Child,
    folder: PathBuf,
    port: u16,
    /// The processes that serve.
    pids: Vec<u32>,
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM lets nginx's master take its worker along; both fail only if the server is gone already.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// nginx serving a small file, two requests to a connection, by wrk.
pub fn nginx(bench: &Bench) -> Result<Vec<Row>> {
    if !in_path("nginx") || !in_path("wrk") {
        return Ok(Vec::new());
    }
    let server = start_nginx()?;
    let load = || wrk(&server);
    rows(bench, "nginx with wrk", &server, load)
}

/// The throughput that nginx has left under each tool, as a share of what it has alone; `None` without nginx or wrk.
pub fn nginx_shares(bench: &Bench, tools: &[&Tool], more: &[&str]) -> Result<Option<Vec<f64>>> {
    if !in_path("nginx") || !in_path("wrk") {
        return Ok(None);
    }
    let server = start_nginx()?;
    let load = || wrk(&server);
    load()?;
    let (_, shares) = shares(bench, tools, more, &server, load)?;
    Ok(Some(shares.into_iter().map(|(rates, _)| median(rates)).collect()))
}

fn wrk(server: &Server) -> Result<f64> {
    let url = format!("http://127.0.0.1:{}/", server.port);
    let said = tree::output(Command::new("wrk").args(["-t1", "-c16", "-d3s", &url]))?;
    figure_behind(&said, "Requests/sec:")
}

/// redis answering GET, each request on its own.
pub fn redis(bench: &Bench) -> Result<Vec<Row>> {
    if !in_path("redis-server") || !in_path("redis-benchmark") {
        return Ok(Vec::new());
    }
    let server = start_redis()?;
    let load = || {
        let port = server.port.to_string();
        let arguments = ["-p", &port, "-t", "get", "-n", "150000", "-c", "16", "--csv"];
        let said = tree::output(Command::new("redis-benchmark").args(arguments))?;
        figure_behind(&said, "\"GET\",")
    };
    rows(bench, "redis with redis-benchmark", &server, load)
}

/// A run of the load: requests a second, and nanoseconds of the server's processor time for each.
#[derive(Clone, Copy)]
struct Measured {
    rate: f64,
    cost: f64,
}

fn measure(server: &Server, load: &impl Fn() -> Result<f64>) -> Result<Measured> {
    let (begun, before) = (Instant::now(), processor_ns(&server.pids)?);
    let rate = load()?;
    let used = processor_ns(&server.pids)? - before;
    Ok(Measured { rate, cost: used / (rate * begun.elapsed().as_secs_f64()) })
}

/// The processor time that processes have used, by the scheduler's count.
fn processor_ns(pids: &[u32]) -> Result<f64> {
    let mut sum = 0.0;
    for pid in pids {
        for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
            sum += text.split_whitespace().next().unwrap_or_default().parse::<f64>()?;
        }
    }
    Ok(sum)
}

/// Throughput and processor time alone and under each tool in turn. A watched run stands between two free ones and is
/// compared with their mean, because the speed of a shared machine drifts from one second to the next. Processor time a
/// request is the steadier of the two: the load generator's share of the machine is not in it.
fn rows(
    bench: &Bench,
    what: &str,
    server: &Server,
    load: impl Fn() -> Result<f64>,
) -> Result<Vec<Row>> {
    const TOOLS: &[&Tool] = &[&BPF_DWARF, &STRACE];
    let tools: Vec<&Tool> = TOOLS.iter().copied().filter(|tool| tool.is_here()).collect();
    load()?;
    let (alone, shares) = shares(bench, &tools, &[], server, load)?;
    let mut rows =
        vec![Row::new(format!("{what}, untraced"), format!("{:.0} requests/s", median(alone)))];
    for (tool, (rates, costs)) in tools.iter().zip(shares) {
        let share = 100.0 * median(rates);
        let row = Row::new(format!("{what} under {}", tool.name), format!("{share:.1} %"));
        let own = tool.program == "fdscope";
        rows.push(if own { row.promised("at least 97 %", share >= 97.0) } else { row });
        let cost = format!("{:.2}x", median(costs));
        rows.push(Row::new("  its processor time a request".to_owned(), cost));
    }
    Ok(rows)
}

/// Of each tool: the throughput under it as a share of that without, and the processor time a request as a multiple.
type Shares = (Vec<f64>, Vec<f64>);

/// What the server does alone, and under each tool the share of it, once a round.
fn shares(
    bench: &Bench,
    tools: &[&Tool],
    more: &[&str],
    server: &Server,
    load: impl Fn() -> Result<f64>,
) -> Result<(Vec<f64>, Vec<Shares>)> {
    let mut alone = Vec::new();
    let mut shares = vec![Shares::default(); tools.len()];
    for _ in 0..bench.rounds {
        for (tool, (rates, costs)) in tools.iter().zip(&mut shares) {
            let before = measure(server, &load)?;
            let running = tool.attach(bench, &server.pids, more)?;
            let watched = measure(server, &load)?;
            running.stop()?;
            let after = measure(server, &load)?;
            rates.push(watched.rate / f64::midpoint(before.rate, after.rate));
            costs.push(watched.cost / f64::midpoint(before.cost, after.cost));
            alone.push(f64::midpoint(before.rate, after.rate));
        }
    }
    Ok((alone, shares))
}

fn start_nginx() -> Result<Server> {
    let (folder, port) = (scratch("nginx")?, free_port()?);
    let path = folder.display();
    let configuration = format!(
        "daemon off; worker_processes 1; pid {path}/pid; error_log {path}/error;\n\
         events {{}}\n\
         http {{ access_log off; keepalive_requests 2;\n\
         client_body_temp_path {path}/a; proxy_temp_path {path}/b; fastcgi_temp_path {path}/c;\n\
         uwsgi_temp_path {path}/d; scgi_temp_path {path}/e;\n\
         server {{ listen 127.0.0.1:{port}; location / {{ root {path}/www; }} }} }}\n"
    );
    std::fs::create_dir(folder.join("www"))?;
    std::fs::write(folder.join("www/index.html"), "hello\n")?;
    std::fs::write(folder.join("conf"), configuration)?;
    // The worker is another user: it must be able to reach its files.
    tree::output(Command::new("chmod").args(["-R", "a+rX"]).arg(&folder))?;
    let child =
        quiet(Command::new("nginx").arg("-p").arg(&folder).arg("-c").arg(folder.join("conf")))?;
    let mut server = Server { child, folder, port, pids: Vec::new() };
    server.wait_until_open()?;
    server.pids = children(server.child.id())?;
    Ok(server)
}

fn start_redis() -> Result<Server> {
    let (folder, port) = (scratch("redis")?, free_port()?);
    let text = port.to_string();
    let arguments = ["--port", &text, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    let child = quiet(Command::new("redis-server").args(arguments).arg("--dir").arg(&folder))?;
    let server = Server { pids: vec![child.id()], child, folder, port };
    server.wait_until_open()?;
    Ok(server)
}

impl Server {
    fn wait_until_open(&self) -> Result<()> {
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        anyhow::bail!("the server does not listen on port {} after 10 s", self.port)
    }
}

pub fn scratch(name: &str) -> Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("fdscope-bench-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// A port that was free a moment ago.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn quiet(command: &mut Command) -> Result<Child> {
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    child.with_context(|| format!("failed to run {:?}", command.get_program()))
}

fn children(pid: u32) -> Result<Vec<u32>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(text.split_whitespace().filter_map(|word| word.parse().ok()).collect())
}

/// The first number behind `label`, quoted or not.
fn figure_behind(text: &str, label: &str) -> Result<f64> {
    let rest = text.split(label).nth(1).with_context(|| format!("no {label} in:\n{text}"))?;
    let word = rest.trim_start().trim_start_matches('"').split(['"', '\n', ',', ' ']).next();
    Ok(word.unwrap_or_default().parse()?)
}
