//! What fdscope keeps of an ELF file: segments, build id, links to debug files, unwind sections.
//!
//! The files come from the target and may be hostile: sizes are bounded, and reads go through pread(2), so that a
//! file cut short is an error and not a SIGBUS. Names and lines are `symbols`' business.

use std::fs::File;
use std::io::Read;

use flate2::read::ZlibDecoder;
use object::elf::{FileHeader32, FileHeader64, PT_GNU_EH_FRAME, PT_LOAD};
use object::read::elf::{CompressionHeader, ElfFile, FileHeader, ProgramHeader, SectionHeader};
use object::{CompressionFormat, Endianness, Object, ObjectSection, ReadCache, ReadRef};

use crate::arch::Arch;
use crate::error::StackError;

/// The largest unwind section that is read: about twice that of the largest browsers.
pub const LARGEST_SECTION: u64 = 96 << 20;
/// The largest section that may be unpacked for names, and the most that a byte of it may become (deflate's own bound is
/// 1,032): what is beyond is a file made to use up memory.
const LARGEST_UNPACKED: u64 = 1 << 30;
const MOST_FOR_A_BYTE: u64 = 1_100;
/// The most program headers that are looked at.
const MOST_SEGMENTS: usize = 256;

/// The parts of an ELF file that outlive its parsing.
#[derive(Debug)]
pub struct Elf {
    /// The processor.
    pub arch: &'static Arch,
    /// Loadable segments.
    pub segments: Vec<Segment>,
    /// GNU build id; empty if it has none.
    pub build_id: Vec<u8>,
    /// `.gnu_debuglink`: file name and CRC-32.
    pub debug_link: Option<(Vec<u8>, u32)>,
    /// True for the Go toolchain's output, whose every function keeps a frame pointer.
    pub go: bool,
    /// Where Go's own table of functions is: offset and size.
    pub go_table: Option<(u64, u64)>,
    /// Address of `.text`.
    pub text_address: u64,
    /// Where `.gnu_debugdata` is: offset and size.
    pub debug_data: Option<(u64, u64)>,
    /// Unwind sections.
    pub unwind: UnwindSections,
}

/// A loadable segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Offset in the file.
    pub offset: u64,
    /// Address stated in the file.
    pub address: u64,
    /// Bytes in the file.
    pub size: u64,
}

/// A section's stated address and bytes.
#[derive(Debug, Default)]
pub struct Section {
    /// Address stated in the file.
    pub address: u64,
    /// Contents, decompressed.
    pub bytes: Vec<u8>,
}

/// The sections that say how to unwind, empty where absent.
#[derive(Debug, Default)]
pub struct UnwindSections {
    /// `.eh_frame`.
    pub eh_frame: Section,
    /// `.eh_frame_hdr`.
    pub eh_frame_hdr: Section,
    /// `.debug_frame`.
    pub debug_frame: Section,
    /// Address of `.text`, for text-relative pointers.
    pub text_address: u64,
    /// Address of `.got`, for data-relative pointers.
    pub got_address: u64,
}

impl Elf {
    /// Reads what is wanted of `file`.
    ///
    /// # Errors
    /// If it is no ELF file of a known little-endian processor.
    pub fn read(file: &File) -> Result<Elf, StackError> {
        let cache = ReadCache::new(file);
        let mut class = [0; 5];
        std::os::unix::fs::FileExt::read_exact_at(file, &mut class, 0)?;
        match class {
            [0x7f, b'E', b'L', b'F', 1] => Elf::from_file::<FileHeader32<Endianness>>(&cache),
            _ => Elf::from_file::<FileHeader64<Endianness>>(&cache),
        }
    }

    fn from_file<'a, H>(data: &'a ReadCache<&File>) -> Result<Elf, StackError>
    where
        H: FileHeader<Endian = Endianness>,
    {
        let elf = ElfFile::<'a, H, &'a ReadCache<&File>>::parse(data)?;
        let endian = elf.endian();
        let machine = elf.elf_header().e_machine(endian);
        let arch = Arch::of_elf(machine).ok_or(StackError::Machine(machine))?;
        if endian != Endianness::Little {
            return Err(StackError::Machine(machine));
        }
        let headers = elf.elf_program_headers().iter().take(MOST_SEGMENTS);
        let segment = |header: &H::ProgramHeader| Segment {
            offset: header.p_offset(endian).into(),
            address: header.p_vaddr(endian).into(),
            size: header.p_filesz(endian).into(),
        };
        let (mut segments, mut index) = (Vec::new(), None);
        for header in headers {
            match header.p_type(endian) {
                PT_LOAD => segments.push(segment(header)),
                PT_GNU_EH_FRAME => index = Some(segment(header)),
                _ => {}
            }
        }
        let go_table = elf.section_by_name(".gopclntab");
        let go_table = go_table.or_else(|| elf.section_by_name(".data.rel.ro.gopclntab"));
        let debug_data = elf.section_by_name(".gnu_debugdata");
        let link = elf.gnu_debuglink().ok().flatten();
        let mut unwind = read_unwind(&elf);
        if let (true, Some(index)) = (unwind.eh_frame.bytes.is_empty(), index) {
            unwind.eh_frame_hdr = read_segment(data, index, index.size);
            unwind.eh_frame = eh_frame_by_index(data, &segments, &unwind.eh_frame_hdr);
        }
        Ok(Elf {
            arch,
            segments,
            build_id: elf.build_id().ok().flatten().unwrap_or_default().to_vec(),
            debug_link: link.map(|(name, crc)| (name.to_vec(), crc)),
            go: go_table.is_some() || elf.section_by_name(".note.go.buildid").is_some(),
            go_table: go_table.and_then(|section| section.file_range()),
            text_address: unwind.text_address,
            debug_data: debug_data.and_then(|section| section.file_range()),
            unwind,
        })
    }

    /// The address stated for a file offset, where a segment holds it.
    pub fn address_of(&self, offset: u64) -> Option<u64> {
        let holds = |s: &&Segment| offset >= s.offset && offset - s.offset < s.size;
        let segment = self.segments.iter().find(holds)?;
        segment.address.checked_add(offset - segment.offset)
    }

    /// The file offset of an address stated in the file, where a segment holds it.
    pub fn offset_of(&self, address: u64) -> Option<u64> {
        let holds = |s: &&Segment| address >= s.address && address - s.address < s.size;
        let segment = self.segments.iter().find(holds)?;
        segment.offset.checked_add(address - segment.address)
    }
}

/// True if every packed section of a file says that it unpacks to a size that it can have and that memory has room for.
/// Whoever unpacks them makes room first, by what they say.
pub fn unpacks_soberly(file: &File) -> bool {
    let data = ReadCache::new(file);
    let sober = |class| match class {
        2 => sections_are_sober::<FileHeader64<Endianness>>(&data),
        _ => sections_are_sober::<FileHeader32<Endianness>>(&data),
    };
    let class = (&data).read_bytes_at(4, 1).ok().and_then(|bytes| bytes.first().copied());
    class.and_then(sober).unwrap_or(false)
}

fn sections_are_sober<H>(data: &ReadCache<&File>) -> Option<bool>
where
    H: FileHeader<Endian = Endianness>,
{
    let header = H::parse(data).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.section_headers(endian, data).ok()?;
    Some(sections.iter().all(|section| match section.compression(endian, data) {
        Ok(None) => true,
        Ok(Some((packed, _, size))) => {
            let unpacked: u64 = packed.ch_size(endian).into();
            unpacked <= LARGEST_UNPACKED.min(size.saturating_mul(MOST_FOR_A_BYTE))
        }
        Err(_) => false,
    }))
}

fn read_unwind<'a, O: Object<'a>>(elf: &O) -> UnwindSections {
    let address = |name| elf.section_by_name(name).map_or(0, |section| section.address());
    UnwindSections {
        eh_frame: read_section(elf, ".eh_frame"),
        eh_frame_hdr: read_section(elf, ".eh_frame_hdr"),
        debug_frame: read_section(elf, ".debug_frame"),
        text_address: address(".text"),
        got_address: address(".got"),
    }
}

/// The section's bytes, inflated; empty if it has none (a debug file's NOBITS) or is too large.
fn read_section<'a, O: Object<'a>>(elf: &O, name: &str) -> Section {
    let read = || {
        let section = elf.section_by_name(name)?;
        if section.size() > LARGEST_SECTION {
            return None;
        }
        let data = section.compressed_data().ok()?;
        let bytes = match data.format {
            CompressionFormat::None => data.data.to_vec(),
            CompressionFormat::Zlib => inflate(data.data),
            _ => return None,
        };
        Some(Section { address: section.address(), bytes })
    };
    read().unwrap_or_default()
}

/// As much as inflates, up to the bound.
fn inflate(data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A cut or broken stream still gives its beginning, whose entries are as good as any.
    let _ = ZlibDecoder::new(data).take(LARGEST_SECTION).read_to_end(&mut bytes);
    bytes
}

/// `.eh_frame` as the C++ runtime finds it, for files without section headers (vDSO, sstrip): the index says where
/// it begins, and its terminator where it ends.
fn eh_frame_by_index(data: &ReadCache<&File>, segments: &[Segment], index: &Section) -> Section {
    let find = || {
        let bases = gimli::BaseAddresses::default().set_eh_frame_hdr(index.address);
        let header = gimli::EhFrameHdr::new(&index.bytes, gimli::LittleEndian);
        let gimli::Pointer::Direct(address) = header.parse(&bases, 8).ok()?.eh_frame_ptr() else {
            return None;
        };
        let holds = |s: &&Segment| address >= s.address && address - s.address < s.size;
        let segment = segments.iter().find(holds)?;
        let skipped = address - segment.address;
        let offset = segment.offset.checked_add(skipped)?;
        let rest = Segment { offset, address, size: segment.size - skipped };
        Some(read_segment(data, rest, rest.size))
    };
    find().unwrap_or_default()
}

fn read_segment(data: &ReadCache<&File>, segment: Segment, size: u64) -> Section {
    use object::ReadRef;
    let size = size.min(LARGEST_SECTION);
    let bytes = data.read_bytes_at(segment.offset, size).unwrap_or_default().to_vec();
    Section { address: segment.address, bytes }
}
