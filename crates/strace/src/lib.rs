//! strace's options, selection, lines and tables, over what an engine tells of system calls.
//!
//! Pure: what engines told in, bytes out; no I/O, no clock. Decoding of arguments is in `fdscope-syscall`.
#![forbid(unsafe_code)]
