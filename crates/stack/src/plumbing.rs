//! Plumbing: the frames between a system call and the code at fault, by one table.
//!
//! A row names modules (the base name of the file), functions and source files, each with `*` for any text. A frame
//! is plumbing if a row fits it. C++ and Rust names are compared without their return type and parameters. Libraries that decide for
//! themselves what to open (sqlite, OpenSSL, curl) are not plumbing: a leak in them is theirs, or their caller's
//! use of them, and the reader wants to see them.

/// What kind of plumbing, from the system call outwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// The C library and what stands in for it: wrappers of system calls.
    Wrapper,
    /// A language's standard library or runtime, an event loop's own input and output.
    Library,
    /// An interpreter's or virtual machine's inside.
    Interpreter,
    /// Where an interpreter runs a script: what is called from here, the script called.
    Script,
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
    /// Source files; `*` fits frames without one too.
    pub files: &'static [&'static str],
}

const fn row(
    class: Class,
    modules: &'static [&'static str],
    functions: &'static [&'static str],
) -> Row {
    Row { class, modules, functions, files: ANY }
}

const fn files(class: Class, files: &'static [&'static str]) -> Row {
    Row { class, modules: ANY, functions: ANY, files }
}

use Class::{Interpreter, Library, Script, Start, Wrapper};

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

/// The parts of Python's standard library that open on a script's behalf.
const PYTHON_FILES: &[&str] = &[
    "<frozen *",
    "*/lib/python3*/socket.py",
    "*/lib/python3*/socketserver.py",
    "*/lib/python3*/ssl.py",
    "*/lib/python3*/subprocess.py",
    "*/lib/python3*/tempfile.py",
    "*/lib/python3*/selectors.py",
    "*/lib/python3*/asyncio/*",
    "*/lib/python3*/multiprocessing/*",
    "*/lib/python3*/concurrent/*",
    "*/lib/python3*/threading.py",
    "*/lib/python3*/os.py",
    "*/lib/python3*/pathlib*",
    "*/lib/python3*/io.py",
    "*/lib/python3*/_pyio.py",
    "*/lib/python3*/codecs.py",
    "*/lib/python3*/gzip.py",
    "*/lib/python3*/shutil.py",
    "*/lib/python3*/http/*",
    "*/lib/python3*/urllib/*",
    "*/lib/python3*/logging/*",
    "*/lib/python3*/tarfile.py",
    "*/lib/python3*/zipfile*",
    "*/lib/python3*/contextlib.py",
    "*/lib/python3*/fileinput.py",
    "*/lib/python3*/linecache.py",
    "*/lib/python3*/tokenize.py",
    "*/lib/python3*/runpy.py",
];

/// The table. The first row that fits a frame decides its class.
#[rustfmt::skip]
pub static PLUMBING: &[Row] = &[
    // Where threads and programs begin.
    row(Start, ANY, &[
        "_start", "__libc_start_main*", "__libc_start_call_main", "_dl_start*", "start_thread", "clone", "clone3",
        "__clone", "__clone3", "__clone_internal", "create_thread", "thread_start", "pthread_create*", "__pthread_create*", "pthread_start",
        "libc_start_main_stage2", "_IO_cleanup", "exit", "__run_exit_handlers", "call_init", "_dl_init",
    ]),
    row(Start, ANY, &[
        "std::rt::*", "std::panicking::*", "std::panic::*", "std::sys::backtrace::__rust_begin_short_backtrace*",
        "std::sys_common::backtrace::__rust_begin_short_backtrace*", "std::sys::pal::unix::thread::*",
        "std::sys::thread::*", "std::thread::*", "__rust_try*", "__rust_begin_short_backtrace*",
        "std::__invoke*", "std::thread::_Invoker*", "std::thread::_State_impl*", "execute_native_thread_routine",
    ]),
    // What a debugger shows of inlined library functions has short names: their source files tell.
    files(Library, &[
        "/rustc/*", "*/library/std/src/*", "*/library/core/src/*", "*/library/alloc/src/*", "/usr/include/c++/*",
        "*/include/c++/v1/*", "/usr/include/boost/*", "*/deps/uv/src/*", "*/libuv*/src/*", "node:*", "*/registry/src/*/tokio-*",
        "*/registry/src/*/mio-*", "*/registry/src/*/std-*", "*/registry/src/*/rustix-*", "*/registry/src/*/nix-*",
        "*/registry/src/*/socket2-*", "*/registry/src/*/polling-*", "*/registry/src/*/futures-*",
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
        "syscall", "__syscall*", "__internal_syscall*", "__libc_*", "sccp", "__ofl_*", "recvmsg", "__recvmsg", "recvmmsg", "getaddrinfo",
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
    row(Library, ANY, &["node::fs::*", "node::TCPWrap::*", "node::PipeWrap::*", "node::UDPWrap::*", "node::ProcessWrap::*",
        "node::SyncProcessRunner::*", "node::cares_wrap::*", "node::FSEventWrap::*", "node::TTYWrap::*"]),
    row(Script, ANY, &["Builtins_InterpreterEntryTrampoline", "Builtins_JSEntry*"]),
    row(Interpreter, ANY, &["node::*", "v8::*", "Builtins_*", "v8_*", "cppgc::*"]),
    // Python. Extension modules of the standard library open on a script's behalf.
    row(Script, PYTHON, &["_PyEval_EvalFrame*", "_PyEval_Vector", "PyEval_EvalFrame*"]),
    row(Library, PYTHON, &[
        "_io*", "_Py_open*", "_Py_dup*", "_Py_fopen*", "_Py_wfopen*", "_Py_close*", "os_*", "posix_*", "_socket*", "sock_*",
        "select_*", "_posixsubprocess*", "subprocess_fork_exec*", "do_fork_exec", "iobase*", "fileio*", "buffered*",
        "textiowrapper*", "mmap_*", "new_mmap_*", "PyFile_*", "_multiprocessing*",
    ]),
    row(Interpreter, PYTHON, ANY),
    files(Library, PYTHON_FILES),
    row(Start, ANY, &["py::<module>:<frozen *", "py::_*:<frozen *"]),
    // Java: the virtual machine, and the natives of its class library.
    row(Script, ANY, &["Interpreter", "call_stub", "JavaCalls::*"]),
    row(Interpreter, &["libjvm.so*", "libj9*"], ANY),
    row(Library, &["libjava.so", "libnio.so", "libnet.so", "libzip.so", "libjli.so", "libextnet.so", "libverify.so"], ANY),
    row(Library, ANY, &["Java_java_*", "Java_sun_*", "JVM_*", "handleOpen", "fileOpen", "Ljava/*", "Lsun/*",
        "Ljdk/*", "java.*", "sun.*", "jdk.internal.*", "void java.*", "void sun.*"]),
    row(Interpreter, ANY, &["JavaThread::*", "StubRoutines*", "jni_*",
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
