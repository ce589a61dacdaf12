//! Python frames among native ones: in the place of the evaluation loop that runs them.
//!
//! The site of such a stack is the first frame of a program's own Python code. Which files are not a program's own is
//! a table, as `plumbing` is for native code; a Python function is never taken for the C function of its name.

use fdscope_model::{Frame, Symbol};

use super::PythonFrame;
use crate::site::glob;

/// What a Python file is, if it is not the program's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    /// Installed beside the interpreter: a program's choice, and worth showing.
    Package,
    /// A library that opens on its caller's behalf.
    Library,
    /// Where programs, threads and tasks begin.
    Start,
}

/// Files, by the first row that fits.
#[rustfmt::skip]
static FILES: &[(Part, &[&str])] = &[
    // Clients and event loops from outside the standard library.
    (Part::Library, &[
        "*-packages/urllib3/*", "*-packages/requests/*", "*-packages/httpcore/*", "*-packages/httpx/*",
        "*-packages/anyio/*", "*-packages/trio/*", "*-packages/gevent/*", "*-packages/eventlet/*", "*-packages/curio/*",
        "*-packages/fsspec/*", "*-packages/aiofiles/*", "*-packages/smart_open/*",
    ]),
    (Part::Package, &["*/site-packages/*", "*/dist-packages/*"]),
    (Part::Start, &[
        "<frozen *", "*/python3*/runpy.py", "*/python3*/threading.py", "*/python3*/asyncio/runners.py",
        "*/python3*/asyncio/base_events.py", "*/python3*/asyncio/events.py", "*/python3*/concurrent/futures/*",
        "*/python3*/multiprocessing/*", "*/python3*/importlib/*",
    ]),
    (Part::Library, &["*/lib/python3*", "*/lib64/python3*", "*/Python.framework/Versions/*/lib/*"]),
];

fn part_of(frame: &Frame) -> Option<Part> {
    let file = frame.symbol.file.as_deref()?.as_bytes();
    let fits = |(_, globs): &&(Part, &[&str])| globs.iter().any(|g| glob(g.as_bytes(), file));
    FILES.iter().find(fits).map(|row| row.0)
}

/// Puts `python` frames, innermost first, among the `native` ones, which are marked already, with their site at
/// `at`. Returns all of them, and the site.
pub fn splice(
    native: Vec<Frame>,
    at: Option<usize>,
    python: &[&PythonFrame],
) -> (Vec<Frame>, Option<usize>) {
    let mut groups = python.split_inclusive(|frame| frame.outermost);
    let mut frames = Vec::with_capacity(native.len() + python.len());
    let (mut spliced, mut native_at) = (Vec::new(), None);
    let mut add = |frames: &mut Vec<Frame>, group: &[&PythonFrame]| {
        spliced.extend(frames.len()..frames.len() + group.len());
        frames.extend(group.iter().map(|frame| frame_of(frame)));
    };
    for (index, frame) in native.into_iter().enumerate() {
        if at == Some(index) && !frame.plumbing {
            native_at = Some(frames.len());
        }
        let group = if is_evaluation(&frame) { groups.next() } else { None };
        match group {
            Some(group) => add(&mut frames, group),
            None => frames.push(frame),
        }
    }
    // The native stack was cut short, or its evaluation loop has no name.
    groups.for_each(|group| add(&mut frames, group));
    let site = own_site(&frames, &spliced).or(native_at).or_else(|| nearest(&frames, &spliced));
    (frames, site)
}

/// True for the function that runs Python code: one call of it is one native frame.
fn is_evaluation(frame: &Frame) -> bool {
    let function = frame.symbol.function.as_deref().unwrap_or("");
    function.starts_with("_PyEval_EvalFrameDefault") || function.starts_with("_TAIL_CALL_")
}

fn frame_of(python: &PythonFrame) -> Frame {
    let (symbol, module) = match &python.code {
        Some((function, file)) => {
            let line = u32::try_from(python.place).ok().filter(|&line| line > 0);
            let function = Some(function.clone());
            (Symbol { function, file: Some(file.clone()), line, inlined: false }, file.as_str())
        }
        None => {
            let function = Some("(Python code that is gone)".to_owned());
            (Symbol { function, ..Symbol::default() }, "")
        }
    };
    let offset = python.place;
    let mut frame =
        Frame { symbol, module: module.into(), build_id: None, offset, plumbing: false };
    // Code that is gone was run once, as a module's is on import: whoever imported it says more.
    let gone = python.code.is_none();
    frame.plumbing = gone || matches!(part_of(&frame), Some(Part::Library | Part::Start));
    frame
}

fn own_site(frames: &[Frame], spliced: &[usize]) -> Option<usize> {
    spliced.iter().copied().find(|&index| !frames[index].plumbing)
}

/// Where all is library: the outermost function of it that is not where programs begin.
fn nearest(frames: &[Frame], spliced: &[usize]) -> Option<usize> {
    let library = |&&index: &&usize| part_of(&frames[index]) == Some(Part::Library);
    let function = |&&index: &&usize| frames[index].symbol.function.as_deref() != Some("<module>");
    let outermost = || spliced.iter().rev().filter(library);
    outermost().find(function).or_else(|| outermost().next()).or(spliced.last()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `C!function` is native, `file:line function` Python; a trailing `|` is the outermost of a native call.
    fn check(native: &[&str], python: &[&str], expected: &[&str], site: usize) {
        let native = native.iter().map(|name| Frame {
            symbol: Symbol { function: Some((*name).into()), ..Symbol::default() },
            module: "python3.11".into(),
            build_id: None,
            offset: 0,
            plumbing: !name.starts_with("own"),
        });
        let python: Vec<PythonFrame> = python.iter().map(|text| python_frame(text)).collect();
        let native: Vec<Frame> = native.collect();
        let at = native.iter().position(|frame| !frame.plumbing);
        let (frames, at) = splice(native, at, &python.iter().collect::<Vec<_>>());
        let got: Vec<_> = frames.iter().map(|f| f.symbol.function.as_deref().unwrap()).collect();
        assert_eq!((got.as_slice(), at), (expected, Some(site)));
    }

    fn python_frame(text: &str) -> PythonFrame {
        let (place, function) = text.rsplit_once(' ').unwrap();
        let (file, line) = place.rsplit_once(':').unwrap();
        PythonFrame {
            code: Some((function.trim_end_matches('|').into(), file.into())),
            place: line.parse().unwrap(),
            outermost: function.ends_with('|'),
        }
    }

    const LOOP: &str = "_PyEval_EvalFrameDefault";

    #[test]
    fn one_native_call_holds_several_frames() {
        check(
            &["open64", LOOP, "PyEval_EvalCode", "main"],
            &["/a.py:3 leak", "/a.py:9 <module>|"],
            &["open64", "leak", "<module>", "PyEval_EvalCode", "main"],
            1,
        );
    }

    #[test]
    fn native_code_between_stays_between_and_is_not_the_site() {
        check(
            &["own_open", LOOP, "own_visit", LOOP, "main"],
            &["/a.py:3 callback|", "/a.py:9 main", "/a.py:12 <module>|"],
            &["own_open", "callback", "own_visit", "main", "<module>", "main"],
            1,
        );
    }

    #[test]
    fn the_standard_library_is_plumbing_and_packages_are_not() {
        let library = ["/usr/lib/python3.11/socket.py:1 create_connection"];
        check(
            &["connect", LOOP],
            &[library[0], "/srv/app.py:7 fetch|"],
            &["connect", "create_connection", "fetch"],
            2,
        );
        let package = "/venv/lib/python3.11/site-packages/redis/connection.py:1 connect";
        check(&["c", LOOP], &[library[0], package], &["c", "create_connection", "connect"], 2);
    }

    #[test]
    fn a_stack_of_library_code_only_is_named_by_its_outermost_function() {
        let [accept, serve] =
            ["/usr/lib/python3.11/socket.py:1 accept", "/usr/lib/python3.11/http/server.py:5 test"];
        let main = "/usr/lib/python3.11/http/server.py:9 <module>";
        check(
            &["accept4", LOOP],
            &[accept, serve, main, "<frozen runpy>:1 _run_code|"],
            &["accept4", "accept", "test", "<module>", "_run_code"],
            2,
        );
    }

    #[test]
    fn more_frames_than_native_calls_are_not_lost() {
        check(
            &["open64"],
            &["/a.py:3 open|", "/a.py:9 <module>|"],
            &["open64", "open", "<module>"],
            1,
        );
    }
}
