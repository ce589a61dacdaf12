//! Plumbing: the frames between a system call and the code at fault, by one table.
//!
//! A row names modules (the base name of the file) and functions, both with `*` for any text. A frame is plumbing if
//! a row fits it. C++ and Rust names are compared without their return type and parameters. Libraries that decide for
//! themselves what to open (sqlite, OpenSSL, curl) are not plumbing: a leak in them is theirs, or their caller's
//! use of them, and the reader wants to see them.

use fdscope_model::Frame;

/// What kind of plumbing, from the system call outwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// The C library and what stands in for it: wrappers of system calls.
    Wrapper,
    /// A language's standard library or runtime, an event loop's own input and output.
    Library,
    /// An interpreter's or virtual machine's inside: its caller is a script.
    Interpreter,
    /// Where threads, programs and main loops begin.
    Start,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What it is.
    pub class: Class,
    /// Base names of modules.
    pub modules: &'static [&'static str],
    /// Names of functions; `*` fits frames without a name too.
    pub functions: &'static [&'static str],
}

const fn row(
    class: Class,
    modules: &'static [&'static str],
    functions: &'static [&'static str],
) -> Row {
    Row { class, modules, functions }
}

use Class::{Interpreter, Library, Start, Wrapper};

const ANY: &[&str] = &["*"];
/// The interpreter and the extension modules of its standard library.
const PYTHON: &[&str] = &[
    "python",
    "python2*",
    "python3*",
    "libpython*",
    "uwsgi*",
    "_socket.*",
    "_posixsubprocess.*",
    "select.*",
    "mmap.*",
    "_ssl.*",
    "_asyncio.*",
    "_io.*",
    "_multiprocessing.*",
    "_posixshmem.*",
];

/// The table. The first row that fits a frame decides its class.
#[rustfmt::skip]
pub static PLUMBING: &[Row] = &[
    // Where threads and programs begin.
    row(Start, ANY, &[
        "_start", "__libc_start_main*", "__libc_start_call_main", "_dl_start*", "start_thread", "clone", "clone3",
        "__clone", "__clone3", "thread_start", "pthread_create*", "__pthread_create*", "pthread_start",
        "libc_start_main_stage2", "_IO_cleanup", "exit", "__run_exit_handlers", "call_init", "_dl_init",
    ]),
    row(Start, ANY, &[
        "std::rt::*", "std::panicking::*", "std::panic::*", "std::sys::backtrace::__rust_begin_short_backtrace*",
        "std::sys_common::backtrace::__rust_begin_short_backtrace*", "std::sys::pal::unix::thread::*",
        "std::sys::thread::*", "std::thread::*", "__rust_try*", "__rust_begin_short_backtrace*",
        "std::__invoke*", "std::thread::_Invoker*", "std::thread::_State_impl*", "execute_native_thread_routine",
    ]),
    // System call wrappers.
    row(Wrapper, &["libc.so*", "libc-2.*", "ld-linux*", "ld-2.*", "ld64.so*", "libpthread*", "librt.so*", "librt-*",
        "libdl.so*", "libdl-*", "ld-musl-*", "libc.musl-*", "libresolv*", "libnss_*", "libanl*", "[vdso]",
        "libuClibc*", "libc.so", "libbsd.so*"], ANY),
    row(Wrapper, &["libasan.so*", "libtsan.so*", "liblsan.so*", "libubsan.so*", "libmemcheck*", "vgpreload_*",
        "libjemalloc.so*", "libtcmalloc*", "libfaketime*", "libeatmydata*"], ANY),
    row(Wrapper, ANY, &["__interceptor_*", "___interceptor_*", "__sanitizer_*", "__asan_*", "__tsan_*"]),
    // The same functions linked statically.
    row(Wrapper, ANY, &[
        "open", "open64", "__open*", "_open*", "openat", "openat64", "openat2", "creat", "creat64", "__creat*",
        "fopen", "fopen64", "_IO_new_fopen*", "__fopen_internal", "_IO_file_open", "_IO_file_fopen*",
        "_IO_new_file_fopen", "fdopen", "freopen*", "popen", "_IO_proc_open", "_IO_new_popen", "opendir", "__opendir*",
        "opendir_tail", "fdopendir", "scandir*", "__scandir*", "tmpfile*", "mkstemp*", "mkostemp*", "__gen_tempname",
        "__sys_open*", "sys_open*", "shm_open", "sem_open", "mq_open", "socket", "__socket", "socketpair", "accept",
        "accept4", "__libc_accept*", "pipe", "pipe2", "__pipe*", "dup", "dup2", "dup3", "__dup*", "fcntl", "fcntl64",
        "__fcntl*", "__libc_fcntl*", "epoll_create*", "eventfd*", "signalfd*", "timerfd_create", "inotify_init*",
        "fanotify_init", "memfd_create", "memfd_secret", "userfaultfd", "perf_event_open", "pidfd_open", "io_uring_setup",
        "io_uring_queue_init*", "__io_uring_queue_init*", "close", "__close*", "fclose", "_IO_new_fclose",
        "_IO_file_close*", "_IO_new_file_close_it", "closedir", "__closedir", "pclose", "close_range", "closefrom",
        "syscall", "__syscall*", "__internal_syscall*", "__libc_*", "recvmsg", "__recvmsg", "recvmmsg", "getaddrinfo",
        "gethostby*", "posix_spawn*", "__spawni", "__spawnix", "fork", "__fork", "_Fork", "vfork", "system",
        "do_system", "mmap", "mmap64", "__mmap*", "munmap", "timer_create*", "fopencookie", "dlopen*", "__dlopen*",
    ]),
    // Rust.
    row(Library, ANY, &[
        "std::*", "core::*", "alloc::*", "__rust_*", "tokio::*", "mio::*", "async_std::*", "async_io::*", "smol::*",
        "polling::*", "futures_util::*", "futures_executor::*", "futures_core::*", "rustix::*", "nix::*", "libc::*",
        "socket2::*", "memmap2::*", "tempfile::*", "fs_err::*", "fs4::*", "linux_raw_sys::*", "syscalls::*",
    ]),
    // C++.
    row(Library, &["libstdc++.so*", "libc++.so*", "libc++abi.so*", "libgcc_s.so*", "libboost_*"], ANY),
    row(Library, ANY, &["boost::asio::*", "boost::filesystem::*", "boost::iostreams::*", "boost::detail::*",
        "boost::function*", "__gnu_cxx::*", "folly::File::*", "absl::*", "__basic_file*", "std::__1::*"]),
    // Go.
    row(Library, ANY, &[
        "syscall.*", "internal/*", "os.*", "os/*", "net.*", "net/*", "io.*", "io/*", "bufio.*", "sync.*", "sync/*",
        "crypto/*", "log.*", "log/*", "path/filepath.*", "reflect.*", "time.*", "context.*", "encoding/*", "compress/*",
        "database/sql.*", "golang.org/x/sys/*", "golang.org/x/net/*", "vendor/golang.org/*",
    ]),
    row(Start, ANY, &["runtime.*", "runtime/*", "_rt0_*", "_cgo_*", "crosscall*"]),
    // libuv and Node.
    row(Library, &["libuv.so*"], ANY),
    row(Library, ANY, &["uv_*", "uv__*"]),
    row(Interpreter, &["libnode.so*", "libv8*"], ANY),
    row(Interpreter, ANY, &["node::*", "v8::*", "Builtins_*", "v8_*", "void node::*", "void v8::*", "cppgc::*"]),
    row(Library, ANY, &["node:*"]),
    // Python. Extension modules of the standard library open on a script's behalf.
    row(Library, PYTHON, &[
        "_io*", "_Py_open*", "_Py_dup*", "_Py_fopen*", "_Py_wfopen*", "_Py_close*", "os_*", "posix_*", "_socket*", "sock_*",
        "select_*", "_posixsubprocess*", "subprocess_fork_exec*", "do_fork_exec", "iobase*", "fileio*", "buffered*",
        "textiowrapper*", "mmap_*", "new_mmap_*", "PyFile_*", "_multiprocessing*",
    ]),
    row(Interpreter, PYTHON, ANY),
    row(Start, ANY, &["py::<module>:<frozen *", "py::_*:<frozen *"]),
    // Java: the virtual machine, and the natives of its class library.
    row(Interpreter, &["libjvm.so*", "libj9*"], ANY),
    row(Library, &["libjava.so", "libnio.so", "libnet.so", "libzip.so", "libjli.so", "libextnet.so", "libverify.so"], ANY),
    row(Library, ANY, &["Java_java_*", "Java_sun_*", "JVM_*", "handleOpen", "fileOpen", "Ljava/*", "Lsun/*",
        "Ljdk/*", "java.*", "sun.*", "jdk.internal.*", "void java.*", "void sun.*"]),
    row(Interpreter, ANY, &["Interpreter", "call_stub", "JavaCalls::*", "JavaThread::*", "StubRoutines*", "jni_*",
        "Compilation*", "c2_*", "InvocationCounter*"]),
    // .NET.
    row(Interpreter, &["libcoreclr.so", "libclrjit.so", "libhostfxr.so", "libhostpolicy.so", "libmono*"], ANY),
    row(Library, &["libSystem.Native.so", "libSystem.Net*"], ANY),
    row(Library, ANY, &["*[System.Private.CoreLib]*", "*[System.Net.*", "*[System.IO.*"]),
    // Perl, Ruby, PHP, Lua, Erlang.
    row(Interpreter, &["libperl.so*", "libruby*.so*", "libphp*.so*", "liblua*.so*", "libguile*"], ANY),
    row(Interpreter, &["perl", "perl5*", "ruby*", "php", "php7*", "php8*", "php-*", "lua", "lua5*", "luajit*", "guile*"], ANY),
    row(Interpreter, &["beam.smp", "beam", "mod_php*", "*.beam"], ANY),
    // Main loops of desktop libraries, and their wrappers of files.
    row(Start, &["libevent*", "libev.so*"], ANY),
    row(Start, ANY, &["g_main_*", "g_thread_*", "g_idle_*", "g_timeout_*", "g_application_run", "QEventLoop::*", "QThread*",
        "QCoreApplication::*", "QApplication::*", "QGuiApplication::*", "event_base_loop", "ev_run"]),
    row(Library, ANY, &["g_open", "g_fopen", "g_file_get_contents", "g_unix_open_pipe", "g_mkstemp*", "g_dir_open*",
        "g_socket_new*", "QFile::open*", "QFSFileEngine*", "QAbstractSocket::*"]),
    // Swift.
    row(Library, &["libswift*", "libFoundation*", "libdispatch*", "lib_Foundation*"], ANY),
];

/// Marks the frames that are plumbing, and returns the index of the site: the first frame above it.
///
/// Where every frame is plumbing, the site is the one that tells most: what the script called, next to the
/// interpreter; without an interpreter the outermost before a thread's start. `None` only for no frames.
pub fn mark(table: &[Row], frames: &mut [Frame]) -> Option<usize> {
    let classes: Vec<Option<Class>> = frames.iter().map(|frame| class_of(table, frame)).collect();
    for (frame, class) in frames.iter_mut().zip(&classes) {
        frame.plumbing = class.is_some();
    }
    let position = |wanted: Class| classes.iter().position(|&class| class == Some(wanted));
    let nearest = || match position(Interpreter) {
        Some(first) => Some(first.saturating_sub(1)),
        None => classes.iter().rposition(|&class| class != Some(Start)),
    };
    classes.iter().position(Option::is_none).or_else(nearest).or(classes.len().checked_sub(1))
}

fn class_of(table: &[Row], frame: &Frame) -> Option<Class> {
    let module = frame.module.bytes();
    let base = module.rsplit(|&b| b == b'/').next().unwrap_or(module);
    let name = frame.symbol.function.as_deref().map_or("", bare);
    let Some(qualified) = name.strip_prefix('<') else { return class_of_name(table, base, name) };
    // `<type as trait>::method` is plumbing if both are; types without a path (`&str`, `T`) do not matter.
    let (subject, role) = split_qualified(qualified);
    let subject = subject.trim_start_matches(['&', '(']).trim_start_matches("mut ");
    let subject = subject.trim_start_matches("dyn ");
    let class = class_of_name(table, base, role.unwrap_or(subject))?;
    let foreign = subject.contains("::") && class_of_name(table, base, subject).is_none();
    (!foreign).then_some(class)
}

fn class_of_name(table: &[Row], base: &[u8], name: &str) -> Option<Class> {
    let fits = |row: &&Row| {
        row.modules.iter().any(|pattern| glob(pattern.as_bytes(), base))
            && row.functions.iter().any(|pattern| glob(pattern.as_bytes(), name.as_bytes()))
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
fn glob(pattern: &[u8], text: &[u8]) -> bool {
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
    use fdscope_model::Symbol;

    fn frame(text: &str) -> Frame {
        let (module, function) = text.split_once('!').unwrap();
        let function = Some(function.to_owned()).filter(|f| !f.is_empty());
        Frame {
            symbol: Symbol { function, ..Symbol::default() },
            module: module.into(),
            build_id: None,
            offset: 0,
            plumbing: false,
        }
    }

    /// The site of a stack, innermost first, each frame as `module!function`.
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
                "/usr/bin/node!worker",
                "/lib/libc.so.6!start_thread",
            ],
            "/usr/bin/node!worker",
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
