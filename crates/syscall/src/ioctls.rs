//! The ioctl(2) requests that make descriptors.
//!
//! Drivers may add more at any time; those not listed are found by reconciling with the kernel's table.

use fdscope_model::HandleKind;
use fdscope_model::HandleKind::{DmaBuf, Mount, Namespace, OtherDescriptor, Terminal, UserFaultFd};

use crate::effect::{Cloexec, O_CLOEXEC};

/// An ioctl request that makes a descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HandleIoctl {
    /// Its name in the kernel's headers.
    pub name: &'static str,
    /// Type (bits 8–15) and number (bits 0–7). Direction and size are left out: structures grow between releases.
    pub code: u16,
    /// Bytes of the argument structure as first published; 0 for requests without one.
    pub size: u16,
    /// Where the descriptor is.
    pub place: Place,
    /// Its close-on-exec flag; `arg` 2 is ioctl's own third argument.
    pub cloexec: Cloexec,
    /// What it makes.
    pub kind: HandleKind,
}

/// Where an ioctl leaves its new descriptor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// It is the result.
    Result,
    /// An `int` at this offset of the structure that argument 2 points to.
    Struct(u16),
    /// In the table of another process (the result is the number there).
    OtherProcess,
}

use Cloexec::{Always, Never, Unknown};
use Place::{OtherProcess, Result, Struct};

const fn at(offset: u16) -> Cloexec {
    Cloexec::IfFlagAt { arg: 2, offset, mask: O_CLOEXEC }
}
const ARGUMENT: Cloexec = Cloexec::IfFlag { arg: 2, mask: O_CLOEXEC };
const FIRST_BIT: Cloexec = Cloexec::IfFlagAt { arg: 2, offset: 0, mask: 1 };
const FLAGS_BIT: Cloexec = Cloexec::IfFlagAt { arg: 2, offset: 4, mask: 1 };

macro_rules! ioctls {
    ($($name:ident $kind:literal $nr:literal $size:literal $makes:ident $place:expr, $cloexec:expr;)*) => {
        /// The table.
        pub const IOCTLS: &[HandleIoctl] = &[$(HandleIoctl {
            name: stringify!($name),
            code: ($kind as u16) << 8 | $nr,
            size: $size,
            place: $place,
            cloexec: $cloexec,
            kind: $makes,
        }),*];
    };
}

ioctls! {
    KVM_CREATE_VM                0xae 0x01 0   OtherDescriptor Result, Always;
    KVM_CREATE_VCPU              0xae 0x41 0   OtherDescriptor Result, Always;
    KVM_GET_STATS_FD             0xae 0xce 0   OtherDescriptor Result, Unknown;
    KVM_CREATE_GUEST_MEMFD       0xae 0xd4 64  OtherDescriptor Result, Never;
    KVM_CREATE_DEVICE            0xae 0xe0 12  OtherDescriptor Struct(4), Always;
    TIOCGPTPEER                  b'T' 0x41 0   Terminal Result, ARGUMENT;
    TUNGETDEVNETNS               b'T' 0xe3 0   Namespace Result, Always;
    SIOCGSKNS                    0x89 0x4c 0   Namespace Result, Always;
    NS_GET_USERNS                0xb7 0x01 0   Namespace Result, Always;
    NS_GET_PARENT                0xb7 0x02 0   Namespace Result, Always;
    NS_MNT_GET_NEXT              0xb7 0x0b 16  Namespace Result, Always;
    NS_MNT_GET_PREV              0xb7 0x0c 16  Namespace Result, Always;
    PIDFD_GET_CGROUP_NAMESPACE   0xff 0x01 0   Namespace Result, Always;
    PIDFD_GET_IPC_NAMESPACE      0xff 0x02 0   Namespace Result, Always;
    PIDFD_GET_MNT_NAMESPACE      0xff 0x03 0   Namespace Result, Always;
    PIDFD_GET_NET_NAMESPACE      0xff 0x04 0   Namespace Result, Always;
    PIDFD_GET_PID_NAMESPACE      0xff 0x05 0   Namespace Result, Always;
    PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE 0xff 0x06 0 Namespace Result, Always;
    PIDFD_GET_TIME_NAMESPACE     0xff 0x07 0   Namespace Result, Always;
    PIDFD_GET_TIME_FOR_CHILDREN_NAMESPACE 0xff 0x08 0 Namespace Result, Always;
    PIDFD_GET_USER_NAMESPACE     0xff 0x09 0   Namespace Result, Always;
    PIDFD_GET_UTS_NAMESPACE      0xff 0x0a 0   Namespace Result, Always;
    DMA_HEAP_IOCTL_ALLOC         b'H' 0x00 24  DmaBuf Struct(8), at(12);
    DMA_BUF_IOCTL_EXPORT_SYNC_FILE b'b' 0x02 8 DmaBuf Struct(4), Always;
    SYNC_IOC_MERGE               b'>' 0x03 48  DmaBuf Struct(36), Always;
    SW_SYNC_IOC_CREATE_FENCE     b'W' 0x00 40  DmaBuf Struct(36), Always;
    UDMABUF_CREATE               b'u' 0x42 24  DmaBuf Result, FLAGS_BIT;
    UDMABUF_CREATE_LIST          b'u' 0x43 8   DmaBuf Result, FIRST_BIT;
    DRM_IOCTL_PRIME_HANDLE_TO_FD b'd' 0x2d 12  DmaBuf Struct(8), at(4);
    DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD b'd' 0xc1 16 DmaBuf Struct(8), Always;
    DRM_IOCTL_MODE_CREATE_LEASE  b'd' 0xc6 24  OtherDescriptor Struct(20), at(12);
    VIDIOC_EXPBUF                b'V' 0x10 64  DmaBuf Struct(16), at(12);
    MEDIA_IOC_REQUEST_ALLOC      b'|' 0x05 4   OtherDescriptor Struct(0), Always;
    VFIO_GROUP_GET_DEVICE_FD     b';' 0x6a 0   OtherDescriptor Result, Always;
    GPIO_GET_LINEHANDLE_IOCTL    0xb4 0x03 364 OtherDescriptor Struct(360), Always;
    GPIO_GET_LINEEVENT_IOCTL     0xb4 0x04 48  OtherDescriptor Struct(44), Always;
    GPIO_V2_GET_LINE_IOCTL       0xb4 0x07 592 OtherDescriptor Struct(588), Always;
    NTSYNC_IOC_CREATE_SEM        b'N' 0x80 8   OtherDescriptor Result, Always;
    NTSYNC_IOC_CREATE_MUTEX      b'N' 0x84 8   OtherDescriptor Result, Always;
    NTSYNC_IOC_CREATE_EVENT      b'N' 0x87 8   OtherDescriptor Result, Always;
    TEE_IOC_SHM_ALLOC            0xa4 0x01 16  OtherDescriptor Result, Unknown;
    AUTOFS_DEV_IOCTL_OPENMOUNT   0x93 0x74 24  Mount Struct(12), Always;
    USERFAULTFD_IOC_NEW          0xaa 0x00 0   UserFaultFd Result, ARGUMENT;
    SECCOMP_IOCTL_NOTIF_ADDFD    b'!' 0x03 24  OtherDescriptor OtherProcess, Unknown;
}

/// The row of an ioctl request, if it makes descriptors.
///
/// A request of the same type and number whose structure is smaller than the published one is another driver's.
pub fn ioctl(request: u32) -> Option<&'static HandleIoctl> {
    let size = (request >> 16 & 0x3fff) as u16;
    IOCTLS
        .iter()
        .find(|row| row.code == request as u16 && size >= row.size && (row.size > 0) == (size > 0))
}
