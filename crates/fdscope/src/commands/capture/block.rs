//! A block of the kernel's ring as packets: what `struct tpacket_block_desc` and `struct tpacket3_hdr` say
//! (include/uapi/linux/if_packet.h), read as bytes.

use fdscope_packet::Time;
use fdscope_packet::link::LinkType;

/// A packet in the ring.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    pub time: Time,
    /// Its length on the wire.
    pub length: u32,
    pub bytes: &'a [u8],
    /// The tag that was taken off it: protocol and number.
    pub vlan: Option<(u16, u16)>,
    pub protocol: u16,
    pub interface: u32,
    pub hardware: u16,
    /// Where it was going: `PACKET_HOST` and so on.
    pub kind: u8,
    pub address_length: u8,
    pub address: [u8; 8],
}

/// `PACKET_OUTGOING`.
pub const OUTGOING: u8 = 4;
const VLAN_VALID: u32 = 0x10;
const VLAN_TPID_VALID: u32 = 0x40;
/// Where the sender's address stands behind a frame's head.
const ADDRESS: usize = 48;
const DOT1Q: u16 = 0x8100;

/// The packets of a block.
pub fn frames(block: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    let count = u32_at(block, 12).unwrap_or(0);
    let mut at = u32_at(block, 16).unwrap_or(0) as usize;
    let mut left = count;
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let (frame, next) = frame(block.get(at..)?)?;
        at += next;
        Some(frame)
    })
}

/// One packet, and how far the next is.
fn frame(bytes: &[u8]) -> Option<(Frame<'_>, usize)> {
    let next = u32_at(bytes, 0)? as usize;
    let (kept, status, start) = (u32_at(bytes, 12)?, u32_at(bytes, 20)?, u16_at(bytes, 24)?);
    let address = bytes.get(ADDRESS..)?;
    let tagged = status & VLAN_VALID != 0;
    let tpid = if status & VLAN_TPID_VALID != 0 { u16_at(bytes, 36)? } else { DOT1Q };
    let frame = Frame {
        time: Time { seconds: i64::from(u32_at(bytes, 4)?), nanos: u32_at(bytes, 8)?.into() },
        length: u32_at(bytes, 16)?,
        bytes: bytes.get(usize::from(start)..)?.get(..kept as usize)?,
        vlan: tagged.then_some((tpid, u32_at(bytes, 32)? as u16)),
        protocol: u16::from_be(u16_at(address, 2)?),
        interface: u32_at(address, 4)?,
        hardware: u16_at(address, 8)?,
        kind: *address.get(10)?,
        address_length: *address.get(11)?,
        address: address.get(12..)?.first_chunk().copied()?,
    };
    Some((frame, next))
}

impl<'a> Frame<'a> {
    /// The packet's bytes as a file of the link type has them, and how much longer they are than the frame: with the
    /// cooked header, or with the tag put back. `scratch` is used only if something must be put in.
    pub fn whole(&self, link: LinkType, scratch: &'a mut Vec<u8>) -> (&'a [u8], u32) {
        scratch.clear();
        if link == LinkType::LINUX_SLL2 {
            for word in [self.protocol, 0] {
                scratch.extend_from_slice(&word.to_be_bytes());
            }
            scratch.extend_from_slice(&self.interface.to_be_bytes());
            scratch.extend_from_slice(&self.hardware.to_be_bytes());
            scratch.extend_from_slice(&[self.kind, self.address_length]);
            scratch.extend_from_slice(&self.address);
            scratch.extend_from_slice(self.bytes);
            return (scratch, 20);
        }
        let (Some((tpid, tag)), Some((addresses, rest))) =
            (self.vlan, self.bytes.split_at_checked(12))
        else {
            return (self.bytes, 0);
        };
        scratch.extend_from_slice(addresses);
        scratch.extend_from_slice(&tpid.to_be_bytes());
        scratch.extend_from_slice(&tag.to_be_bytes());
        scratch.extend_from_slice(rest);
        (scratch, 4)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_ne_bytes)
}
