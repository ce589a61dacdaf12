//! Packets: files of them, their layers, and the lines that tcpdump prints.
//!
//! Pure: bytes in, values and lines out; no sockets and no clock.
#![forbid(unsafe_code)]
