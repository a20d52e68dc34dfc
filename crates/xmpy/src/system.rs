//! The machine that the program runs on, as a host. What a script may do beside looking around is asked for one by one.

use std::cell::Cell;
use std::hash::{BuildHasher, Hasher};
use std::io::Read;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::host::{Host, PathKind, Refusal};

/// This machine.
#[derive(Debug, Default)]
pub struct System {
    /// Whether a script may include and read files, and list directories.
    pub allow_read: bool,
    /// Whether a script may run commands.
    pub allow_exec: bool,
    drawn: Cell<u64>,
}

impl System {
    /// A host on which scripts may do what is said.
    pub fn new(allow_read: bool, allow_exec: bool) -> Self {
        Self { allow_read, allow_exec, drawn: Cell::new(0) }
    }
}

impl Host for System {
    fn print(&self, text: &str, to_stderr: bool) {
        if to_stderr {
            eprint!("{text}");
        } else {
            print!("{text}");
        }
    }

    fn uname(&self) -> [String; 5] {
        let uname = rustix::system::uname();
        [uname.sysname(), uname.nodename(), uname.release(), uname.version(), uname.machine()]
            .map(|part| part.to_string_lossy().into_owned())
    }

    fn environ(&self) -> Vec<(String, String)> {
        let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
    }

    fn current_dir(&self) -> Option<String> {
        Some(std::env::current_dir().ok()?.to_string_lossy().into_owned())
    }

    fn path_kind(&self, path: &str) -> Option<PathKind> {
        let kind = std::fs::metadata(path).ok()?.file_type();
        Some(match (kind.is_file(), kind.is_dir()) {
            (true, _) => PathKind::File,
            (_, true) => PathKind::Directory,
            _ => PathKind::Other,
        })
    }

    fn list_dir(&self, path: &str) -> Result<Vec<String>, Refusal> {
        if !self.allow_read {
            return Err(Refusal::Denied("--allow-exec permits it".to_owned()));
        }
        let failed = |error: std::io::Error| Refusal::Failed(reason(&error));
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(failed)? {
            names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn read_file(&self, path: &str, limit: usize) -> Result<Vec<u8>, Refusal> {
        if !self.allow_read {
            return Err(Refusal::Denied("--allow-exec permits a configuration to read others".to_owned()));
        }
        // A pipe or a device might never end, or wait for ever.
        if self.path_kind(path).is_some_and(|kind| kind != PathKind::File) {
            return Err(Refusal::Failed("it is not a regular file".to_owned()));
        }
        let file = std::fs::File::open(path).map_err(|error| Refusal::Failed(reason(&error)))?;
        read_all(file, limit)
    }

    fn popen(&self, command: &str, limit: usize) -> Result<Vec<u8>, Refusal> {
        if !self.allow_exec {
            return Err(Refusal::Denied("--allow-exec permits it".to_owned()));
        }
        let failed = |error: std::io::Error| Refusal::Failed(reason(&error));
        let mut child = Command::new("/bin/sh")
            .args(["-c", command])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let output = child.stdout.take().map_or(Ok(Vec::new()), |pipe| read_all(pipe, limit));
        if output.is_err() {
            // It may go on printing for ever. That it cannot be killed because it has just ended is as well.
            let _ = child.kill();
        }
        child.wait().map_err(failed)?;
        output
    }

    fn now(&self) -> f64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
    }

    fn random(&self) -> u64 {
        // The library keys each of these hashers anew.
        let mut hasher = std::hash::RandomState::new().build_hasher();
        self.drawn.set(self.drawn.get() + 1);
        hasher.write_u64(self.drawn.get());
        hasher.finish()
    }

    fn default_route(&self) -> Option<(String, String)> {
        routes()
            .into_iter()
            .find(|route| route.destination == 0 && route.mask == 0)
            .map(|route| (Ipv4Addr::from(route.gateway).to_string(), route.device))
    }

    fn device_address(&self, device: &str) -> Option<(String, String)> {
        let network = routes()
            .into_iter()
            .find(|route| route.device == device && route.gateway == 0 && route.mask != 0)?;
        // The kernel tells which address it would send from; connecting a datagram socket sends nothing.
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        let neighbour = Ipv4Addr::from(network.destination | 1);
        socket.connect((neighbour, 9)).ok()?;
        let address = socket.local_addr().ok()?.ip();
        Some((address.to_string(), Ipv4Addr::from(network.mask).to_string()))
    }
}

fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

fn read_all(from: impl Read, limit: usize) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    from.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|error| Refusal::Failed(reason(&error)))?;
    if bytes.len() > limit {
        return Err(Refusal::Failed(format!("there is more than {limit} bytes of it")));
    }
    Ok(bytes)
}

/// A line of Linux's table of routes.
struct Route {
    device: String,
    destination: u32,
    gateway: u32,
    mask: u32,
}

fn routes() -> Vec<Route> {
    parse_routes(&std::fs::read_to_string("/proc/net/route").unwrap_or_default())
}

/// Reads `/proc/net/route`: addresses are hexadecimal, in the machine's order of bytes.
fn parse_routes(table: &str) -> Vec<Route> {
    let address = |field: &str| u32::from_str_radix(field, 16).ok().map(u32::from_le).map(u32::swap_bytes);
    let line = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        Some(Route {
            device: (*fields.first()?).to_owned(),
            destination: address(fields.get(1)?)?,
            gateway: address(fields.get(2)?)?,
            mask: address(fields.get(7)?)?,
        })
    };
    table.lines().skip(1).filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_routes_is_read_as_linux_writes_it() {
        let routes = parse_routes(
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
             eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n\
             eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
        );
        assert_eq!(Ipv4Addr::from(routes[0].gateway).to_string(), "192.0.2.1");
        assert_eq!(Ipv4Addr::from(routes[1].mask).to_string(), "255.255.255.0");
    }

    #[test]
    fn files_and_commands_need_leave() {
        let host = System::new(false, false);
        assert!(matches!(host.read_file("/etc/passwd", 1 << 20), Err(Refusal::Denied(_))));
        assert!(matches!(host.popen("echo x", 1 << 20), Err(Refusal::Denied(_))));
        let host = System::new(true, true);
        assert_eq!(host.popen("echo x", 1 << 20), Ok(b"x\n".to_vec()));
        assert_eq!(
            host.popen("yes", 1 << 10),
            Err(Refusal::Failed("there is more than 1024 bytes of it".to_owned()))
        );
        assert_eq!(
            host.read_file("/dev/zero", 10),
            Err(Refusal::Failed("it is not a regular file".to_owned()))
        );
    }
}
