//! Kernels as distributions pack them.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use image::host::{BzImageError, Format, UnpackError, unpack};
use image::testing::Elf;

/// A kernel of a size that takes more than one block of every packer.
fn kernel() -> Vec<u8> {
    let bytes: Vec<u8> = (0..9_000_000u32).map(|n| ((n / 7) ^ (n >> 9)) as u8).collect();
    Elf::pvh(&bytes, 10_000_000).build()
}

/// A bzImage with this payload.
fn bzimage(payload: &[u8]) -> Vec<u8> {
    let mut file = vec![0; 5 * 512 + 100];
    file[0x1f1] = 4;
    file[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    file[0x202..0x206].copy_from_slice(b"HdrS");
    file[0x206..0x208].copy_from_slice(&0x020fu16.to_le_bytes());
    file[0x248..0x24c].copy_from_slice(&100u32.to_le_bytes());
    file[0x24c..0x250].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    file.extend(payload);
    file.extend(b"what follows the payload");
    file
}

/// What a command makes of the input; none where it is not installed.
fn piped(command: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdin = child.stdin.take()?;
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output()
    });
    output.ok().filter(|output| output.status.success()).map(|output| output.stdout)
}

/// As Linux's build packs its payload.
fn payload(format: Format, plain: &[u8]) -> Option<Vec<u8>> {
    let command: &[&str] = match format {
        Format::Gzip => &["gzip", "-n", "-f", "-9"],
        Format::Xz => &["xz", "--check=crc32", "--x86", "--lzma2=,dict=8MiB"],
        Format::Zstd => &["zstd", "-19"],
        Format::Lz4 => &["lz4", "-l", "-9", "-", "-"],
        Format::Bzip2 => &["bzip2", "-9"],
        Format::Lzma => &["lzma", "-6"],
        Format::Lzo => &["lzop", "-9"],
    };
    let mut packed = piped(command, plain)?;
    if format != Format::Gzip {
        packed.extend((plain.len() as u32).to_le_bytes());
    }
    Some(packed)
}

const FORMATS: [Format; 6] =
    [Format::Gzip, Format::Xz, Format::Zstd, Format::Lz4, Format::Bzip2, Format::Lzma];

#[test]
fn payloads_of_all_formats_are_unpacked() {
    let plain = kernel();
    let mut tried = 0;
    for format in FORMATS {
        let Some(payload) = payload(format, &plain) else {
            eprintln!("skipped: no command packs {format}");
            continue;
        };
        tried += 1;
        assert!(unpack(&bzimage(&payload)).unwrap() == plain, "{format} in a bzImage");
        assert!(unpack(&payload).unwrap() == plain, "{format} by itself");
    }
    assert!(tried > 0, "no packer is installed");
}

#[test]
fn what_is_not_packed_is_passed_on() {
    let plain = Elf::pvh(b"kernel", 100).build();
    assert_eq!(unpack(&plain).unwrap(), plain);
    assert_eq!(unpack(&bzimage(&plain)).unwrap(), plain);
    assert_eq!(unpack(b"anything").unwrap(), &b"anything"[..]);
}

#[test]
fn damaged_payloads_are_an_error_or_at_least_end() {
    let plain = Elf::pvh(&[42; 200_000], 300_000).build();
    for format in FORMATS {
        let Some(payload) = payload(format, &plain) else { continue };
        let cut = bzimage(&payload[..payload.len() / 2]);
        assert!(unpack(&cut).map_or(true, |unpacked| unpacked != plain), "{format}, cut");
        for at in (6..payload.len()).step_by(payload.len() / 50 + 1) {
            let mut damaged = payload.clone();
            damaged[at] ^= 0x55;
            let _ = unpack(&damaged);
        }
    }
}

#[test]
fn each_unusable_bzimage_has_its_own_error() {
    let good = bzimage(b"\x7fELF and so on");
    let truncated = unpack(&good[..5 * 512 + 105]).unwrap_err();
    let expected = 5 * 512 + 100 + 13 + 1;
    let found = 5 * 512 + 105;
    assert_eq!(truncated, UnpackError::BzImage(BzImageError::Truncated { expected, found }));
    let mut old = good.clone();
    old[0x206] = 5;
    let old = unpack(&old).unwrap_err();
    assert_eq!(old, UnpackError::BzImage(BzImageError::Old { version: 0x0205 }));
    assert!(old.to_string().contains("2.05"));
    assert!(matches!(unpack(&bzimage(b"rotten")), Err(UnpackError::UnknownFormat { .. })));
    assert_eq!(unpack(&bzimage(b"\x89LZO\0\r\n")), Err(UnpackError::Unsupported { format: Format::Lzo }));
}

/// Debian's kernels, where one is installed.
fn installed() -> Vec<PathBuf> {
    let files = std::fs::read_dir("/boot").into_iter().flatten().flatten().map(|file| file.path());
    files
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-")))
        .filter(|path| std::fs::File::open(path).is_ok())
        .collect()
}

#[test]
fn installed_kernels_are_pvh_kernels() {
    for path in installed() {
        let file = std::fs::read(&path).unwrap();
        let plain = unpack(&file).unwrap();
        let headers = image::KernelHeaders::parse(&mut &plain[..]).unwrap();
        assert!(headers.segments().len() > 1, "{}: {headers:?}", path.display());
    }
}
