//! Recordings: a versioned, append-only file of events and samples, and its reader.
//!
//! Knows the serialized form; decides nothing about leaks.
#![forbid(unsafe_code)]
