//! The cache on disk.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use image::host::{ImageCache, Kind, Problem, id_of};
use image::testing::Elf;
use image::{Container, KernelError, ReadAt};

struct Place {
    folder: tempfile::TempDir,
    cache: ImageCache,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let cache = ImageCache::at(folder.path().join("cache"));
    Place { folder, cache }
}

impl Place {
    fn file(&self, name: &str, bytes: &[u8]) -> std::path::PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn entries(&self) -> Vec<std::path::PathBuf> {
        let files = fs::read_dir(self.folder.path().join("cache")).into_iter().flatten().flatten();
        files.map(|file| file.path()).collect()
    }
}

fn kernel() -> Vec<u8> {
    Elf::pvh(&[5; 100_000], 200_000).build()
}

fn plain(container: &[u8]) -> Vec<u8> {
    let mut reader = Container::parse(container).unwrap().reader();
    let mut out = vec![0; reader.plain_len() as usize];
    reader.read_at(0, &mut out).unwrap();
    out
}

#[test]
fn a_second_time_the_same_image_comes_from_the_cache() {
    let place = place();
    let path = place.file("vmlinux", &kernel());
    let first = place.cache.prepare(&path, Kind::Kernel).unwrap();
    let again = place.cache.prepare(&path, Kind::Kernel).unwrap();
    assert_eq!(
        (first.id, first.plain_len, first.container_len),
        (again.id, again.plain_len, again.container_len)
    );
    assert_eq!(first.plain_len, kernel().len() as u64);
    let (first, again) = (first.container().unwrap(), again.container().unwrap());
    assert!(first == again);
    assert_eq!(plain(&first), kernel());
    assert_eq!(place.entries().len(), 1);
}

#[test]
fn a_ramdisk_is_taken_as_it_is() {
    let place = place();
    let path = place.file("initrd", b"070701 and so on");
    let prepared = place.cache.prepare(&path, Kind::Ramdisk).unwrap();
    let id = prepared.id;
    let container = prepared.container().unwrap();
    assert_eq!(id, id_of(&container));
    assert_eq!(plain(&container), b"070701 and so on");
}

#[test]
fn a_changed_file_is_another_image() {
    let place = place();
    let path = place.file("initrd", b"one");
    let one = place.cache.prepare(&path, Kind::Ramdisk).unwrap().id;
    place.file("initrd", b"two");
    assert_ne!(place.cache.prepare(&path, Kind::Ramdisk).unwrap().id, one);
}

#[test]
fn damaged_and_vanished_entries_are_made_again() {
    let place = place();
    let path = place.file("vmlinux", &kernel());
    let id = place.cache.prepare(&path, Kind::Kernel).unwrap().id;
    let entry = place.entries().remove(0);
    let whole = fs::read(&entry).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [&flipped[..], &whole[..whole.len() - 1], &whole[..40], b""] {
        fs::write(&entry, damaged).unwrap();
        if let Ok(container) = place.cache.prepare(&path, Kind::Kernel).unwrap().container() {
            assert_eq!(id_of(&container), id);
        }
        // What was found damaged is gone or good: now it works in any case.
        let container = place.cache.prepare(&path, Kind::Kernel).unwrap().container().unwrap();
        assert_eq!(id_of(&container), id);
    }
    let prepared = place.cache.prepare(&path, Kind::Kernel).unwrap();
    fs::remove_file(&entry).unwrap();
    assert_eq!(id_of(&prepared.container().unwrap()), id);
}

#[test]
fn what_was_used_longest_ago_goes_first() {
    let place = place();
    let noise = |seed: u32| -> Vec<u8> {
        let mut state = seed;
        (0..10_000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect()
    };
    let cache = place.cache.clone().keeping(25_000);
    let prepare = |name: &str, seed: u32| {
        let path = place.file(name, &noise(seed));
        cache.prepare(&path, Kind::Ramdisk).unwrap();
        path
    };
    prepare("a", 1);
    let old = place.entries().remove(0);
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    fs::File::open(&old).unwrap().set_modified(yesterday).unwrap();
    prepare("b", 2);
    prepare("a", 1);
    assert!(old.metadata().unwrap().modified().unwrap() > yesterday, "used again");
    fs::File::open(&old).unwrap().set_modified(yesterday).unwrap();
    prepare("c", 3);
    assert_eq!(place.entries().len(), 2);
    assert!(!old.exists());
}

#[test]
fn a_cache_that_cannot_be_written_is_no_error() {
    let place = place();
    let file = place.file("file", b"not a folder");
    let path = place.file("initrd", b"ramdisk");
    for cache in [ImageCache::at(file.join("cache")), ImageCache::none()] {
        let container = cache.prepare(&path, Kind::Ramdisk).unwrap().container().unwrap();
        assert_eq!(plain(&container), b"ramdisk");
    }
}

#[test]
fn two_at_once_do_not_harm_each_other() {
    let place = place();
    let path = place.file("vmlinux", &kernel());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let prepared = place.cache.prepare(&path, Kind::Kernel).unwrap();
                assert_eq!(plain(&prepared.container().unwrap()), kernel());
            });
        }
    });
    assert_eq!(place.entries().len(), 1);
}

#[test]
fn each_bad_file_has_its_own_error_which_names_it() {
    let place = place();
    let refused = |path: &Path, kind: Kind| {
        let error = place.cache.prepare(path, kind).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{kind} {}: ", path.display())), "{error}");
        error.problem
    };
    let gone = place.folder.path().join("gone");
    assert!(matches!(refused(&gone, Kind::Kernel), Problem::Missing));
    assert!(matches!(refused(place.folder.path(), Kind::Ramdisk), Problem::Unreadable(_)));
    let empty = place.file("empty", b"");
    assert!(matches!(refused(&empty, Kind::Ramdisk), Problem::Empty));
    let text = place.file("text", b"#!/bin/sh\n");
    assert!(matches!(refused(&text, Kind::Kernel), Problem::Kernel { error: KernelError::NotElf }));
    let cut = place.file("cut", &kernel()[..1000]);
    let truncated = refused(&cut, Kind::Kernel);
    assert!(matches!(truncated, Problem::Kernel { error: KernelError::Truncated { found: 1000, .. } }));
    let other = place.file("other", &Elf { notes: vec![], ..Elf::pvh(b"x", 1) }.build());
    assert!(matches!(refused(&other, Kind::Kernel), Problem::Kernel { error: KernelError::NotPvh }));
    let packed = place.file("packed", b"\xfd7zXZ\0and then rubbish");
    assert!(matches!(refused(&packed, Kind::Kernel), Problem::Packed(_)));
    assert!(place.entries().is_empty(), "nothing of it is kept");
}
