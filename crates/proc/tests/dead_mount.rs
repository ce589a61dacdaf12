//! A file on a mount whose server stopped answering: stat(2) waits for ever, the walk does not.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use fdscope_model::{Access, Association, HandleKind, Pid};
use fdscope_proc::{Detail, InventorySource, ProcRoot, Wanted};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

/// The few requests of FUSE (include/uapi/linux/fuse.h) that come before a file is open.
const LOOKUP: u32 = 1;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const INIT: u32 = 26;

/// Attributes of a regular file, inode 2, that are valid for no time at all.
fn attributes() -> Vec<u8> {
    let mut bytes = [2u64, 5, 1, 0, 0, 0].map(u64::to_le_bytes).concat();
    bytes.extend([0u32, 0, 0, 0o100_644, 1, 0, 0, 0, 4096, 0].map(u32::to_le_bytes).concat());
    bytes
}

fn answer(code: u32) -> Vec<u8> {
    match code {
        INIT => {
            let mut bytes = [7u32, 31, 4096, 0, 0, 4096, 1].map(u32::to_le_bytes).concat();
            bytes.resize(64, 0);
            bytes
        }
        LOOKUP => {
            let mut bytes = [2u64, 0, 0, 0, 0].map(u64::to_le_bytes).concat();
            bytes.extend(attributes());
            bytes
        }
        GETATTR => [vec![0; 16], attributes()].concat(),
        OPEN => vec![0; 16],
        code => panic!("request {code} is not expected before the file is open"),
    }
}

/// Answers until a file is open, and then never again.
fn serve(device: &mut File) {
    let mut request = vec![0; 1 << 16];
    loop {
        let length = device.read(&mut request).expect("a request");
        assert!(length >= 40, "a whole header");
        let word = |at: usize| u32::from_le_bytes(request[at..at + 4].try_into().expect("4 bytes"));
        let (code, unique) = (word(4), &request[8..16]);
        let body = answer(code);
        let length = (16 + body.len()) as u32;
        let reply = [&length.to_le_bytes()[..], &[0; 4], unique, &body].concat();
        device.write_all(&reply).expect("the kernel takes the reply");
        if code == OPEN {
            return;
        }
    }
}

#[test]
fn the_walk_answers_where_stat_hangs() {
    let Ok(mut device) = File::options().read(true).write(true).open("/dev/fuse") else {
        eprintln!("skipped: needs /dev/fuse");
        return;
    };
    let folder = tempfile::tempdir().expect("folder");
    let options = format!("fd={},rootmode=40000,user_id=0,group_id=0", device.as_raw_fd());
    let options = std::ffi::CString::new(options).expect("no NUL");
    if mount("fdscope-test", folder.path(), "fuse", MountFlags::empty(), &*options).is_err() {
        eprintln!("skipped: needs CAP_SYS_ADMIN");
        return;
    }
    let path = folder.path().join("file");
    let opened = std::thread::spawn({
        let path = path.clone();
        move || File::open(path).expect("opens")
    });
    serve(&mut device);
    let file = opened.join().expect("opened");

    let stuck = std::thread::spawn({
        let link = format!("/proc/self/fd/{}", file.as_raw_fd());
        move || std::fs::metadata(link).is_ok()
    });
    let (sender, answers) = channel();
    std::thread::spawn(move || {
        let root = ProcRoot::open().expect("/proc");
        for detail in [Detail::Link, Detail::Kind, Detail::Full] {
            let snapshot = root.descriptors(Pid(std::process::id()), detail);
            sender.send((detail, snapshot.expect("snapshot"))).expect("awaited");
        }
    });
    let (inventories, inventory) = channel();
    std::thread::spawn(move || {
        let root = ProcRoot::open().expect("/proc");
        // What others hold is left out: tests of other programs come and go.
        let wanted = Wanted { ends: false, ..Wanted::everything() };
        let read = InventorySource::new(root, wanted).read(Pid(std::process::id()));
        inventories.send(read.expect("inventory")).expect("awaited");
    });
    let fd = file.as_raw_fd() as u32;
    for _ in 0..3 {
        let (detail, snapshot) = answers.recv_timeout(Duration::from_secs(60)).expect("answers");
        let is_it = |via| matches!(via, Association::Fd(number) if number.0 == fd);
        let row = snapshot.handles.iter().find(|handle| is_it(handle.via)).expect("its row");
        assert_eq!(Path::new(&row.name.to_string()), path);
        if detail >= Detail::Kind {
            assert_eq!((row.kind, row.inode.map(|id| id.inode)), (HandleKind::File, Some(2)));
        }
    }
    let inventory = inventory.recv_timeout(Duration::from_secs(60)).expect("answers");
    let is_it = |via| matches!(via, Association::Fd(number) if number.0 == fd);
    let row = inventory.entries.iter().find(|row| is_it(row.handle.via)).expect("its row");
    assert_eq!((row.handle.kind, row.access), (HandleKind::File, Some(Access::Read)));
    // What the kernel remembers of the file; the server is not asked whether it is still so.
    assert_eq!(row.status.map(|status| (status.inode.inode, status.size)), Some((2, 5)));
    assert!(!stuck.is_finished(), "nobody answers a plain stat");
    drop(device);
    assert!(!stuck.join().expect("released by the end of the server"));
    drop(file);
    unmount(folder.path(), UnmountFlags::DETACH).expect("unmount");
}
