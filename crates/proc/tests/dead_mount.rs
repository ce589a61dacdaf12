//! A file on a mount whose server stopped answering: stat(2) waits for ever, the walk does not.

use std::path::Path;
use std::sync::mpsc::channel;
use std::time::Duration;

use fdscope_fixtures::DeadMount;
use fdscope_model::{Access, Association, HandleKind, Pid};
use fdscope_proc::{Detail, InventorySource, ProcRoot, Wanted};

#[test]
fn the_walk_answers_where_stat_hangs() {
    let Some(mut mount) = DeadMount::new() else { return };
    let path = mount.path();
    let stuck = std::thread::spawn({
        let link = format!("/proc/self/fd/{}", mount.fd());
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
    let fd = mount.fd() as u32;
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
    mount.end();
    assert!(!stuck.join().expect("released by the end of the server"));
}
