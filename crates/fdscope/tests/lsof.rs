//! `fdscope lsof` beside the real lsof, on processes that do nothing: the same bytes, codes and messages.
//!
//! What must differ is made equal first, and nothing else: docs/lsof.md gives each reason.

mod common;

use std::process::Output;

use common::run;
use fdscope_fixtures::Fixture;

/// The real lsof, if it is here.
struct Real {
    /// 4.95.0 is (4, 95, 0).
    version: (u32, u32, u32),
}

impl Real {
    fn find() -> Option<Real> {
        let output = std::process::Command::new("lsof").arg("-v").output();
        let said = output.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
        let said = said.unwrap_or_default();
        let Some((_, text)) = said.split_once("revision: ") else {
            println!("skipped: needs lsof");
            return None;
        };
        let text = text.split_whitespace().next().unwrap_or_default();
        let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
        let mut part = || parts.next().unwrap_or(0);
        Some(Real { version: (part(), part(), part()) })
    }

    /// Runs both: fdscope, then lsof.
    fn both(arguments: &[&str]) -> (Output, Output) {
        let real = std::process::Command::new("lsof").env("LC_ALL", "C").args(arguments).output();
        let real = real.expect("it was found");
        let mut ours = common::fdscope();
        let ours = ours.env("LC_ALL", "C").arg("lsof").args(arguments).output();
        (ours.expect("fdscope is built for its tests"), real)
    }

    /// Runs both and compares all that can be seen.
    fn check(&self, arguments: &[&str]) {
        let (mut ours, mut real) = Self::both(arguments);
        let what = arguments.join(" ");
        // Some selections are of the whole machine, where a stranger may hold a chosen port or folder in one look only.
        for _ in 0..4 {
            if self.told(&ours.stdout) == self.told(&real.stdout) {
                break;
            }
            (ours, real) = Self::both(arguments);
        }
        let (told, expected) = (self.told(&ours.stdout), self.told(&real.stdout));
        for (ours, real) in told.lines().zip(expected.lines()) {
            assert_eq!(ours, real, "lsof {what}");
        }
        assert_eq!(told, expected, "lsof {what}");
        assert_eq!(self.said(&ours), self.said(&real), "messages of lsof {what}");
        assert_eq!(ours.status.code(), real.status.code(), "exit code of lsof {what}");
    }

    /// What was printed, without what must differ.
    fn told(&self, stdout: &[u8]) -> String {
        let text = String::from_utf8_lossy(stdout).replace('\0', "\n");
        // Older ones have a column more before FD.
        let one_blank = |line: &str| {
            line.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
        };
        let lines: Vec<String> = text.lines().map(one_blank).collect();
        let mut told = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            let file = lines[..index].iter().rposition(|line| line.starts_with('f')).unwrap_or(0);
            let of_file = &lines[file..index];
            // 4.95 has no offset for what has a size.
            let sized = of_file.iter().any(|line| line.starts_with('s'));
            if line.starts_with("o0") && sized && self.version < (4, 99, 0) {
                continue;
            }
            // Connected UDP sockets have a state since 4.99.7.
            let udp = of_file.iter().any(|line| line == "PUDP");
            if line == "TST=ESTABLISHED" && udp {
                continue;
            }
            let udp = line.contains(" UDP ");
            told.push(if udp {
                line.replace(" (ESTABLISHED)", "").replace("(ESTABLISHED QR", "(QR")
            } else {
                line.clone()
            });
        }
        told.join("\n")
    }

    /// What was said, without the version and the letters of newer options.
    fn said(&self, output: &Output) -> String {
        let text = String::from_utf8_lossy(&output.stderr);
        let lines = text.lines().map(|line| match line {
            line if line.starts_with("lsof 4.") => "lsof VERSION",
            line if line.starts_with(" usage: [-?ab") => " usage: [LETTERS",
            line => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// A process that holds one of everything, in a folder of its own.
struct Held {
    fixture: Fixture,
    folder: tempfile::TempDir,
    ports: [String; 3],
}

impl Held {
    fn start() -> Held {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().to_str().expect("UTF-8").to_owned();
        let mut command = std::process::Command::new(fdscope_fixtures::c("held"));
        command.arg(path);
        let mut fixture = Fixture::spawn(command);
        let line = fixture.wait_for("port");
        let ports = ["tcp", "tcp6", "udp"].map(|key| line.text(key).to_owned());
        fixture.wait_for("ready");
        Held { fixture, folder, ports }
    }

    /// Replaces what only this run knows, and splits into words.
    fn words(&self, arguments: &str) -> Vec<String> {
        let [tcp, tcp6, udp] = &self.ports;
        let pid = self.fixture.pid().to_string();
        let folder = self.folder.path().to_str().expect("UTF-8");
        let known = |word: &str| {
            let word = word.replace("PID", &pid).replace("FOLDER", folder);
            word.replace("PORT6", tcp6).replace("PORTU", udp).replace("PORT", tcp)
        };
        arguments.split_whitespace().map(known).collect()
    }

    fn check(&self, real: &Real, lines: &[&str]) {
        for line in lines {
            let words = self.words(line);
            real.check(&words.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}

#[test]
fn tables_are_those_of_lsof() {
    let Some(real) = Real::find() else { return };
    let held = Held::start();
    held.check(
        &real,
        &[
            "-nP -a -p PID",
            "-a -p PID",
            "-nP -a -p PID -o",
            "-nP -a -p PID -o3",
            "-nP -a -p PID -s",
            "-nP -a -p PID -l",
            "-nP -a -p PID -R -g",
            "-nP -a -p PID +L",
            "-nP -a -p PID -T",
            "-nP -a -p PID -Tqs",
            "-nP -a -p PID +fg",
            "-nP -a -p PID +fG",
            "-nP -a -p PID +c 15",
            "-nP -a -p PID -X",
            "-nP -K -a -p PID -d 0,1",
        ],
    );
}

#[test]
fn fields_are_those_of_lsof() {
    let Some(real) = Real::find() else { return };
    let held = Held::start();
    held.check(
        &real,
        &[
            "-nP -F -a -p PID",
            "-nP -F0 -a -p PID",
            "-nP -Fpcfatn -a -p PID",
            "-nP -Fpcfatn0 -a -p PID",
            "-nP -FpDrdiPT -a -p PID",
            "-nP -Fn -a -p PID -i",
            "-F -p PID -a -d 0-2 -l",
        ],
    );
}

#[test]
fn selections_are_those_of_lsof() {
    let Some(real) = Real::find() else { return };
    let held = Held::start();
    held.check(
        &real,
        &[
            "-t -a -p PID -i",
            "-nP -a -p PID -i4",
            "-nP -a -p PID -i6",
            "-nP -a -p PID -i4 -i6",
            "-nP -a -p PID -iTCP",
            "-nP -a -p PID -iUDP",
            "-nP -i :PORT",
            "-nP -a -p PID -i TCP@127.0.0.1:PORT",
            "-nP -a -p PID -i 4tcp:PORT,PORT6",
            "-nP -a -p PID -i udp:PORTU",
            "-nP -a -p PID -i 6TCP:PORT6",
            "-nP -a -p PID -i TCP@[::1]:PORT6",
            "-nP -a -p PID -i TCP:PORT -s TCP:LISTEN",
            "-nP -a -p PID -i TCP:PORT -s TCP:^LISTEN",
            "-nP -a -p PID -U",
            "-nP -a -p PID -d 0-5",
            "-nP -a -p PID -d cwd,rtd,txt",
            "-nP -a -p PID -d ^0-9,^mem,^txt,^DEL",
            "-nP -a -c held -p PID -d 3",
            "-nP -a -c ^held -p PID",
            "-nP -a -c /^he.d$/ -p PID -d 3",
            "-nP -a -c /^HELD/i -p PID -d 3",
            "-nP -a -c /he\\(ld\\)/b -p PID -d 3",
            "-nP -a -p PID +L1",
            "-nP -a -u 0 -p PID -d 3",
            "-nP -a -u ^0 -p PID -d 3",
            "-nP -a -p PID FOLDER/whole",
            "-nP -a -p PID FOLDER/flocked FOLDER/part",
            "-nP -a -p PID FOLDER/socket",
            "-nP -a -p PID -f -- FOLDER/below",
            "-nP +d FOLDER",
            "-nP -a -p PID +D FOLDER",
            "-t -a -p PID +D FOLDER",
            "-t FOLDER/whole",
            "-nPw -a -p PID -d 3",
            "-r1c1mround -nP -a -p PID -d 3",
            "+r1c1mround -nP -a -p PID -d 3",
            "-r1c1m%% -F -nP -a -p PID -d 3",
        ],
    );
}

/// The options that are seldom typed.
#[test]
fn every_other_option_does_as_lsof_does() {
    let Some(real) = Real::find() else { return };
    let held = Held::start();
    held.check(
        &real,
        &[
            "-N -a -p PID",
            "-nP -N -a -p PID",
            "-nPw -b -a -p PID -d 0-5",
            "-nP -O -a -p PID -d 0-9",
            "-nP -S 5 -a -p PID -d 3",
            "-nP -M -a -p PID -i",
            "-nP +M -a -p PID -i",
            "-nP -L -a -p PID",
            "-nP -V -a -p PID -d 3",
            "-nP -V -a -p PID -d 33",
            "-nP -x -a -p PID +d FOLDER",
            "-nP -x f -a -p PID +d FOLDER",
            "-nP -x l -a -p PID +D FOLDER",
            "-nP -xfl -a -p PID +D FOLDER",
            "-nP -K i -a -p PID -d 3",
            "-nP -a -g ^1 -p PID -d 3",
            "-nP -a -u ^root,^daemon -p PID",
            "-nP -a -p PID -l -R -g -d 3",
            "-nP -a -p PID +w -d 3",
            "-nP -a -p PID -T f -i",
            "-nP -a -p PID -Ts -i",
            "-nP -a -p PID -Tq -i",
            "-nP -a -p PID -T -i",
            "-i -a -p PID",
            "-n -i -a -p PID",
            "-P -i -a -p PID",
            "-nP -a -p PID -iTCP -sTCP:LISTEN,ESTABLISHED",
            "-nP -a -p PID -o 2 -d 3",
            "-nP -a -p PID -o0",
            "-nP -a -p PID -s -d 3",
            "-nP -a -p PID +f -d 3",
            "-nP -a -p PID +fc -d 3",
            "-nP -a -p PID -fg -d 3",
            "-nP -a -p PID -f -d 3",
            "-nP -a -p PID,999999999 -d cwd",
            "-nP -a -p PID -p 999999999 -d rtd",
            "-nP -a -p PID +c 0 -d 3",
            "-nP -a -p PID +c2 -d 3",
            "-nP -a -p PID +r 1c1 -d 3",
            "-nP -a -p PID -r1c2m==%Y== -d 3",
            "-nP -a -p PID -E -U",
            "-nP -a -p PID /",
            "-nP -a -p PID -Q FOLDER/nothing",
            "-Q -p 999999999",
            "-Q -V -c no-such-name",
            "-Q -V -g 999999",
            "-Q -V -i :1",
            "-F?",
            "-C",
            "-z",
            "-Z",
            "-k x",
            "-A x",
            "-Di",
            "-e /no-such-mount",
        ],
    );
}

#[test]
fn what_is_missing_or_wrong_is_told_as_lsof_tells_it() {
    let Some(real) = Real::find() else { return };
    let held = Held::start();
    held.check(
        &real,
        &[
            "-p 999999999",
            "-c no-such-name",
            "-i :1",
            "FOLDER/nothing",
            "-Q FOLDER/nothing",
            "-a -p PID FOLDER/nothing FOLDER/whole",
            "-V -p 999999999 -c no-such-name -i :1",
            "-a",
            "-y",
            "-:",
            "-p",
            "-p x",
            "-p 1,^1",
            "-c",
            "-c /x",
            "-c /x/q",
            "-c /(/",
            "-c /x/bx",
            "-c ^a -c a",
            "-c a-name-that-is-too-long",
            "-d",
            "-d 5-3",
            "-d 1,^2",
            "-d -3",
            "-i xyz",
            "-i :",
            "-i :no-such-service",
            "-i 4@[::1]",
            "-i 6@1.2.3.4",
            "-i @",
            "-i :9-8",
            "-i tcp:",
            "-i :80x",
            "-s xyz",
            "-s tcp:",
            "-s tcp:NO",
            "-s tcp:LISTEN,LISTEN",
            "-s tcp:LISTEN,^LISTEN",
            "-u no-such-user",
            "-g x",
            "-o -s",
            "-F -t",
            "-Fq",
            "-x",
            "-x q",
            "-D",
            "-D /x",
            "+D",
            "+D FOLDER/nothing",
            "+d FOLDER/whole",
            "-m",
            "-T x",
            "-L1",
            "+L1x",
            "-K x",
            "+c",
            "+c x",
            "+c 99",
            "-e",
            "-e FOLDER",
            "+f FOLDER/whole",
            "+fq",
            "-r1m",
            "-S 1 -p 999999999",
            "-X -i",
        ],
    );
}

#[test]
fn json_is_json_with_addresses() {
    let held = Held::start();
    let words = held.words("lsof -nP -J -a -p PID -i TCP:PORT");
    let output = run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let files = json["processes"][0]["files"].as_array().expect("files");
    let name = |file: &serde_json::Value| file["name"].as_str().unwrap_or_default().to_owned();
    let port = &held.ports[0];
    assert!(files.iter().any(|file| name(file) == format!("127.0.0.1:{port}")), "{json}");
    assert!(
        files.iter().any(|file| name(file).ends_with(&format!("->127.0.0.1:{port}"))),
        "{json}"
    );
    assert_eq!(files[0]["tcp_info"]["state"], "LISTEN");
    let words = held.words("lsof -j -a -p PID -d 0-2");
    let output = run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let row: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
        assert_eq!(row["pid"], held.fixture.pid());
    }
}

#[test]
fn called_by_the_name_lsof_it_is_lsof() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = folder.path().join("lsof");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fdscope"), &name).expect("a link");
    let own = std::process::id().to_string();
    let output = std::process::Command::new(&name).args(["-t", "-p", &own]).output().expect("runs");
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{own}\n"));
    let output =
        std::process::Command::new(&name).args(["--", "/no such file"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(said, "lsof: status error on /no such file: No such file or directory\n");
}

#[test]
fn sockets_of_another_network_namespace_are_known() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().to_str().expect("UTF-8");
    let inside = "ip link set lo up && exec \"$0\" \"$1\"";
    let mut command = std::process::Command::new("unshare");
    command.args(["--net", "sh", "-c", inside]).arg(fdscope_fixtures::c("held")).arg(path);
    let may = std::process::Command::new("unshare")
        .args(["--net", "sh", "-c", "ip link set lo up"])
        .output();
    if !may.is_ok_and(|output| output.status.success()) {
        println!("skipped: needs unshare, ip and CAP_SYS_ADMIN");
        return;
    }
    let mut fixture = Fixture::spawn(command);
    let port = fixture.wait_for("port").text("tcp").to_owned();
    let pid = fixture.pid().to_string();
    let output = run(&["lsof", "-nP", "-a", "-p", &pid, "-i", &format!("TCP:{port}")]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text.lines().count(), 4, "a listener and both ends of a connection: {text}");
    assert!(text.contains(&format!("TCP 127.0.0.1:{port} (LISTEN)")), "{text}");
    let output = run(&["lsof", "-nP", "-a", "-p", &pid, "-U"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains(&format!("{path}/socket type=STREAM (LISTEN)")), "{text}");
}
