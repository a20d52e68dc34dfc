//! `hostctl bundle`: the file of images that the boot loader lays beside the control domain.
//!
//! Images of the bundle are there from the start and need no upload: `kernel = "bundle:NAME"`.

mod archive;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use image::host::{ImageCache, Kind, id_of};
use serde_json::{Value, json};

use crate::output::Output;
use crate::{dirs, exit};

/// Make or show a bundle: images that the control domain has from its boot on (`lab up --bundle FILE`).
#[derive(Subcommand, Debug)]
pub enum Bundle {
    /// Make a bundle of images. Guests name them as kernel = "bundle:NAME" and ramdisk = "bundle:NAME".
    ///
    /// ELF files and bzImages are kernels: they are unpacked and checked. Everything else is a ramdisk.
    Create(Create),
    /// List the images of a bundle, and check them against their ids.
    List(List),
}

/// What `bundle create` is given.
#[derive(Args, Debug)]
pub struct Create {
    /// The bundle to write.
    file: PathBuf,
    /// The images: each a file, or NAME=FILE. Without a name it is the file's own.
    #[arg(required = true, value_name = "[NAME=]IMAGE")]
    images: Vec<String>,
}

/// What `bundle list` is given.
#[derive(Args, Debug)]
pub struct List {
    /// The bundle.
    file: PathBuf,
}

impl Bundle {
    /// Runs the command.
    ///
    /// # Errors
    /// An image is missing or none, or the bundle cannot be read or written.
    pub fn run(&self, out: &mut Output) -> Result<u8> {
        match self {
            Bundle::Create(create) => create.run(out),
            Bundle::List(list) => list.run(out),
        }
    }
}

impl Create {
    fn run(&self, out: &mut Output) -> Result<u8> {
        let mut named: Vec<(String, &Path)> = Vec::new();
        for word in &self.images {
            let (name, path) = name_and_path(word)?;
            if named.iter().any(|(known, _)| *known == name) {
                bail!("two images are called '{name}'; write NAME=FILE to call one of them otherwise");
            }
            named.push((name, path));
        }
        let cache = ImageCache::at(dirs::cache().join("images"));
        let mut writer = archive::Writer::default();
        for (name, path) in named {
            let prepared = cache.prepare(path, kind_of(path))?;
            let id = prepared.id;
            writer.image(&name, &prepared.container()?, &id).with_context(|| path.display().to_string())?;
        }
        let bytes = writer.finish();
        write(&self.file, &bytes)
            .with_context(|| format!("cannot write the bundle {}", self.file.display()))?;
        show(&archive::images(&bytes)?, out)
    }
}

impl List {
    fn run(&self, out: &mut Output) -> Result<u8> {
        let file = self.file.display();
        let bytes = fs::read(&self.file).with_context(|| format!("cannot read the bundle {file}"))?;
        let images = archive::images(&bytes).with_context(|| format!("cannot read the bundle {file}"))?;
        for image in &images {
            if image.stated_id.is_some_and(|id| id != hex(&id_of(image.container))) {
                bail!(
                    "the bundle {file} is damaged: image '{}' is not what its id says; make it again",
                    image.name
                );
            }
        }
        show(&images, out)
    }
}

/// Takes `NAME=FILE` apart; a word whose beginning is no name is a file as a whole.
fn name_and_path(word: &str) -> Result<(String, &Path)> {
    if let Some((name, path)) = word.split_once('=').filter(|(name, _)| is_name(name)) {
        return Ok((name.to_owned(), Path::new(path)));
    }
    let path = Path::new(word);
    let own = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !is_name(own) {
        bail!("'{word}' needs a name of letters, digits and - _ . + in the bundle; write NAME={word}");
    }
    Ok((own.to_owned(), path))
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c))
}

/// What a file is to be: its first bytes say so. That it is missing is said by whoever reads all of it.
fn kind_of(path: &Path) -> Kind {
    let mut start = Vec::new();
    let _ = fs::File::open(path).and_then(|file| file.take(0x206).read_to_end(&mut start));
    // Linux's boot protocol: "HdrS" at 0x202 of a bzImage.
    let is_kernel = start.starts_with(b"\x7fELF") || start.get(0x202..) == Some(b"HdrS");
    if is_kernel { Kind::Kernel } else { Kind::Ramdisk }
}

/// Writes all or nothing.
fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    if file.exists() && !file.is_file() {
        bail!("it is there and no regular file");
    }
    let mut partial = file.as_os_str().to_owned();
    partial.push(format!(".{}.part", std::process::id()));
    fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, file)).inspect_err(|_| {
        let _ = fs::remove_file(&partial);
    })?;
    Ok(())
}

fn show(images: &[archive::Entry<'_>], out: &mut Output) -> Result<u8> {
    if out.is_json {
        let objects = images.iter().map(
            |image| json!({ "name": image.name, "bytes": image.container.len(), "id": image.stated_id }),
        );
        out.json(&Value::Array(objects.collect()))?;
        return Ok(exit::OK);
    }
    out.line(&format!("{:<32} {:>12} {}", "Name", "Bytes", "ID"))?;
    for image in images {
        let id = image.stated_id.unwrap_or("-");
        out.line(&format!("{:<32} {:>12} {id}", image.name, image.container.len()))?;
    }
    Ok(exit::OK)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::testing::captured;

    fn hostctl(words: &[&str]) -> (u8, String, String) {
        let words = std::iter::once("hostctl").chain(words.iter().copied()).map(Into::into).collect();
        captured(|out| crate::cli::run(words, out))
    }

    #[test]
    fn an_image_has_the_name_that_is_written_or_its_files() {
        for (word, name, path) in [
            ("k=/boot/vmlinuz", "k", "/boot/vmlinuz"),
            ("/boot/vmlinuz-6.1", "vmlinuz-6.1", "/boot/vmlinuz-6.1"),
            ("./a=b", "a=b", "./a=b"),
            ("k=a=b", "k", "a=b"),
        ] {
            match name_and_path(word) {
                Ok(found) => assert_eq!(found, (name.to_owned(), Path::new(path)), "{word}"),
                // A name with '=' is none that a configuration could use.
                Err(error) => {
                    assert!(name.contains('=') && error.to_string().contains("NAME=./a=b"), "{word}")
                }
            }
        }
        assert!(name_and_path("/").is_err());
    }

    #[test]
    fn a_bundle_is_made_listed_and_read_by_the_control_domain() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        fs::write(at("rd"), "a ramdisk").unwrap();
        let (code, made, stderr) =
            hostctl(&["bundle", "create", &at("b"), &at("rd"), &format!("two={}", at("rd"))]);
        assert_eq!((code, stderr.as_str()), (0, ""));
        assert_eq!(hostctl(&["bundle", "list", &at("b")]), (0, made, String::new()));
        let bytes = fs::read(at("b")).unwrap();
        let found = toolstack::bundle::images(&bytes).unwrap();
        assert_eq!(found.iter().map(|image| image.name.as_str()).collect::<Vec<_>>(), ["rd", "two"]);
        assert_eq!(found[0].stated_id.map(|id| id.0), Some(id_of(found[0].container)));
    }

    #[test]
    fn what_cannot_be_bundled_is_named_and_nothing_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        fs::write(at("rd"), "a ramdisk").unwrap();
        fs::write(at("bad"), b"\x7fELF and no more").unwrap();
        for (images, text) in [
            (vec![at("rd"), at("none")], "none: no such file"),
            (vec![at("rd"), at("rd")], "two images are called 'rd'"),
            (vec![at("bad")], "kernel "),
        ] {
            let file = at("b");
            let words: Vec<&str> =
                ["bundle", "create", &file].into_iter().chain(images.iter().map(String::as_str)).collect();
            let (code, stdout, stderr) = hostctl(&words);
            assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
            assert!(stderr.starts_with("Error: ") && stderr.contains(text), "{stderr}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "{images:?}");
        }
        let (code, _, stderr) = hostctl(&["bundle", "create", "/dev/null", &at("rd")]);
        assert_eq!(code, 1);
        assert_eq!(stderr, "Error: cannot write the bundle /dev/null: it is there and no regular file\n");
    }

    #[test]
    fn a_damaged_bundle_is_not_listed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("b");
        let mut writer = archive::Writer::default();
        writer.image("x", b"container", &[1; 32]).unwrap();
        fs::write(&file, writer.finish()).unwrap();
        let (code, _, stderr) = hostctl(&["bundle", "list", file.to_str().unwrap()]);
        assert!(code == 1 && stderr.contains("image 'x' is not what its id says"), "{stderr}");
        fs::write(&file, "no").unwrap();
        assert!(hostctl(&["bundle", "list", file.to_str().unwrap()]).2.contains("no bundle, or damaged"));
    }
}
