//! The site of a stack: the first frame above plumbing, found by comparing each frame with the table in `plumbing`.

use fdscope_model::Frame;

use crate::plumbing::Class::{self, Interpreter, Library, Script, Wrapper};
use crate::plumbing::Row;

/// Marks the frames that are plumbing, and returns the index of the site: the first frame above it.
///
/// Where every frame is plumbing, the site is the one that tells most: what a script called, the outermost library
/// frame before its interpreter; without an interpreter the outermost before a thread's start. `None` only for no
/// frames.
pub fn mark(table: &[Row], frames: &mut [Frame]) -> Option<usize> {
    let classes: Vec<Option<Class>> = frames.iter().map(|frame| class_of(table, frame)).collect();
    for (frame, class) in frames.iter_mut().zip(&classes) {
        frame.plumbing = class.is_some();
    }
    let position = |wanted: Class| classes.iter().position(|&class| class == Some(wanted));
    let nearest = || {
        let boundary = position(Script).or_else(|| position(Interpreter)).unwrap_or(classes.len());
        let telling = |class: &Option<Class>| matches!(class, Some(Wrapper | Library));
        classes[..boundary].iter().rposition(telling).or(boundary.checked_sub(1))
    };
    let first = classes.iter().position(Option::is_none);
    let above =
        script_called(frames, &classes).filter(|called| first.is_some_and(|at| at > *called));
    above.or(first).or_else(nearest).or(classes.len().checked_sub(1))
}

/// The library function that a script called, where nothing names the script's code: what lies above that code (an
/// event loop, a parser that calls back) did not ask for the handle.
fn script_called(frames: &[Frame], classes: &[Option<Class>]) -> Option<usize> {
    let generated = |frame: &Frame| frame.module.is_empty() && frame.symbol.function.is_none();
    let script = frames.iter().position(generated)?;
    classes[..script].iter().rposition(|class| *class == Some(Library))
}

fn class_of(table: &[Row], frame: &Frame) -> Option<Class> {
    let module = frame.module.bytes();
    let base = module.rsplit(|&b| b == b'/').next().unwrap_or(module);
    let Some(function) = &frame.symbol.function else {
        // Code of a just-in-time compiler that names nothing: a script's, but not one to show.
        let unnamed = if module.is_empty() { Some(Script) } else { None };
        return unnamed.or_else(|| class_of_name(table, base, "", ""));
    };
    let (name, file) = (bare(function), frame.symbol.file.as_deref().unwrap_or(""));
    let Some(qualified) = name.strip_prefix('<') else {
        return class_of_name(table, base, name, file);
    };
    // `<type as trait>::method` is plumbing if both are; types without a path (`&str`, `T`) do not matter.
    let (subject, role) = split_qualified(qualified);
    let subject = subject.trim_start_matches(['&', '(']).trim_start_matches("mut ");
    let subject = subject.trim_start_matches("dyn ");
    let class = class_of_name(table, base, role.unwrap_or(subject), file)?;
    let foreign = subject.contains("::") && class_of_name(table, base, subject, file).is_none();
    (!foreign).then_some(class)
}

fn class_of_name(table: &[Row], base: &[u8], name: &str, file: &str) -> Option<Class> {
    let fits = |row: &&Row| {
        row.modules.iter().any(|pattern| glob(pattern.as_bytes(), base))
            && row.functions.iter().any(|pattern| glob(pattern.as_bytes(), name.as_bytes()))
            && row.files.iter().any(|pattern| glob(pattern.as_bytes(), file.as_bytes()))
    };
    table.iter().find(fits).map(|row| row.class)
}

/// `type as trait>::method` as type and trait.
fn split_qualified(text: &str) -> (&str, Option<&str>) {
    let mut depth = 0_u32;
    for (i, c) in text.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if depth == 0 => return (&text[..i], None),
            '>' if !text[..i].ends_with('-') => depth -= 1,
            ' ' if depth == 0 && text[i..].starts_with(" as ") => {
                return (&text[..i], Some(&text[i + 4..]));
            }
            _ => {}
        }
    }
    (text, None)
}

/// A function's name without return type and parameters, as C++ templates carry them.
fn bare(name: &str) -> &str {
    let mut depth = 0_u32;
    let mut start = 0;
    for (i, c) in name.char_indices() {
        match c {
            '<' | '[' => depth += 1,
            '>' | ']' => depth = depth.saturating_sub(1),
            '(' if depth == 0 && !name[i..].starts_with("(anonymous namespace)") => {
                // Go's `os.(*File).Close` and Rust's closures go on behind a parenthesis.
                return if name[start..i].ends_with('.') {
                    &name[start..]
                } else {
                    &name[start..i]
                };
            }
            ' ' if depth == 0
                && !name[start..i].ends_with("(anonymous")
                && !name[..i].ends_with("operator") =>
            {
                start = i + 1
            }
            _ => {}
        }
    }
    // Without parameters there is no return type either: `Foo bar` is a name of its own.
    name
}

/// True if `text` is `pattern` with any text for each `*`.
pub fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            retry = Some((p, t));
        } else if pattern.get(p) == Some(&text[t]) {
            (p, t) = (p + 1, t + 1);
        } else if let Some((after, from)) = retry {
            (p, t) = (after, from + 1);
            retry = Some((after, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&b| b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plumbing::PLUMBING;
    use fdscope_model::Symbol;

    fn frame(text: &str) -> Frame {
        let (module, function) = text.split_once('!').unwrap();
        let (function, file) = match function.split_once('@') {
            Some((function, file)) => (function, Some(file.to_owned())),
            None => (function, None),
        };
        let function = Some(function.to_owned()).filter(|f| !f.is_empty());
        Frame {
            symbol: Symbol { function, file, ..Symbol::default() },
            module: module.into(),
            build_id: None,
            offset: 0,
            plumbing: false,
        }
    }

    #[test]
    fn unnamed_script_code_hides_what_called_it() {
        check(
            &[
                "/lib/libc.so.6!__open64",
                "/usr/bin/node!uv_fs_open",
                "/usr/bin/node!node::fs::OpenSync(v8::FunctionCallbackInfo<v8::Value> const&)",
                "!",
                "/usr/bin/node!llhttp__internal_execute",
                "/usr/bin/node!main",
            ],
            "/usr/bin/node!node::fs::OpenSync(v8::FunctionCallbackInfo<v8::Value> const&)",
        );
        check(&["/lib/libc.so.6!__open64", "!", "/bin/app!main"], "/bin/app!main");
    }

    /// The site of a stack, innermost first, each frame as `module!function@file`.
    fn check(stack: &[&str], expected: &str) {
        let mut frames: Vec<Frame> = stack.iter().map(|text| frame(text)).collect();
        let at = mark(PLUMBING, &mut frames).unwrap();
        assert_eq!(stack[at], expected, "{stack:?}");
    }

    #[test]
    fn c_programs() {
        check(&["/lib/libc.so.6!open64", "/bin/app!load", "/bin/app!main"], "/bin/app!load");
        check(&["/lib/libc.so.6!", "/lib/libc.so.6!", "/bin/app!"], "/bin/app!");
        check(
            &[
                "/bin/static!__open64_nocancel",
                "/bin/static!_IO_file_open",
                "/bin/static!fopen",
                "/bin/static!load",
            ],
            "/bin/static!load",
        );
        check(&["/lib/ld-musl-x86_64.so.1!", "/bin/app!openlog_file"], "/bin/app!openlog_file");
        check(
            &["/lib/libc.so.6!open64", "/lib/libsqlite3.so.0!unixOpen", "/bin/app!main"],
            "/lib/libsqlite3.so.0!unixOpen",
        );
        check(&["/lib/libasan.so.8!", "/bin/app!main"], "/bin/app!main");
    }

    #[test]
    fn rust_programs() {
        check(
            &[
                "/lib/libc.so.6!open64",
                "/bin/app!std::sys::fs::unix::File::open_c::{{closure}}",
                "/bin/app!std::fs::OpenOptions::_open",
                "/bin/app!<std::fs::OpenOptions>::open::<&str>",
                "/bin/app!app::store::load",
                "/bin/app!core::ops::function::FnOnce::call_once",
                "/bin/app!std::rt::lang_start",
            ],
            "/bin/app!app::store::load",
        );
        check(
            &[
                "/bin/app!<std::net::tcp::TcpStream>::connect",
                "/bin/app!<app::Client as app::Dial>::dial",
            ],
            "/bin/app!<app::Client as app::Dial>::dial",
        );
    }

    #[test]
    fn rust_qualified_paths() {
        let check = |name: &str, plumbing: bool| {
            let got = class_of(PLUMBING, &frame(&format!("/bin/app!{name}"))).is_some();
            assert_eq!(got, plumbing, "{name}");
        };
        check("<std::fs::File as app::Leak>::leak", false);
        check("<app::Job as core::ops::function::FnOnce<()>>::call_once", false);
        check("<alloc::boxed::Box<app::Job> as core::ops::function::FnOnce<()>>::call_once", true);
        check("<&str as core::convert::AsRef<std::path::Path>>::as_ref", true);
        check("<std::fs::OpenOptions>::open::<&str>", true);
        check("<app::store::Store>::open", false);
    }

    #[test]
    fn cpp_programs() {
        check(
            &[
                "/lib/libc.so.6!open",
                "/lib/libstdc++.so.6!std::__basic_file<char>::open(char const*, std::_Ios_Openmode, int)",
                "/bin/app!std::basic_ifstream<char, std::char_traits<char> >::basic_ifstream(char const*)",
                "/bin/app!std::string app::read<int>(char const*)",
            ],
            "/bin/app!std::string app::read<int>(char const*)",
        );
        check(
            &["/lib/libc.so.6!open", "/bin/app!(anonymous namespace)::leak(int)", "/bin/app!main"],
            "/bin/app!(anonymous namespace)::leak(int)",
        );
        check(
            &[
                "/lib/libc.so.6!open",
                "/bin/app!void std::__invoke_impl<void>(int)",
                "/bin/app!app::work()",
            ],
            "/bin/app!app::work()",
        );
    }

    #[test]
    fn go_programs() {
        check(
            &[
                "/bin/app!internal/runtime/syscall.Syscall6",
                "/bin/app!syscall.openat",
                "/bin/app!os.OpenFile",
                "/bin/app!os.Open",
                "/bin/app!main.leak",
                "/bin/app!main.main",
                "/bin/app!runtime.main",
            ],
            "/bin/app!main.leak",
        );
        check(
            &[
                "/bin/app!net.(*sysDialer).dialTCP",
                "/bin/app!net/http.(*Transport).dial",
                "/bin/app!github.com/x/y.(*Client).Do",
            ],
            "/bin/app!github.com/x/y.(*Client).Do",
        );
    }

    #[test]
    fn scripts_name_what_they_called() {
        check(
            &[
                "/lib/libc.so.6!open64",
                "/usr/bin/python3!_io_FileIO___init__",
                "/usr/bin/python3!type_call",
                "/usr/bin/python3!_io_open",
                "/usr/bin/python3!cfunction_vectorcall_FASTCALL_KEYWORDS",
                "/usr/bin/python3!_PyEval_EvalFrameDefault",
                "/usr/bin/python3!Py_RunMain",
            ],
            "/usr/bin/python3!_io_open",
        );
        check(
            &[
                "/lib/libc.so.6!open64",
                "/usr/bin/python3!_io_open",
                "/usr/bin/python3!_PyEval_EvalFrameDefault",
                "!leak",
            ],
            "!leak",
        );
        check(
            &[
                "/lib/libc.so.6!open64",
                "/usr/bin/node!uv__fs_open",
                "/usr/bin/node!uv__fs_work",
                "/usr/bin/node!worker@../deps/uv/src/threadpool.c",
                "/lib/libc.so.6!start_thread",
            ],
            "/usr/bin/node!worker@../deps/uv/src/threadpool.c",
        );
        check(
            &[
                "/lib/libc.so.6!open64",
                "/usr/bin/node!uv_fs_open@../deps/uv/src/unix/fs.c",
                "/usr/bin/node!node::fs::Open(v8::FunctionCallbackInfo<v8::Value> const&)",
                "/usr/bin/node!v8::internal::Builtin_HandleApiCall(int)",
                "!openSync@node:fs",
                "!leak@/srv/app.js",
                "/usr/bin/node!Builtins_JSEntry",
            ],
            "!leak@/srv/app.js",
        );
        check(
            &[
                "/lib/libc.so.6!open64",
                "/usr/bin/node!uv_fs_open@../deps/uv/src/unix/fs.c",
                "/usr/bin/node!node::fs::Open(v8::FunctionCallbackInfo<v8::Value> const&)",
                "/usr/bin/node!v8::internal::Builtin_HandleApiCall(int)",
                "!",
                "/usr/bin/node!Builtins_JSEntry",
            ],
            "/usr/bin/node!node::fs::Open(v8::FunctionCallbackInfo<v8::Value> const&)",
        );
        check(
            &[
                "/lib/libc.so.6!open64",
                "/jdk/libjava.so!handleOpen",
                "/jdk/libjava.so!Java_java_io_FileInputStream_open0",
                "/jdk/libjvm.so!",
            ],
            "/jdk/libjava.so!Java_java_io_FileInputStream_open0",
        );
    }

    #[test]
    fn all_plumbing_still_points_somewhere() {
        check(&["/lib/libc.so.6!open64", "/lib/libc.so.6!clone3"], "/lib/libc.so.6!open64");
        assert_eq!(mark(PLUMBING, &mut []), None);
    }

    #[test]
    fn bare_names() {
        let check = |name, expected| assert_eq!(bare(name), expected);
        check("f(int)", "f");
        check("std::string f<int>(std::string)", "f<int>");
        check("std::map<int, int>::operator[](int const&)", "std::map<int, int>::operator[]");
        check("os.(*File).Close", "os.(*File).Close");
        check("<a as b>::c", "<a as b>::c");
        check("(anonymous namespace)::g(char)", "(anonymous namespace)::g");
        check("operator new(unsigned long)", "operator new");
    }

    #[test]
    fn globs() {
        let check = |p: &str, t: &str, expected| {
            assert_eq!(glob(p.as_bytes(), t.as_bytes()), expected, "{p} {t}")
        };
        check("*", "", true);
        check("a*c", "abc", true);
        check("a*c", "abcd", false);
        check("*b*", "abc", true);
        check("a", "", false);
        check("*ab", "aab", true);
    }
}
