//! libpcap, loaded when it is needed: it alone knows its filter language in full.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::ptr::NonNull;

use crate::packet_ring::Instruction;

/// Why there is no program.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The library is not installed.
    #[error("libpcap is not installed")]
    Missing,
    /// The library lacks what is asked of it.
    #[error("this libpcap lacks {0}")]
    Lacks(&'static str),
    /// The expression has a byte 0.
    #[error("the expression has a byte 0")]
    Nul,
    /// What libpcap says of the expression.
    #[error("{0}")]
    Refused(String),
}

#[repr(C)]
struct Program {
    count: c_uint,
    instructions: *const Instruction,
}

type OpenDead = unsafe extern "C" fn(c_int, c_int) -> *mut c_void;
type Compile = unsafe extern "C" fn(*mut c_void, *mut Program, *const c_char, c_int, u32) -> c_int;
type Error = unsafe extern "C" fn(*mut c_void) -> *const c_char;
type Free = unsafe extern "C" fn(*mut Program);
type Close = unsafe extern "C" fn(*mut c_void);

/// The functions of libpcap that are used. The library stays loaded until the program ends.
#[derive(Debug)]
pub struct PcapLibrary {
    open_dead: OpenDead,
    compile: Compile,
    error: Error,
    free: Free,
    close: Close,
}

/// The mask that tcpdump gives, too: `ip broadcast` is 0.0.0.0 and 255.255.255.255.
const NO_NETWORK: u32 = 0;

impl PcapLibrary {
    /// Loads libpcap.
    ///
    /// # Errors
    /// If it is not installed or is not what it should be.
    pub fn load() -> Result<Self, CompileError> {
        let names = [c"libpcap.so.0.8", c"libpcap.so.1", c"libpcap.so"];
        let library = names.into_iter().find_map(open).ok_or(CompileError::Missing)?;
        let open_dead =
            find(library, c"pcap_open_dead").ok_or(CompileError::Lacks("pcap_open_dead"))?;
        let compile = find(library, c"pcap_compile").ok_or(CompileError::Lacks("pcap_compile"))?;
        let error = find(library, c"pcap_geterr").ok_or(CompileError::Lacks("pcap_geterr"))?;
        let free = find(library, c"pcap_freecode").ok_or(CompileError::Lacks("pcap_freecode"))?;
        let close = find(library, c"pcap_close").ok_or(CompileError::Lacks("pcap_close"))?;
        Ok(PcapLibrary {
            // SAFETY: pcap(3PCAP) declares pcap_open_dead with these types.
            open_dead: unsafe { std::mem::transmute::<NonNull<c_void>, OpenDead>(open_dead) },
            // SAFETY: pcap(3PCAP) declares pcap_compile with these types.
            compile: unsafe { std::mem::transmute::<NonNull<c_void>, Compile>(compile) },
            // SAFETY: pcap(3PCAP) declares pcap_geterr with these types.
            error: unsafe { std::mem::transmute::<NonNull<c_void>, Error>(error) },
            // SAFETY: pcap(3PCAP) declares pcap_freecode with these types.
            free: unsafe { std::mem::transmute::<NonNull<c_void>, Free>(free) },
            // SAFETY: pcap(3PCAP) declares pcap_close with these types.
            close: unsafe { std::mem::transmute::<NonNull<c_void>, Close>(close) },
        })
    }

    /// Compiles an expression for packets of a link type (libpcap's number), of which so much is kept.
    ///
    /// # Errors
    /// What libpcap says of a wrong expression.
    pub fn compile(
        &self,
        expression: &[u8],
        dlt: u32,
        snap_length: u32,
        optimize: bool,
    ) -> Result<Vec<Instruction>, CompileError> {
        let expression = CString::new(expression).map_err(|_| CompileError::Nul)?;
        // SAFETY: pcap_open_dead takes two numbers and gives a handle, or none.
        let handle = unsafe { (self.open_dead)(dlt as c_int, snap_length as c_int) };
        if handle.is_null() {
            return Err(CompileError::Refused("out of memory".to_owned()));
        }
        let mut program = Program { count: 0, instructions: std::ptr::null() };
        // SAFETY: the handle is open, the program a local, the text ends with a 0 and is only read.
        let answer = unsafe {
            (self.compile)(
                handle,
                &raw mut program,
                expression.as_ptr(),
                optimize.into(),
                NO_NETWORK,
            )
        };
        let compiled = if answer < 0 || program.instructions.is_null() {
            // SAFETY: the handle is open.
            let text = unsafe { (self.error)(handle) };
            // SAFETY: pcap_geterr gives a text within the handle, which is open until below.
            let text = unsafe { CStr::from_ptr(text) };
            Err(CompileError::Refused(text.to_string_lossy().into_owned()))
        } else {
            // SAFETY: pcap_compile succeeded, so that there are `count` instructions, of the kernel's layout.
            let all =
                unsafe { std::slice::from_raw_parts(program.instructions, program.count as usize) };
            Ok(all.to_vec())
        };
        if answer >= 0 {
            // SAFETY: the program was filled by pcap_compile and is not used any more.
            unsafe { (self.free)(&raw mut program) };
        }
        // SAFETY: the handle is open and not used any more.
        unsafe { (self.close)(handle) };
        compiled
    }
}

fn open(name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: the name ends with a 0. libpcap's initialisers do not touch what is ours.
    NonNull::new(unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) })
}

fn find(library: NonNull<c_void>, name: &CStr) -> Option<NonNull<c_void>> {
    // SAFETY: the library is open and the name ends with a 0.
    NonNull::new(unsafe { libc::dlsym(library.as_ptr(), name.as_ptr()) })
}

#[cfg(test)]
mod tests {
    use super::{CompileError, PcapLibrary};

    #[test]
    fn an_expression_becomes_a_program_or_a_sentence() {
        let library = match PcapLibrary::load() {
            Ok(library) => library,
            Err(CompileError::Missing) => {
                println!("skipped: needs libpcap0.8");
                return;
            }
            Err(error) => panic!("{error}"),
        };
        let program = library.compile(b"tcp", 1, 96, true).expect("good");
        assert!(program.iter().any(|instruction| instruction.operand == 96));
        let why = library.compile(b"tcp and", 1, 96, true).expect_err("wrong").to_string();
        assert!(why.contains("syntax error"), "{why}");
    }
}
