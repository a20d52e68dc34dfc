//! A library for `LD_PRELOAD` that stands in for Xen under Debian's xenstoreds.
//!
//! The program that starts them (`store_peers::Peer`) keeps a directory, `$XENLESS`, with all there is of Xen:
//!
//! * `memory`: the page of domain N's ring at N * 4096; above all pages ([`STATES`]) a byte for each domain, its state: 0 none, 1 running, 2 shut
//!   down, 3 dying. It is mapped for grants and foreign pages alike.
//! * `evtchn`: a listening unix socket. What is read from `/dev/xen/evtchn`, ports of four bytes, comes from there; unmasking writes the port there,
//!   and so does notifying, with [`NOTIFIED`] set. Port [`VIRQ`] tells of domains that died; [`FIRST_PORT`]` + N` is domain N's ring.
//! * `port`: the number of domain 0's event channel, as text.
//!
//! Besides, oxenstored's socket, whose path is compiled in, is put at `$XENSTORED_PATH`; `setrlimit` may ask for more than
//! there is; the server ends when its starter closes the connection to `evtchn`, or is killed; and the monotonic clock runs
//! `$XENLESS_CLOCK` times as fast, so that the C xenstored's limit on writes a second does not slow down tests.
//!
//! Relies on: x86-64 Linux, where a variadic function called with integers and pointers finds them where any other does.

use std::ffi::{CStr, c_char, c_int, c_long, c_uint, c_ulong, c_void};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::OnceLock;

const PAGE: usize = 4096;
/// Where in `memory` the domains' states are.
const STATES: usize = PAGE << 16;
/// The port of the interrupt that tells of domains.
const VIRQ: c_int = 1;
/// The port of domain 0's ring.
const FIRST_PORT: c_int = 16;
/// Marks a notification among what is written to the socket.
const NOTIFIED: u32 = 1 << 31;

mod linux {
    pub const SYS_IOCTL: i64 = 16;
    pub const SYS_BIND: i64 = 49;
    pub const SYS_GETRLIMIT: i64 = 97;
    pub const SYS_SETRLIMIT: i64 = 160;
    pub const SYS_OPENAT: i64 = 257;
    pub const AT_FDCWD: i64 = -100;
    pub const O_RDWR: i32 = 2;
    pub const O_CLOEXEC: i32 = 0o2000000;
    pub const ENOENT: i32 = 2;
    pub const ESRCH: i32 = 3;
    pub const EINVAL: i32 = 22;
    pub const ENOTTY: i32 = 25;
    pub const ENOSYS: i32 = 38;
    pub const PROT_READ_WRITE: i32 = 3;
    pub const MAP_SHARED_FIXED: i32 = 0x11;
    pub const MSG_DONTWAIT_NOSIGNAL: i32 = 0x4040;
    pub const AF_UNIX: u16 = 1;
    pub const CLOCK_MONOTONIC: i32 = 1;
    pub const RTLD_NEXT: isize = -1;
}
use linux::*;

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn __errno_location() -> *mut c_int;
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn mmap(
        addr: *mut c_void,
        len: usize,
        prot: c_int,
        flags: c_int,
        fd: c_int,
        offset: c_long,
    ) -> *mut c_void;
    fn pread(fd: c_int, into: *mut c_void, len: usize, offset: c_long) -> isize;
    fn send(fd: c_int, from: *const c_void, len: usize, flags: c_int) -> isize;
    fn unlink(path: *const c_char) -> c_int;
    fn poll(fds: *mut PollFd, count: c_ulong, timeout_ms: c_int) -> c_int;
    fn _exit(status: c_int) -> !;
}

/// C: `struct pollfd`.
#[repr(C)]
struct PollFd {
    fd: c_int,
    events: i16,
    revents: i16,
}

fn fail(errno: c_int) -> c_int {
    // SAFETY: libc gives the address of this thread's errno, which lives as long as the thread.
    unsafe { *__errno_location() = errno };
    -1
}

/// Where the stand-in's files are.
fn file(name: &str) -> PathBuf {
    let dir = std::env::var_os("XENLESS").unwrap_or_default();
    PathBuf::from(dir).join(name)
}

/// Ends this process when whoever started it is gone, also where that was killed and could end nothing itself.
fn end_with_the_other_end_of(stream: &UnixStream) {
    let Ok(stream) = stream.try_clone() else { return };
    std::thread::spawn(move || {
        // No event is asked for: only a hang-up is told, and the server's own bytes stay where they are.
        let mut hung_up = PollFd { fd: stream.as_raw_fd(), events: 0, revents: 0 };
        // SAFETY: one entry, which outlives the call.
        while unsafe { poll(&mut hung_up, 1, -1) } < 1 {}
        // SAFETY: ends the process, handlers and all.
        unsafe { _exit(0) }
    });
}

/// Opens one of the stand-in's files, past the `open` below.
fn open_file(name: &str, flags: c_int) -> c_int {
    let mut path = file(name).into_os_string().into_encoded_bytes();
    path.push(0);
    // SAFETY: the path ends with a nul and outlives the call.
    unsafe { syscall(SYS_OPENAT, AT_FDCWD, path.as_ptr(), flags, 0) as c_int }
}

/// What a path of Xen's leads to.
fn open_xen(path: &[u8], flags: c_int) -> c_int {
    let is = |end: &[u8]| path.ends_with(end);
    if is(b"/evtchn") {
        let Ok(stream) = UnixStream::connect(file("evtchn")) else { return fail(ENOENT) };
        end_with_the_other_end_of(&stream);
        return stream.into_raw_fd();
    }
    if is(b"/gntdev") || is(b"/privcmd") || is(b"/xsd_kva") {
        return open_file("memory", O_RDWR | flags & O_CLOEXEC);
    }
    // Without /dev/xen/hypercall libxencall takes memory of its own for arguments.
    if is(b"/xsd_port") { open_file("port", flags & O_CLOEXEC) } else { fail(ENOENT) }
}

/// # Safety
/// As for libc's `open`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the caller's path ends with a nul.
    let bytes = unsafe { CStr::from_ptr(path) }.to_bytes();
    if bytes.starts_with(b"/dev/xen/") || bytes.starts_with(b"/proc/xen/") {
        return open_xen(bytes, flags);
    }
    // SAFETY: the caller's own arguments.
    unsafe { syscall(SYS_OPENAT, AT_FDCWD, path, flags, mode) as c_int }
}

/// # Safety
/// As for libc's `open64`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: c_uint) -> c_int {
    // SAFETY: the same contract.
    unsafe { open(path, flags, mode) }
}

/// What `_FORTIFY_SOURCE` makes of an `open` whose flags are not constant.
///
/// # Safety
/// As for libc's `open`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __open_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the same contract.
    unsafe { open(path, flags, 0) }
}

/// As [`__open_2`].
///
/// # Safety
/// As for libc's `open64`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __open64_2(path: *const c_char, flags: c_int) -> c_int {
    // SAFETY: the same contract.
    unsafe { open(path, flags, 0) }
}

/// # Safety
/// As for libc's `ioctl`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ioctl(fd: c_int, request: c_ulong, arg: *mut c_void) -> c_int {
    let nr = request & 0xff;
    // SAFETY: each request's argument is what its header (xen/sys/{evtchn,gntdev,privcmd}.h) says; libxen* keep to it.
    unsafe {
        match (request >> 8) as u8 {
            b'E' => event_channel(fd, nr, arg.cast()),
            b'G' => grant(fd, nr, arg.cast()),
            b'P' => privcmd(fd, nr, arg.cast()),
            _ => syscall(SYS_IOCTL, c_long::from(fd), request, arg) as c_int,
        }
    }
}

/// The state of a domain, read through any handle on `memory`.
fn state(fd: c_int, domid: u32) -> u8 {
    if domid >= 1 << 16 {
        return 0;
    }
    let mut state = 0u8;
    // SAFETY: one byte is read into one byte.
    unsafe { pread(fd, (&raw mut state).cast(), 1, (STATES + domid as usize) as c_long) };
    state
}

/// The requests of xen/sys/evtchn.h.
///
/// # Safety
/// `arg` is the request's.
unsafe fn event_channel(fd: c_int, nr: c_ulong, arg: *const u32) -> c_int {
    const BIND_VIRQ: c_ulong = 0;
    const BIND_INTERDOMAIN: c_ulong = 1;
    const UNBIND: c_ulong = 3;
    const NOTIFY: c_ulong = 4;
    match nr {
        BIND_VIRQ => VIRQ,
        // Any port of the domain will do: (domid, port).
        // SAFETY: BIND_INTERDOMAIN's argument has two words.
        BIND_INTERDOMAIN => FIRST_PORT + unsafe { *arg } as c_int,
        UNBIND => 0,
        NOTIFY => {
            // SAFETY: NOTIFY's argument has one word.
            let message = unsafe { *arg } | NOTIFIED;
            // A full socket drops it: whoever does not read there does not wait for it.
            // SAFETY: four bytes of a live variable.
            unsafe { send(fd, (&raw const message).cast(), 4, MSG_DONTWAIT_NOSIGNAL) };
            0
        }
        _ => fail(ENOTTY),
    }
}

/// The requests of xen/sys/gntdev.h. A grant is mapped from the handle at the offset that MAP gives.
///
/// # Safety
/// `arg` is the request's.
unsafe fn grant(fd: c_int, nr: c_ulong, arg: *mut u32) -> c_int {
    const MAP: c_ulong = 0;
    const UNMAP: c_ulong = 1;
    const GET_OFFSET: c_ulong = 2;
    match nr {
        MAP => {
            // SAFETY: MAP's argument is count, padding, the offset (two words, out), and the first grant's domid.
            unsafe {
                let domid = *arg.add(4);
                if state(fd, domid) == 0 {
                    return fail(EINVAL);
                }
                *arg.add(2).cast::<u64>() = u64::from(domid) * PAGE as u64;
            }
            0
        }
        UNMAP => 0,
        GET_OFFSET => {
            // SAFETY: GET_OFFSET's argument is an address, the offset (out), and a word, how many pages (out).
            unsafe {
                *arg.add(2).cast::<u64>() = 0;
                *arg.add(4) = 1;
            }
            0
        }
        _ => fail(ENOTTY),
    }
}

/// The requests of xen/sys/privcmd.h.
///
/// # Safety
/// `arg` is the request's.
unsafe fn privcmd(fd: c_int, nr: c_ulong, arg: *mut u64) -> c_int {
    const HYPERCALL: c_ulong = 0;
    const MMAPBATCH_V2: c_ulong = 4;
    match nr {
        // SAFETY: HYPERCALL's argument is a number and five words.
        HYPERCALL => unsafe { hypercall(fd, *arg, *arg.add(1) as *mut u8) },
        MMAPBATCH_V2 => {
            // SAFETY: the argument is a count and a domid (in one word), the address, the frames and the errors (out, an int each). The caller has
            // mapped a page at the address, for this.
            unsafe {
                let (count, domid) = (*arg as u32, (*arg >> 32) as u16);
                if count != 1 || state(fd, domid.into()) == 0 {
                    return fail(ESRCH);
                }
                *(*arg.add(3) as *mut c_int) = 0;
                let at = c_long::from(domid) * PAGE as c_long;
                let page = mmap(*arg.add(1) as *mut c_void, PAGE, PROT_READ_WRITE, MAP_SHARED_FIXED, fd, at);
                if page as isize == -1 { -1 } else { 0 }
            }
        }
        _ => fail(ENOTTY),
    }
}

/// What Xen 4.17 says about domains.
///
/// # Safety
/// `arg` is the hypercall's first.
unsafe fn hypercall(fd: c_int, op: u64, arg: *mut u8) -> c_int {
    const SYSCTL: u64 = 35;
    const GETDOMAININFOLIST: u32 = 6;
    const DOMCTL: u64 = 36;
    const GETDOMAININFO: u32 = 5;
    /// The length of `struct xen_domctl_getdomaininfo`.
    const INFO_LEN: usize = 112;
    /// `XEN_DOMINF_*`.
    const DYING: u32 = 1;
    const SHUTDOWN: u32 = 4;
    // SAFETY: arguments are laid out as in public/domctl.h and public/sysctl.h, and the buffer has room for a domain.
    unsafe {
        let cmd = *arg.cast::<u32>();
        let (domid, info) = match (op, cmd) {
            (DOMCTL, GETDOMAININFO) => (*arg.add(8).cast::<u16>(), arg.add(16)),
            (SYSCTL, GETDOMAININFOLIST) => (*arg.add(8).cast::<u16>(), *arg.add(16).cast::<*mut u8>()),
            _ => return fail(ENOSYS),
        };
        let state = state(fd, domid.into());
        if op == SYSCTL {
            *arg.add(24).cast::<u32>() = u32::from(state != 0);
        }
        if state == 0 {
            return if op == SYSCTL { 0 } else { fail(ESRCH) };
        }
        info.write_bytes(0, INFO_LEN);
        *info.cast::<u16>() = domid;
        *info.add(4).cast::<u32>() = match state {
            1 => 0,
            2 => SHUTDOWN,
            _ => DYING | SHUTDOWN,
        };
        0
    }
}

/// # Safety
/// As for libc's `bind`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bind(fd: c_int, addr: *const c_void, len: c_uint) -> c_int {
    #[repr(C)]
    struct SockaddrUn {
        family: u16,
        path: [u8; 108],
    }
    // SAFETY: every socket address begins with its family.
    let family = unsafe { *addr.cast::<u16>() };
    let wanted = std::env::var_os("XENSTORED_PATH").unwrap_or_default().into_encoded_bytes();
    if family != AF_UNIX || wanted.is_empty() || wanted.len() >= 108 {
        // SAFETY: the caller's own arguments.
        return unsafe { syscall(SYS_BIND, c_long::from(fd), addr, len) as c_int };
    }
    let mut ours = SockaddrUn { family, path: [0; 108] };
    ours.path[..wanted.len()].copy_from_slice(&wanted);
    // SAFETY: the path is shorter than its field, so it ends with a nul, and the address outlives the calls.
    unsafe {
        unlink(ours.path.as_ptr().cast());
        syscall(SYS_BIND, c_long::from(fd), &raw const ours, size_of::<SockaddrUn>()) as c_int
    }
}

/// # Safety
/// As for libc's `setrlimit`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn setrlimit(what: c_uint, limit: *const [u64; 2]) -> c_int {
    // SAFETY: a limit is two words, now and at most.
    unsafe {
        if syscall(SYS_SETRLIMIT, what, limit) == 0 {
            return 0;
        }
        let mut now = [0u64; 2];
        if syscall(SYS_GETRLIMIT, what, now.as_mut_ptr()) != 0 {
            return -1;
        }
        now[0] = now[1];
        syscall(SYS_SETRLIMIT, what, now.as_ptr()) as c_int
    }
}

/// # Safety
/// As for libc's `setrlimit64`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn setrlimit64(what: c_uint, limit: *const [u64; 2]) -> c_int {
    // SAFETY: the same contract, and the same layout on x86-64.
    unsafe { setrlimit(what, limit) }
}

/// # Safety
/// As for libc's `clock_gettime`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: c_int, into: *mut [i64; 2]) -> c_int {
    type Real = unsafe extern "C" fn(c_int, *mut [i64; 2]) -> c_int;
    static REAL: OnceLock<(Real, i64)> = OnceLock::new();
    let (real, rate) = REAL.get_or_init(|| {
        let rate = std::env::var("XENLESS_CLOCK").ok().and_then(|rate| rate.parse().ok()).unwrap_or(1);
        // SAFETY: what was found is libc's `clock_gettime`, whose type this is.
        let real = unsafe {
            let found = dlsym(RTLD_NEXT as *mut c_void, c"clock_gettime".as_ptr());
            assert!(!found.is_null(), "libc has clock_gettime");
            std::mem::transmute::<*mut c_void, Real>(found)
        };
        (real, rate)
    });
    // SAFETY: the caller's own arguments; a time is two words, seconds and nanoseconds.
    unsafe {
        let done = real(clock, into);
        if done == 0 && *rate != 1 && clock == CLOCK_MONOTONIC {
            let scaled =
                (i128::from((*into)[0]) * 1_000_000_000 + i128::from((*into)[1])) * i128::from(*rate);
            *into = [(scaled / 1_000_000_000) as i64, (scaled % 1_000_000_000) as i64];
        }
        done
    }
}
