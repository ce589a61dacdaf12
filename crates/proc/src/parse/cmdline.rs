//! /proc/PID/cmdline: arguments, each ended by NUL; and which argument of an interpreter is the program.

/// The arguments, `argv[0]` first. A process may write over them, so they can be anything.
pub fn parse_cmdline(bytes: &[u8]) -> Vec<&[u8]> {
    if bytes.is_empty() {
        return Vec::new();
    }
    bytes.strip_suffix(b"\0").unwrap_or(bytes).split(|&b| b == 0).collect()
}

/// How an interpreter is told what to run.
struct Interpreter {
    /// What its file name begins with; digits, dots and dashes may follow (`python3.11`).
    name: &'static [u8],
    /// Options that take the next argument and are not the program.
    valued: &'static [&'static [u8]],
    /// Options whose next argument is the program (`python -m`, `java -jar`).
    program: &'static [&'static [u8]],
}

const SHELL: Interpreter =
    Interpreter { name: b"sh", valued: &[b"-o", b"-O", b"--rcfile"], program: &[] };

/// A table, so that the next language is a row.
const INTERPRETERS: &[Interpreter] = &[
    Interpreter { name: b"python", valued: &[b"-W", b"-X"], program: &[b"-m"] },
    Interpreter { name: b"pypy", valued: &[b"-W", b"-X"], program: &[b"-m"] },
    Interpreter {
        name: b"node",
        valued: &[b"-r", b"--require", b"--import", b"--loader"],
        program: &[],
    },
    Interpreter { name: b"nodejs", valued: &[b"-r", b"--require", b"--import"], program: &[] },
    Interpreter { name: b"deno", valued: &[], program: &[b"run"] },
    Interpreter { name: b"bun", valued: &[], program: &[b"run"] },
    Interpreter {
        name: b"java",
        valued: &[b"-cp", b"-classpath", b"--class-path", b"-p", b"--module-path", b"--add-opens"],
        program: &[b"-jar", b"-m", b"--module"],
    },
    Interpreter { name: b"ruby", valued: &[b"-r", b"-I"], program: &[] },
    Interpreter { name: b"perl", valued: &[b"-I"], program: &[] },
    Interpreter { name: b"php", valued: &[b"-d", b"-c"], program: &[b"-f"] },
    Interpreter { name: b"lua", valued: &[b"-l"], program: &[] },
    Interpreter { name: b"dotnet", valued: &[], program: &[b"exec"] },
    Interpreter { name: b"beam.smp", valued: &[], program: &[] },
    SHELL,
    Interpreter { name: b"bash", ..SHELL },
    Interpreter { name: b"dash", ..SHELL },
    Interpreter { name: b"zsh", ..SHELL },
    Interpreter { name: b"ksh", ..SHELL },
];

/// The file name of the script, module or class that an interpreter runs; `None` if `executable` (a path) is no
/// known interpreter or runs no script.
pub fn script_of<'a>(executable: &[u8], arguments: &[&'a [u8]]) -> Option<&'a [u8]> {
    let interpreter = find_interpreter(file_name(executable))?;
    let mut rest = arguments.iter().skip(1).copied();
    while let Some(argument) = rest.next() {
        if interpreter.program.contains(&argument) {
            return rest.next().map(file_name);
        }
        if interpreter.valued.contains(&argument) {
            rest.next();
        } else if matches!(argument, b"-c" | b"-e" | b"-s") {
            return None;
        } else if !argument.starts_with(b"-") && !argument.is_empty() {
            return Some(file_name(argument));
        }
    }
    None
}

fn find_interpreter(file: &[u8]) -> Option<&'static Interpreter> {
    INTERPRETERS.iter().find(|row| {
        file.strip_prefix(row.name)
            .is_some_and(|rest| rest.iter().all(|&b| b.is_ascii_digit() || b == b'.' || b == b'-'))
    })
}

/// What stands after the last slash.
pub(crate) fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&b| b == b'/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_end_with_nul() {
        assert_eq!(parse_cmdline(b"a\0\0b\0"), [&b"a"[..], b"", b"b"]);
        assert_eq!(parse_cmdline(b"nginx: worker"), [&b"nginx: worker"[..]]);
        assert!(parse_cmdline(b"").is_empty());
    }

    #[test]
    fn interpreters_are_known_by_their_script() {
        let check = |line: &str, expected: Option<&str>| {
            let arguments: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let found = script_of(arguments[0], &arguments);
            assert_eq!(found, expected.map(str::as_bytes), "{line}");
        };
        check("/usr/bin/python3.11 -X dev /srv/app.py --port 1", Some("app.py"));
        check("python3 -m http.server 80", Some("http.server"));
        check("python3 -c pass", None);
        check("/usr/bin/node --require x.js server.js", Some("server.js"));
        check("java -Xmx1g -cp a.jar com.example.Main", Some("com.example.Main"));
        check("java -jar /opt/app.jar", Some("app.jar"));
        check("/bin/bash /etc/init.d/run.sh", Some("run.sh"));
        check("/bin/bash -c ls", None);
        check("/usr/bin/nginx -g x", None);
        check("/usr/bin/pythonista x", None);
    }
}
