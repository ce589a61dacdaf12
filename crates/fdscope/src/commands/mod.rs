//! One file per command.

pub mod capture;
pub mod card;
pub mod demo;
pub mod demo_target;
pub mod diff;
pub mod doctor;
pub mod leak;
pub mod link;
pub mod ls;
pub mod lsof;
pub mod manual;
pub mod proc;
pub mod ps;
pub mod record;
pub mod report;
pub mod sockets;
pub mod threads;
pub mod top;
pub mod trace;
pub mod watch;
